"""How everything stands now: what is where, what waits since when, and what a person should see."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models.ledger.bulk import Conn
from models.ledger.tables.months import A_MONTH, BY_MONTH

_MONTH = f"month_floor(clock_timestamp() {{}}) / {A_MONTH}"
_THIS = "to_regclass('{}_' || " + _MONTH.format("") + ") IS NOT NULL"
_NEXT = "to_regclass('{}_' || " + _MONTH.format("+ interval '1 month'") + ") IS NOT NULL"
_OVERDUE = {
    "effects": "SELECT count(*) FROM effects WHERE state IN ('held', 'refused') AND decided_at IS NULL"
    " AND due_at < %(now)s",
    "quarantine": "SELECT count(*) FROM quarantine WHERE released_at IS NULL AND due_at < %(now)s",
    "incidents": "SELECT count(*) FROM incidents WHERE closed_at IS NULL AND due_at < %(now)s",
    "no_phone": "SELECT count(*) FROM sms_news WHERE state = 'no_phone' AND due_at < %(now)s",
    "dispatching": "SELECT count(*) FROM handovers WHERE department_code IS NULL AND state = 'planned'"
    " AND due_at < %(now)s",
}


async def states(conn: Conn) -> list[dict[str, Any]]:
    """How many cases, handovers and effects (by channel) are in which state: entity, channel, state, n."""
    cursor = await conn.execute(
        "SELECT 'case' AS entity, NULL AS channel, state, count(*) AS n FROM cases GROUP BY state"
        " UNION ALL SELECT 'handover', NULL, state, count(*) FROM handovers GROUP BY state"
        " UNION ALL SELECT 'effect', channel, state, count(*) FROM effects GROUP BY channel, state"
        " ORDER BY entity, channel, state"
    )
    return await cursor.fetchall()


_MONTHS = " UNION ALL ".join(
    f"SELECT '{table}' AS name, {_THIS.format(table)} AS this_month, {_NEXT.format(table)} AS next_month,"
    f" NOT EXISTS (SELECT FROM {table}_rest) AS in_months"
    for table in BY_MONTH
)


async def months(conn: Conn) -> list[dict[str, Any]]:
    """The tables that lie by month: name, are this_month and next_month made, do all rows lie in_months."""
    cursor = await conn.execute(_MONTHS.encode())
    return await cursor.fetchall()


async def waiting(conn: Conn) -> list[dict[str, Any]]:
    """What is on its way, by what it is, state and reason: n, since and next_try (machine time).

    ``what`` is an effect's channel, or ``inbox:<kind>`` for records that wait for their turn.
    """
    cursor = await conn.execute(
        "SELECT channel AS what, state, reason, count(*) AS n, min(planned_at) AS since,"
        " min(not_before) AS next_try FROM effects"
        " WHERE state IN ('planned', 'leased', 'intent', 'unknown') GROUP BY channel, state, reason"
        " UNION ALL SELECT 'inbox:' || kind, outcome, NULL, count(*), min(received_at), NULL FROM inbox"
        " WHERE outcome = 'waiting' GROUP BY kind, outcome ORDER BY since"
    )
    return await cursor.fetchall()


async def quarantined(conn: Conn) -> list[dict[str, Any]]:
    """Records in front of a person by kind, rule and owner: n and the earliest due_at."""
    cursor = await conn.execute(
        "SELECT kind, rule, owner, count(*) AS n, min(due_at) AS due_at FROM quarantine"
        " WHERE released_at IS NULL GROUP BY kind, rule, owner ORDER BY due_at, kind, rule"
    )
    return await cursor.fetchall()


async def without_phone(conn: Conn) -> list[dict[str, Any]]:
    """News nobody could be told, by department, section and owner: n and the earliest due_at."""
    cursor = await conn.execute(
        "SELECT d.name AS department, s.name AS section, n.owner, count(*) AS n, min(n.due_at) AS due_at"
        " FROM sms_news n LEFT JOIN sections s ON s.id = n.section_id"
        " LEFT JOIN departments d ON d.code = s.department_code"
        " WHERE n.state = 'no_phone' GROUP BY d.name, s.name, n.owner ORDER BY due_at, d.name, s.name"
    )
    return await cursor.fetchall()


async def dispatching(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Handovers no department was found for, the most pressing first."""
    cursor = await conn.execute(
        "SELECT c.case_no, c.item_name, h.supervision_item, h.reason, h.owner, h.due_at FROM handovers h"
        " JOIN cases c ON c.id = h.case_id WHERE h.department_code IS NULL AND h.state = 'planned'"
        " ORDER BY h.due_at, c.case_no LIMIT %s",
        (limit,),
    )
    return await cursor.fetchall()


async def feeds(conn: Conn) -> list[dict[str, Any]]:
    """Each feed: when it was last read (machine time), and the seconds since."""
    cursor = await conn.execute(
        "SELECT source, feed, moved_at, extract(epoch FROM clock_timestamp() - moved_at)::float8 AS age_s"
        " FROM watermarks ORDER BY source, feed"
    )
    return await cursor.fetchall()


async def stopped_counts(conn: Conn) -> dict[str, int]:
    """How many effects stand in front of a person, by state (held, refused)."""
    cursor = await conn.execute(
        "SELECT state, count(*) AS n FROM effects WHERE state IN ('held', 'refused')"
        " AND decided_at IS NULL GROUP BY state"
    )
    found = {row["state"]: int(row["n"]) for row in await cursor.fetchall()}
    return {"refused": found.get("refused", 0), "held": found.get("held", 0)}


async def overdue(conn: Conn, business_now: datetime) -> dict[str, int]:
    """How many of what stands in front of a person are past their day, by what they are."""
    columns = ", ".join(f"({question}) AS {name}" for name, question in _OVERDUE.items())
    cursor = await conn.execute(f"SELECT {columns}".encode(), {"now": business_now})
    row = await cursor.fetchone()
    assert row is not None
    return {name: int(value) for name, value in row.items()}


async def department_names(conn: Conn, codes: Sequence[str]) -> dict[str, str]:
    """The names of these departments."""
    cursor = await conn.execute("SELECT code, name FROM departments WHERE code = ANY(%s)", (list(codes),))
    return {row["code"]: row["name"] for row in await cursor.fetchall()}


async def catalog_versions(conn: Conn) -> set[str]:
    """The versions of the item list that the ledger holds."""
    cursor = await conn.execute("SELECT version FROM catalog_versions")
    return {row["version"] for row in await cursor.fetchall()}


async def liaison_count(conn: Conn) -> int:
    """How many terms of office of liaisons the ledger holds."""
    cursor = await conn.execute("SELECT count(*) AS n FROM liaisons")
    row = await cursor.fetchone()
    assert row is not None
    return int(row["n"])
