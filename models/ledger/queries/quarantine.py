"""What stands in front of a person: single records, and incidents behind which many stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn, insert
from models.ledger.queries.bell import ring
from models.ledger.tables.intake import Incident, Quarantine


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuarantine:
    """One record, the rule it breaks in Chinese, its owner and the day it is due (business time)."""

    id: UUID
    inbox_id: UUID
    kind: str
    record_key: str
    line_no: int | None
    rule: str
    message: str
    owner: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIncident:
    """One thing to mend; ``count`` is how many records it stops now."""

    kind: str
    key: str
    count: int
    message: str
    owner: str
    since: datetime
    due_at: datetime


async def open_many(conn: Conn, rows: Sequence[NewQuarantine]) -> None:
    """Put the records in front of a person; one that is there already stays as it is."""
    await insert(conn, Quarantine, rows, conflict="(inbox_id) WHERE released_at IS NULL DO NOTHING")


async def openings(conn: Conn, inbox_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How often each of these records stood in front of a person, now included."""
    cursor = await conn.execute(
        "SELECT inbox_id, count(*) AS n FROM quarantine WHERE inbox_id = ANY(%s) GROUP BY inbox_id",
        (list(inbox_ids),),
    )
    return {row["inbox_id"]: row["n"] for row in await cursor.fetchall()}


async def is_open(conn: Conn, kind: str, key: str) -> bool:
    """Whether a record of this kind and key stands in front of a person."""
    cursor = await conn.execute(
        "SELECT FROM quarantine WHERE kind = %s AND record_key = %s AND released_at IS NULL LIMIT 1",
        (kind, key),
    )
    return await cursor.fetchone() is not None


async def open_incidents(conn: Conn, rows: Sequence[NewIncident]) -> None:
    """Open the incidents, or add to the ones that are open."""
    await insert(
        conn,
        Incident,
        rows,
        conflict="(kind, key) WHERE closed_at IS NULL DO UPDATE SET count = incidents.count + EXCLUDED.count",
    )


async def open_incidents_once(conn: Conn, rows: Sequence[NewIncident]) -> None:
    """Open the incidents that are not open yet; one that is stays as it is, whatever it counts."""
    await insert(conn, Incident, rows, conflict="(kind, key) WHERE closed_at IS NULL DO NOTHING")


async def show_incidents(conn: Conn, rows: Sequence[NewIncident]) -> None:
    """Open the incidents, or say of the open ones how they stand now."""
    await insert(
        conn,
        Incident,
        rows,
        conflict="(kind, key) WHERE closed_at IS NULL"
        " DO UPDATE SET count = EXCLUDED.count, message = EXCLUDED.message",
    )


async def close_incidents(conn: Conn, kind: str, keys: Sequence[str]) -> int:
    """Close the open incidents of these keys."""
    cursor = await conn.execute(
        "UPDATE incidents SET closed_at = now() WHERE kind = %s AND key = ANY(%s) AND closed_at IS NULL",
        (kind, list(keys)),
    )
    return cursor.rowcount


async def open_counts(conn: Conn, kind: str) -> dict[str, int]:
    """The open incidents of this kind: how much each counts."""
    cursor = await conn.execute(
        "SELECT key, count FROM incidents WHERE kind = %s AND closed_at IS NULL", (kind,)
    )
    return {row["key"]: row["count"] for row in await cursor.fetchall()}


async def open_list(conn: Conn, limit: int = 200) -> list[dict[str, Any]]:
    """The records in front of a person, the most pressing first."""
    cursor = await conn.execute(
        "SELECT id, kind, record_key, line_no, rule, message, owner, due_at, opened_at FROM quarantine"
        " WHERE released_at IS NULL ORDER BY due_at, id LIMIT %s",
        (limit,),
    )
    return await cursor.fetchall()


async def incident_list(conn: Conn) -> list[dict[str, Any]]:
    """The open incidents, the oldest first."""
    cursor = await conn.execute(
        "SELECT kind, key, count, message, owner, since, due_at FROM incidents"
        " WHERE closed_at IS NULL ORDER BY since, id"
    )
    return await cursor.fetchall()


async def release(conn: Conn, ids: Sequence[UUID], released_by: str) -> list[UUID]:
    """Let the records wait for admission again; returns the inbox ids that do."""
    cursor = await conn.execute(
        "WITH released AS (UPDATE quarantine SET released_at = now(), released_by = %s"
        " WHERE id = ANY(%s) AND released_at IS NULL RETURNING inbox_id)"
        " UPDATE inbox i SET outcome = 'waiting', reason = NULL, attempts = 0 FROM released r"
        " WHERE i.id = r.inbox_id RETURNING i.id",
        (released_by, list(ids)),
    )
    ring(conn)
    return [row["id"] for row in await cursor.fetchall()]
