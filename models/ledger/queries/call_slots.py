"""When the next call to a limited target may leave: one row a target, shared by every worker.

A worker takes slots in the transaction of its lease and calls when their time comes, so that calls of
all workers together leave one after another. The row is locked while they are taken, never during a call.
"""

from dataclasses import dataclass

from models.ledger.bulk import Conn


@dataclass(frozen=True, slots=True)
class Place:
    """The next free slot, ``in_s`` seconds from now, and how many calls may be in flight already."""

    in_s: float
    in_flight: int


async def lock(conn: Conn, target: str, channels: list[str]) -> Place:
    """The target's next free slot, ours until the transaction ends; and what all workers have leased.

    ``in_flight`` counts the leased effects of these channels.
    """
    await conn.execute(
        "INSERT INTO call_slots (target, next_at) VALUES (%s, clock_timestamp()) ON CONFLICT DO NOTHING",
        (target,),
    )
    await conn.execute("SELECT FROM call_slots WHERE target = %s FOR UPDATE", (target,))
    cursor = await conn.execute(
        "SELECT greatest(0, extract(epoch FROM next_at - clock_timestamp()))::double precision AS in_s,"
        " (SELECT count(*) FROM effects WHERE lease_token IS NOT NULL AND channel = ANY(%s)) AS leased"
        " FROM call_slots WHERE target = %s",
        (channels, target),
    )
    row = await cursor.fetchone()
    assert row is not None
    return Place(row["in_s"], row["leased"])


async def take(conn: Conn, target: str, *, in_s: float, lasts_s: float) -> None:
    """The slots from ``in_s`` seconds from now on are taken, for so long together."""
    await conn.execute(
        "UPDATE call_slots SET next_at = clock_timestamp() + make_interval(secs => %s) WHERE target = %s",
        (in_s + lasts_s, target),
    )
