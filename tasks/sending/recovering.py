"""What dead workers left is taken up again, and whatever no machine may touch stands in front of a person."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import structlog

from models.domain.workdays import Calendar
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger, LedgerSaidNo, LedgerUnavailable
from models.ledger.queries import clock, effects, texts
from models.ledger.writer import HistoryRow, write_history
from tasks.in_front import OPERATIONS_DESK, due_at

log = structlog.get_logger(__name__)

POISON_AFTER = 5
"""Workers an effect may end, without ever coming to an outcome, before a person sees it."""
RECOVERING = "接续"
"""Who holds what kept ending its workers."""
_FIRST_WAIT_S = 0.2
_RECOVER_PATIENCE_S = 2.0


async def recover(ledger: Ledger, calendar: Calendar) -> int:
    """Take up what dead workers left, and put what kept killing them in front of a person."""
    back: list[dict[str, Any]] = []
    poisoned: list[str] = []

    async def write(conn: Conn) -> None:
        now = await clock.business_now(conn)
        back[:] = await effects.recover_expired(conn, business_now=now)
        poisoned[:] = [row["own_id"] for row in back if row["deaths"] >= POISON_AFTER]
        if poisoned:
            await put_in_front(conn, poisoned, "killed_worker", due_at(calendar, now), RECOVERING)
            await texts.unfold(conn, poisoned)

    await write_with_patience(ledger, write, time.monotonic() + _RECOVER_PATIENCE_S)
    if back:
        log.warning("leases.recovered", effects=len(back), held=len(poisoned))
    return len(back)


async def put_in_front(conn: Conn, own_ids: Sequence[str], reason: str, due: datetime, actor: str) -> None:
    """In front of a person, and said so in the history of their cases."""
    held = await effects.hold(conn, own_ids, reason=reason, owner=OPERATIONS_DESK, due_at=due)
    now = await clock.business_now(conn)
    rows = [(row["own_id"], row["case_id"]) for row in held]
    write_history(
        conn,
        [HistoryRow("effect", own, case, None, "held", "held", reason, actor, now) for own, case in rows],
    )


async def write_with_patience(ledger: Ledger, write: Callable[[Conn], Awaitable[None]], until: float) -> None:
    """Write with patience: outcomes in hand are worth more than a restart of PostgreSQL or a lost race.

    Every write here says whose lease it is, so writing again after an unknown COMMIT changes nothing.

    Raises:
        LedgerUnavailable, LedgerSaidNo: still, at that time of the monotonic clock.
    """
    wait = _FIRST_WAIT_S
    while True:
        try:
            async with ledger.writing() as conn:
                await write(conn)
        except (LedgerUnavailable, LedgerSaidNo):
            if time.monotonic() + wait > until:
                raise
            await asyncio.sleep(wait)
            wait *= 2
        else:
            return
