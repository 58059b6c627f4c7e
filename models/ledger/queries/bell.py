"""The bell: whoever makes something due rings it, and senders in every process wake up.

Rung in the transaction that makes it due, and heard when that commits; PostgreSQL tells equal
notices of one transaction once. Nothing depends on it but speed: what was rung while nobody
listened is found by the sweep that follows every beginning to listen, and by every full round.
"""

from collections.abc import Iterable

from models.ledger.bulk import Conn
from models.ledger.literals import literal

CHANNEL = "shenguan_due"


ANYTHING = ""
NEWS = "news"
CHECK = "check"


def ring(conn: Conn, what: Iterable[str] = (ANYTHING,)) -> None:
    """Something is due when this transaction commits.

    ``what`` are kinds of inbox records, channels of effects, ``NEWS`` for a liaison, ``CHECK`` for a party
    to look up. A notice is a lock at COMMIT: all of a transaction leave in one statement at its end.
    """
    conn.at_the_end(_ring, what)


async def _ring(conn: Conn, what: list[str]) -> None:
    if not what:
        return
    sql = "SELECT pg_notify(%s, w) FROM unnest(%s::text[]) w"
    await conn.execute(sql, (CHANNEL, literal(sorted(set(what)))))
