"""What the desk shows of today: counts only, by stage, hour and department."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.ledger.bulk import Conn

_FLOW: Mapping[str, str] = {
    "accepted": "SELECT count(*) FROM cases WHERE accepted_at >= %(since)s",
    "completed": "SELECT count(*) FROM cases WHERE completed_at >= %(since)s",
    "pushed": "SELECT count(*) FROM effects WHERE channel = 'push' AND state = 'accepted'"
    " AND answered_business >= %(since)s",
    "claimed": "SELECT count(*) FROM handovers WHERE claimed_at >= %(since)s",
    "read": "SELECT count(*) FROM handovers WHERE read_at >= %(since)s",
    "returned": "SELECT count(*) FROM effects WHERE channel = 'return' AND state = 'accepted'"
    " AND answered_business >= %(since)s",
    "reported": "SELECT count(*) FROM effects WHERE channel = 'credit_report' AND state = 'accepted'"
    " AND answered_business >= %(since)s",
    "texted": "SELECT count(*) FROM effects WHERE channel = 'sms'"
    " AND state IN ('accepted', 'delivered', 'undelivered') AND answered_business >= %(since)s",
}
STOPPED = "state IN ('refused', 'held') AND decided_at IS NULL"
_OPEN = "state IN ('planned', 'leased', 'intent', 'unknown')"


async def flow(conn: Conn, since: datetime) -> dict[str, int]:
    """How many of each stage since this business time."""
    columns = ", ".join(f"({question}) AS {name}" for name, question in _FLOW.items())
    cursor = await conn.execute(f"SELECT {columns}".encode(), {"since": since})
    row = await cursor.fetchone()
    assert row is not None
    return {name: int(value) for name, value in row.items()}


async def dispatching(conn: Conn) -> int:
    """How many handovers no department was found for."""
    cursor = await conn.execute(
        "SELECT count(*) AS n FROM handovers WHERE department_code IS NULL AND state = 'planned'"
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["n"])


async def by_hour(conn: Conn, since: datetime) -> dict[int, int]:
    """Accepted pushes by the hour (Asia/Shanghai) since this business time."""
    cursor = await conn.execute(
        "SELECT extract(hour FROM answered_business AT TIME ZONE 'Asia/Shanghai')::integer AS hour,"
        " count(*) AS n FROM effects WHERE channel = 'push' AND state = 'accepted'"
        " AND answered_business >= %s AND answered_business < %s + interval '1 day' GROUP BY 1",
        (since, since),
    )
    return {row["hour"]: row["n"] for row in await cursor.fetchall()}


async def by_department(conn: Conn, since: datetime) -> list[dict[str, Any]]:
    """Each department with anything to show: pushed since, waiting, stopped, unread, oldest_unread."""
    cursor = await conn.execute(
        f"""
        WITH pushes AS (
            SELECT target AS code,
                   count(*) FILTER (WHERE state = 'accepted' AND answered_business >= %(since)s) AS pushed,
                   count(*) FILTER (WHERE {_OPEN}) AS waiting,
                   count(*) FILTER (WHERE {STOPPED}) AS stopped
            FROM effects WHERE channel IN ('push', 'recall') GROUP BY target),
        unread AS (
            SELECT department_code AS code, count(*) AS unread, min(claimed_at) AS oldest_unread
            FROM handovers WHERE state IN ('claimed', 'observing') AND read_at IS NULL
            GROUP BY department_code)
        SELECT COALESCE(d.name, code) AS department, COALESCE(pushed, 0) AS pushed,
               COALESCE(waiting, 0) AS waiting, COALESCE(stopped, 0) AS stopped,
               COALESCE(unread, 0) AS unread, oldest_unread
        FROM pushes FULL JOIN unread USING (code) LEFT JOIN departments d USING (code)
        WHERE COALESCE(pushed, 0) + COALESCE(waiting, 0) + COALESCE(stopped, 0) + COALESCE(unread, 0) > 0
        ORDER BY stopped DESC, waiting DESC, unread DESC, pushed DESC, department
        """.encode(),
        {"since": since},
    )
    return await cursor.fetchall()


async def texts(conn: Conn, since: datetime) -> dict[str, int]:
    """Texts since this business time by state, and all that stand in front of a person (``stopped``)."""
    cursor = await conn.execute(
        "SELECT e.state, count(*) AS n FROM effects e JOIN sms_texts t ON t.own_id = e.own_id"
        " WHERE t.planned_business >= %s GROUP BY e.state",
        (since,),
    )
    found = {row["state"]: int(row["n"]) for row in await cursor.fetchall()}
    cursor = await conn.execute(
        f"SELECT count(*) AS n FROM effects WHERE channel = 'sms' AND {STOPPED}".encode()
    )
    row = await cursor.fetchone()
    assert row is not None
    return {**found, "stopped": int(row["n"])}


async def open_breakers(conn: Conn) -> list[dict[str, Any]]:
    """Targets that do not answer: system, target with its department's name, since when, what waits."""
    cursor = await conn.execute(
        "SELECT b.system, b.target, d.name AS department, b.opened_at, b.last_answer FROM breakers b"
        " LEFT JOIN departments d ON d.code = b.target WHERE b.state <> 'closed' ORDER BY b.opened_at"
    )
    return await cursor.fetchall()
