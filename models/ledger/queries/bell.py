"""The bell: whoever makes something due rings it, and senders in every process wake up.

Rung in the transaction that makes it due, and heard when that commits; PostgreSQL tells equal
notices of one transaction once. Nothing depends on it but speed: what was rung while nobody
listened is found by the sweep that follows every beginning to listen, and by every full round.
"""

from collections.abc import Iterable

from models.ledger.bulk import Conn

CHANNEL = "shenguan_due"


ANYTHING = ""
NEWS = "news"


async def ring(conn: Conn, what: Iterable[str] = (ANYTHING,)) -> None:
    """Something is due when this transaction commits. Once a batch: a notice is a lock at COMMIT.

    ``what`` are kinds of inbox records, channels of effects, or ``NEWS`` for a liaison.
    """
    await conn.execute("SELECT pg_notify(%s, w) FROM unnest(%s::text[]) w", (CHANNEL, sorted(what)))
