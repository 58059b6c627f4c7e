"""Inward records: taken in as they came, read when their turn comes, closed with an outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn, arrays, insert
from models.ledger.queries.bell import ring
from models.ledger.queries.evidence import Inward, keep_inward
from models.ledger.tables.intake import Inbox, RefusedSecret

DECIDING_SPACE = 0x5349
"""The first half of these advisory locks' keys: nobody else of this database uses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInbox:
    """One record as it came; the id is derived from source, kind, key and hash."""

    id: UUID
    source: str
    kind: str
    record_key: str
    record_version: int | None
    sha256: str
    raw_sealed: bytes
    commitment: bytes
    line_no: int | None = None
    business_date: date | None = None


_ROW = tuple(name for name in NewInbox.__slots__ if name not in {"raw_sealed", "commitment"})


async def known(conn: Conn, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these records are here already, so that they need no sealing."""
    cursor = await conn.execute("SELECT id FROM inbox WHERE id = ANY(%s)", (list(ids),))
    return {row["id"] for row in await cursor.fetchall()}


async def add(conn: Conn, rows: Sequence[NewInbox]) -> set[UUID]:
    """Keep the records that are new, each with its leaf; the ids of those that were."""
    written = await insert(conn, Inbox, rows, conflict="(id) DO NOTHING", returning="id", only=_ROW)
    new = {row["id"] for row in written}
    await keep_inward(
        conn,
        [
            Inward(
                row.id,
                row.source,
                row.kind,
                row.record_key,
                row.record_version,
                row.raw_sealed,
                row.commitment,
            )
            for row in rows
            if row.id in new
        ],
    )
    if new:
        ring(conn, {row.kind for row in rows if row.id in new})
    return new


async def take_waiting(
    conn: Conn, kind: str, limit: int, counted: Sequence[UUID] | None = None
) -> list[dict[str, Any]]:
    """The oldest waiting records of a kind, locked until the transaction ends; others skip them.

    The attempt is counted by :func:`count_attempts` in a transaction before; ``counted`` takes only
    those that were.
    """
    # One statement each: with one for both the ids would be looked for among all that waits.
    chosen = "AND i.id = ANY(%(ids)s::uuid[])" if counted is not None else ""
    cursor = await conn.execute(
        (
            "SELECT i.id, i.source, i.kind, i.record_key, i.record_version, i.sha256, r.raw_sealed,"
            " i.line_no, i.attempts, i.position, i.received_at"
            " FROM inbox i JOIN inbox_raw r ON r.inbox_id = i.id"
            f" WHERE i.outcome = 'waiting' AND i.kind = %(kind)s {chosen} ORDER BY i.position"
            " LIMIT %(limit)s FOR UPDATE OF i SKIP LOCKED"
        ).encode(),
        {"kind": kind, "limit": limit} | ({"ids": list(counted)} if counted is not None else {}),
    )
    return await cursor.fetchall()


async def head_attempts(conn: Conn, kind: str) -> int:
    """How often the oldest waiting record of a kind was tried that nobody is at; 0 where none waits."""
    cursor = await conn.execute(
        "SELECT attempts FROM inbox WHERE outcome = 'waiting' AND kind = %s ORDER BY position LIMIT 1"
        " FOR UPDATE SKIP LOCKED",
        (kind,),
    )
    row = await cursor.fetchone()
    return int(row["attempts"]) if row else 0


async def take_back_attempts(conn: Conn, counts: Mapping[UUID, int]) -> None:
    """What was counted for these waiting records was no try; a count that has moved on since stays."""
    if counts:
        await conn.execute(
            "UPDATE inbox i SET attempts = i.attempts - 1 FROM unnest(%s::uuid[], %s::integer[])"
            " c (id, attempts) WHERE i.id = c.id AND i.attempts = c.attempts AND i.outcome = 'waiting'",
            arrays(counts.items(), 2),
        )


async def count_attempts(conn: Conn, kind: str, limit: int) -> dict[UUID, int]:
    """Count a try for the records whose turn is next, before anything is done with them; id → its count.

    A record that kills its worker is counted too. Whatever another transaction holds is its turn.
    """
    cursor = await conn.execute(
        "UPDATE inbox i SET attempts = i.attempts + 1 FROM (SELECT id FROM inbox WHERE outcome = 'waiting'"
        " AND kind = %s ORDER BY position LIMIT %s FOR UPDATE SKIP LOCKED) due WHERE i.id = due.id"
        " RETURNING i.id, i.attempts",
        (kind, limit),
    )
    return {row["id"]: int(row["attempts"]) for row in await cursor.fetchall()}


async def one_at_a_time(conn: Conn, kind: str) -> None:
    """Until this transaction ends no other one decides about records of this kind.

    For kinds whose versions are compared with rows that may not exist yet, and so cannot be locked.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (DECIDING_SPACE, kind))


async def close(conn: Conn, outcomes: Sequence[tuple[UUID, str, str | None]]) -> None:
    """Write (id, outcome, reason) of records whose turn has come."""
    if outcomes:
        await conn.execute(
            "UPDATE inbox i SET outcome = o.outcome, reason = o.reason"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[]) o (id, outcome, reason) WHERE i.id = o.id",
            arrays(outcomes, 3),
        )


async def reopen_parked(conn: Conn, reasons: Sequence[str]) -> int:
    """Let records parked for these reasons wait for admission again."""
    cursor = await conn.execute(
        "UPDATE inbox SET outcome = 'waiting', reason = NULL, attempts = 0"
        " WHERE outcome = 'parked' AND reason = ANY(%s)",
        (list(reasons),),
    )
    ring(conn)
    return cursor.rowcount


async def parked_reasons(conn: Conn) -> set[str]:
    """Why records are parked, each reason once."""
    cursor = await conn.execute("SELECT DISTINCT reason FROM inbox WHERE outcome = 'parked'")
    return {row["reason"] for row in await cursor.fetchall()}


async def raw(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """The sealed bytes of these records."""
    cursor = await conn.execute(
        "SELECT inbox_id, raw_sealed FROM inbox_raw WHERE inbox_id = ANY(%s)", (list(ids),)
    )
    return {row["inbox_id"]: row["raw_sealed"] for row in await cursor.fetchall()}


async def count_secret(conn: Conn, indexes: Sequence[bytes]) -> None:
    """Count secret cases that were refused before storage, each once."""
    if indexes:
        await conn.execute(
            f"INSERT INTO {RefusedSecret.__tablename__} (case_index) SELECT DISTINCT unnest(%s::bytea[])"
            " ON CONFLICT DO NOTHING",
            (list(indexes),),
        )
