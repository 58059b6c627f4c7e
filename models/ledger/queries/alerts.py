"""Which matters nobody was alerted to yet, and who was asked to tell them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from models.ledger.bulk import Conn, insert
from models.ledger.tables.alerts import Alert


@dataclass(frozen=True, slots=True)
class Told:
    """A matter that was told, or is to be."""

    kind: str
    key: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Patience:
    """What was asked for is due again after ``first_s``, then after twice as long each time up to ``most_s``.

    No more once it was asked for ``most_tries`` times.
    """

    first_s: float
    most_s: float
    most_tries: int


_DUE = """COALESCE(s.tries, 0) < %(most_tries)s AND (s.tries IS NULL OR s.asked_at <= clock_timestamp()
    - make_interval(secs => least(%(first_s)s * 2 ^ (least(s.tries, 20) - 1), %(most_s)s)))"""


async def untold_incidents(conn: Conn, limit: int, patience: Patience) -> list[dict[str, Any]]:
    """Open incidents that are to be told now, the oldest first; ``tries``: how often that was asked for."""
    cursor = await conn.execute(
        "SELECT i.kind, i.key, i.count, i.message, i.owner, i.since, COALESCE(s.tries, 0) AS tries"
        " FROM incidents i LEFT JOIN alert_asks s"
        " ON s.kind = 'incident:' || i.kind AND s.key = i.key AND s.since = i.since"
        f" WHERE i.closed_at IS NULL AND {_DUE}"
        " AND NOT EXISTS (SELECT FROM alerts a WHERE a.kind = 'incident:' || i.kind AND a.key = i.key"
        " AND a.since = i.since) ORDER BY i.since LIMIT %(limit)s".encode(),
        {"limit": limit, **asdict(patience)},
    )
    return await cursor.fetchall()


async def untold(conn: Conn, told: Told, patience: Patience) -> int | None:
    """How often this was asked for; None where it was told, or is not due again yet."""
    cursor = await conn.execute(
        f"SELECT COALESCE(s.tries, 0) AS tries FROM (VALUES (%(kind)s, %(key)s, %(since)s::timestamptz))"
        f" AS m (kind, key, since) LEFT JOIN alert_asks s USING (kind, key, since) WHERE {_DUE}"
        " AND NOT EXISTS (SELECT FROM alerts a WHERE (a.kind, a.key, a.since)"
        " = (m.kind, m.key, m.since))".encode(),
        {**asdict(told), **asdict(patience)},
    )
    row = await cursor.fetchone()
    return None if row is None else int(row["tries"])


async def unproven(conn: Conn, *, days: int, limit: int) -> list[dict[str, Any]]:
    """What was asked for in the last days and is not known to be told: kind, key, since, tries."""
    cursor = await conn.execute(
        "SELECT s.kind, s.key, s.since, s.tries FROM alert_asks s"
        " WHERE s.asked_at > clock_timestamp() - make_interval(days => %s)"
        " AND NOT EXISTS (SELECT FROM alerts a WHERE (a.kind, a.key, a.since) = (s.kind, s.key, s.since))"
        " ORDER BY s.asked_at DESC LIMIT %s",
        (days, limit),
    )
    return await cursor.fetchall()


async def note_asked(conn: Conn, rows: Sequence[Told]) -> None:
    """Somebody was asked to tell these now."""
    await conn.execute(
        "INSERT INTO alert_asks (kind, key, since, tries)"
        " SELECT kind, key, since, 1 FROM unnest(%s::text[], %s::text[], %s::timestamptz[])"
        " AS t (kind, key, since)"
        " ON CONFLICT (kind, key, since) DO UPDATE"
        " SET tries = alert_asks.tries + 1, asked_at = clock_timestamp()",
        ([row.kind for row in rows], [row.key for row in rows], [row.since for row in rows]),
    )


async def note(conn: Conn, rows: Sequence[Told]) -> None:
    """These were told; twice is once."""
    await insert(conn, Alert, rows, conflict="DO NOTHING", only=("kind", "key", "since"))
