"""What the ledger counts: how far the city's linkage has come, in one row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.ledger.bulk import Conn
from models.ledger.queries.by_month import last_answer

_COUNTS: Mapping[str, str] = {
    "cases_seen": "SELECT count(DISTINCT record_key) FROM inbox WHERE kind = 'case'",
    "cases_accepted": "SELECT count(*) FROM cases",
    "cases_completed": "SELECT count(*) FROM cases WHERE result IS NOT NULL",
    "cases_settled": "SELECT count(*) FROM cases WHERE state = 'settled'",
    "cases_quarantined": "SELECT count(DISTINCT record_key) FROM quarantine"
    " WHERE kind = 'case' AND released_at IS NULL",
    "cases_without_item": "SELECT count(DISTINCT record_key) FROM inbox WHERE outcome = 'parked'",
    "cases_not_applicable": "SELECT count(DISTINCT record_key) FROM inbox WHERE outcome = 'not_applicable'",
    "cases_secret": "SELECT count(*) FROM refused_secret",
    "handovers": "SELECT count(*) FROM handovers",
    "pushes_accepted": "SELECT count(*) FROM effects WHERE channel = 'push' AND state = 'accepted'",
    "pushes_held": "SELECT count(*) FROM effects WHERE channel = 'push' AND state IN ('held', 'refused')",
    "claims": "SELECT count(*) FROM handovers WHERE claimed_at IS NOT NULL",
    "recalls": "SELECT count(*) FROM effects WHERE channel = 'recall' AND state = 'accepted'",
    "sms_accepted": "SELECT count(*) FROM effects WHERE channel = 'sms'"
    " AND state IN ('accepted', 'delivered', 'undelivered')",
    "sms_held": "SELECT count(*) FROM effects WHERE channel = 'sms' AND state IN ('held', 'refused')",
    "held_data": "SELECT count(*) FROM sms_news WHERE state = 'no_phone'",
    "feedback_received": "SELECT count(*) FROM inbox WHERE kind = 'feedback' AND outcome = 'admitted'",
    "returns_accepted": "SELECT count(*) FROM effects WHERE channel = 'return' AND state = 'accepted'",
    "credit_checks": "SELECT count(*) FROM credit_checks",
    "credit_reports_accepted": "SELECT count(*) FROM effects"
    " WHERE channel = 'credit_report' AND state = 'accepted'",
    "credit_reports_refused": "SELECT count(*) FROM effects"
    " WHERE channel = 'credit_report' AND state = 'refused'",
    "credit_records_returned": "SELECT count(*) FROM effects"
    " WHERE channel = 'return' AND stage = 'credit_record' AND state = 'accepted'",
}

COUNT_NAMES = tuple(_COUNTS)


async def counts(conn: Conn) -> dict[str, int]:
    """Every count by its name."""
    columns = ", ".join(f"({question}) AS {name}" for name, question in _COUNTS.items())
    cursor = await conn.execute(f"SELECT {columns}".encode())
    row = await cursor.fetchone()
    assert row is not None
    return {name: int(value) for name, value in row.items()}


async def planned_since(conn: Conn, moment: datetime) -> int:
    """How many effects were planned from this machine time on."""
    cursor = await conn.execute("SELECT count(*) AS n FROM effects WHERE planned_at >= %s", (moment,))
    row = await cursor.fetchone()
    assert row is not None
    return int(row["n"])


async def first_settled(conn: Conn) -> datetime | None:
    """When the first case that went to the outside was settled (machine time)."""
    cursor = await conn.execute("SELECT min(settled_at) AS at FROM cases WHERE mode IN ('live', 'trial')")
    row = await cursor.fetchone()
    assert row is not None
    at: datetime | None = row["at"]
    return at


async def machine_now(conn: Conn) -> datetime:
    """The database's clock."""
    cursor = await conn.execute("SELECT clock_timestamp() AS now")
    row = await cursor.fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


async def bytes_of_ledger(conn: Conn) -> dict[str, int]:
    """The size of each table with its indexes, in bytes, the largest first."""
    cursor = await conn.execute(
        "SELECT w.relname AS name, sum(pg_total_relation_size(t.oid))::bigint AS size FROM pg_class t"
        " JOIN pg_class w ON w.oid = coalesce(pg_partition_root(t.oid), t.oid) WHERE t.relkind = 'r'"
        " AND t.relnamespace = 'public'::regnamespace GROUP BY w.relname ORDER BY size DESC"
    )
    return {row["name"]: row["size"] for row in await cursor.fetchall()}


async def stopped(conn: Conn, limit: int = 50) -> list[dict[str, Any]]:
    """Refused and held effects, the most pressing first, with their case and why."""
    cursor = await conn.execute(
        "SELECT e.own_id, e.channel, e.target, e.state, e.reason, e.owner, e.due_at, c.case_no,"
        f" {last_answer('e')} AS answer"
        " FROM effects e LEFT JOIN cases c ON c.id = e.case_id WHERE e.state IN ('held', 'refused')"
        " AND e.decided_at IS NULL ORDER BY e.due_at, e.own_id LIMIT %s",
        (limit,),
    )
    return await cursor.fetchall()
