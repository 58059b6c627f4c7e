"""Which matters nobody was alerted to yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.ledger.bulk import Conn, insert
from models.ledger.tables.alerts import Alert


@dataclass(frozen=True, slots=True)
class Told:
    """A matter that was told."""

    kind: str
    key: str
    since: datetime


async def untold_incidents(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Open incidents that nobody was alerted to, the oldest first."""
    cursor = await conn.execute(
        "SELECT i.kind, i.key, i.count, i.message, i.owner, i.since FROM incidents i"
        " WHERE i.closed_at IS NULL"
        " AND NOT EXISTS (SELECT FROM alerts a WHERE a.kind = 'incident:' || i.kind AND a.key = i.key"
        " AND a.since = i.since) ORDER BY i.since LIMIT %s",
        (limit,),
    )
    return await cursor.fetchall()


async def is_told(conn: Conn, kind: str, since: datetime) -> bool:
    """Whether this kind was told for this moment."""
    cursor = await conn.execute("SELECT FROM alerts WHERE kind = %s AND since = %s", (kind, since))
    return await cursor.fetchone() is not None


async def note(conn: Conn, rows: Sequence[Told]) -> None:
    """These were told; twice is once."""
    await insert(conn, Alert, rows, conflict="DO NOTHING", only=("kind", "key", "since"))
