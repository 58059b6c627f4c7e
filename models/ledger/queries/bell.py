"""The bell: whoever makes something due rings it, and senders in every process wake up.

Rung in the transaction that makes it due, and heard when that commits; PostgreSQL tells equal
notices of one transaction once. Nothing depends on it but speed: what was rung while nobody
listened is found by the sweep that follows every beginning to listen, and by every full round.
"""

from models.ledger.bulk import Conn

CHANNEL = "shenguan_due"


async def ring(conn: Conn) -> None:
    """Something is due when this transaction commits. Once a batch: a notice is a lock at COMMIT."""
    await conn.execute(f"NOTIFY {CHANNEL}")
