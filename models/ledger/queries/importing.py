"""What an import asks: what became of its rows, and how long anything is still observed."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from models.ledger.bulk import Conn


async def outcomes(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, tuple[str, str | None]]:
    """(outcome, reason) of those of these records that are here."""
    cursor = await conn.execute("SELECT id, outcome, reason FROM inbox WHERE id = ANY(%s)", (list(ids),))
    return {row["id"]: (row["outcome"], row["reason"]) for row in await cursor.fetchall()}


async def is_empty(conn: Conn) -> bool:
    """Whether nothing has ever come in."""
    cursor = await conn.execute("SELECT NOT EXISTS (SELECT FROM inbox) AS empty")
    row = await cursor.fetchone()
    return row is not None and bool(row["empty"])


async def last_observation(conn: Conn) -> date | None:
    """The last day on which a case that is not settled yet is still observed."""
    cursor = await conn.execute("SELECT max(observe_until) AS last FROM cases WHERE state = 'completed'")
    row = await cursor.fetchone()
    last: date | None = row["last"] if row else None
    return last


async def stopped_keys(conn: Conn, kind: str, keys: Sequence[str]) -> set[str]:
    """Which of these records of a kind stand in front of a person."""
    cursor = await conn.execute(
        "SELECT DISTINCT record_key FROM quarantine"
        " WHERE released_at IS NULL AND kind = %s AND record_key = ANY(%s)",
        (kind, list(keys)),
    )
    return {row["record_key"] for row in await cursor.fetchall()}
