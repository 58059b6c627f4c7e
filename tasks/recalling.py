"""A case withdrawn after its push: every department that believes in it gets a recall."""

from models.domain.keys import recall_key
from models.domain.lifecycles.handover import HandoverState
from models.ledger.connection import Ledger
from models.ledger.queries import clock, handovers
from models.ledger.sealing import Sealing
from models.ledger.writer import HANDOVER, Move, move
from tasks.planning import owed_recall, plan

ACTOR = "撤回推送"


async def plan_recalls(ledger: Ledger, sealing: Sealing, *, limit: int = 1000) -> int:
    """Plan the recalls that are due; one waits while a push of its handover is unresolved."""
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        rows = [row for row in await handovers.to_recall(conn, limit) if not row["unresolved"]]
        owed = [
            owed_recall(
                row["case_no"],
                row["case_id"],
                row["id"],
                recall_key(row["case_no"], row["department_code"], row["supervision_item"]),
                {
                    "department": row["department_code"],
                    "section": row["section_id"].rpartition("/")[2] if row["section_id"] else None,
                    "supervision_item": row["supervision_item"],
                },
                row["pushed"],
            )
            for row in rows
            if row["pushed"]
        ]
        await plan(conn, sealing, owed, business_now=now)
        moves = [
            Move(
                id=row["id"],
                case_id=row["case_id"],
                state=HandoverState.RECALLED,
                event=None,
                row_version=row["row_version"],
                reason="withdrawn_at_source",
            )
            for row in rows
        ]
        await move(conn, HANDOVER, moves, actor=ACTOR, business_now=now)
        return len(owed)
