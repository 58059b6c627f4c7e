"""Close the loop: a case is settled when nothing of it is open any more."""

from datetime import date
from uuid import UUID

from models.domain.lifecycles.case import CaseEvent, CaseState
from models.domain.workdays import business_day
from models.ledger.connection import Ledger
from models.ledger.queries import cases, clock
from models.ledger.writer import CASE, Move, move

ACTOR = "闭环"
_PAGE = 1000


async def settle(ledger: Ledger) -> int:
    """Settle the completed cases with nothing open, page by page; returns how many were.

    Settled = completed, every handover closed, every effect accepted, or refused and decided by a
    person. Held is not settled.
    """
    settled = 0
    after: tuple[date, UUID] | None = None
    while True:
        async with ledger.writing() as conn:
            now = await clock.business_now(conn)
            rows = await cases.to_settle(conn, business_day(now), _PAGE, after)
            moves = [
                Move(
                    id=row["id"],
                    case_id=row["id"],
                    state=CaseState(row["state"]),
                    event=CaseEvent.LOOP_CLOSED,
                    row_version=row["row_version"],
                )
                for row in rows
            ]
            settled += len(await move(conn, CASE, moves, actor=ACTOR, business_now=now))
        if len(rows) < _PAGE:
            return settled
        after = (rows[-1]["observe_until"], rows[-1]["id"])
