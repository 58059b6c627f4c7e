"""Handovers no department was found for: looked at again, since the list and the regions may change."""

from typing import Any

from adapters.records import parse_case
from config.city import City
from models.domain.admission import Told
from models.domain.bodies import Stage
from models.domain.lifecycles.case import CaseResult
from models.domain.lifecycles.handover import HandoverState
from models.domain.workdays import Calendar
from models.ledger.connection import Ledger
from models.ledger.queries import clock, data_keys, handovers
from models.ledger.queries.handovers import NewHandover
from models.ledger.sealing import Sealed, Sealing
from models.ledger.writer import HANDOVER, Move, move
from tasks.admission.handovers import route
from tasks.admission.pinning import pinned_items
from tasks.evidence.subjects import RAW_FIELD
from tasks.in_front import due_at
from tasks.planning import Owed, owed_push, plan

ACTOR = "分派"


async def route_waiting(
    ledger: Ledger, sealing: Sealing, city: City, calendar: Calendar, *, limit: int = 500
) -> int:
    """Give the dispatching queue's handovers the department that answers now; how many found one.

    Each is pushed at the stage its case has reached.
    """
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        rows = await handovers.dispatching(conn, limit)
        await data_keys.load(conn, sealing, [row["raw_sealed"] for row in rows])
        pinned = await pinned_items(conn, city, [(row["item_version"], row["item_code"]) for row in rows])
        due = due_at(calendar, now)
        moves: list[Move] = []
        owed: list[Owed] = []
        for row in rows:
            item = pinned[row["item_version"], row["item_code"]]
            place = (row["supervision_item"], row["section_key"])
            duty = next((d for d in item.duties if (d.supervision_item, d.section) == place), None)
            found = route(city, row["case_id"], item, duty, row["place_region"], due) if duty else None
            if found is None or found.department_code is None:
                continue
            moves.append(_routed(row, found))
            raw = sealing.open_many([Sealed(RAW_FIELD, row["inbox_id"], row["raw_sealed"])])[0]
            result = CaseResult(row["result"]) if row["result"] else None
            told = Told(parse_case(raw, row["case_no"]), result)
            stage = Stage.COMPLETION if result else Stage.ACCEPTANCE
            if stage.value in item.stages:
                owed.append(owed_push(told.record, told.result, stage, item, found))
        moved = await move(conn, HANDOVER, moves, actor=ACTOR, business_now=now)
        await plan(conn, sealing, [each for each in owed if each.handover_id in moved], business_now=now)
        return len(moved)


def _routed(row: dict[str, Any], found: NewHandover) -> Move:
    return Move(
        id=row["id"],
        case_id=row["case_id"],
        state=HandoverState.PLANNED,
        event=None,
        row_version=row["row_version"],
        reason=found.reason or "routed",
        changes={
            "department_code": found.department_code,
            "section_id": found.section_id,
            "owner": found.owner,
            "due_at": found.due_at,
        },
    )
