"""A case's handovers: one for each duty of its pinned item, routed by place of business."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from config.city import CatalogItem, City, Duty
from models.domain.keys import row_id
from models.domain.lifecycles.case import CaseEvent, CaseResult, CaseState
from models.domain.lifecycles.handover import HandoverEvent, HandoverState
from models.domain.workdays import Calendar, business_day
from models.ledger.bulk import Conn
from models.ledger.queries import handovers
from models.ledger.queries.handovers import NewHandover
from models.ledger.writer import HANDOVER, Move, begin, move
from tasks.in_front import approval_owner, due_at

if TYPE_CHECKING:
    from tasks.admission.case_rows import CaseChange

ACTOR = "受理接入"
_EVENT = HandoverEvent


async def write_handovers(
    conn: Conn, city: City, calendar: Calendar, changes: Sequence["CaseChange"], *, business_now: datetime
) -> dict[UUID, list[NewHandover]]:
    """Write what the changes mean for handovers; case id → the handovers that are in force now."""
    linked = [change for change in changes if change.linked]
    known = await handovers.of_cases(conn, [change.id for change in linked if change.before is not None])
    in_force: dict[UUID, list[NewHandover]] = {change.id: [] for change in changes}
    new: list[NewHandover] = []
    moves: list[Move] = []
    replaced: list[UUID] = []
    due = due_at(calendar, business_now)
    for change in linked:
        voided = change.step.standing.state is CaseState.VOIDED
        rows = known.get(change.id, [])
        if not rows and not voided:
            place = change.record.place_of_business.region
            rows_new = [route(city, change.id, change.item, duty, place, due) for duty in change.item.duties]
            new += rows_new
            in_force[change.id] = rows_new
            continue
        kept = []
        for row in rows:
            event, reason, columns = _meaning(change, row)
            if not voided and (heir := _heir(city, change.item, row, due)):
                columns, reason = columns | heir, reason or "department_replaced"
                replaced.append(row["id"])
            if event is not None or columns:
                moves.append(_move(row, event, reason, columns))
            kept.append(as_handover(row | columns))
        if not voided:
            in_force[change.id] = kept
    if replaced:
        await handovers.withdraw_planned(conn, replaced, "department_replaced")
    await begin(conn, HANDOVER, new, actor=ACTOR, business_now=business_now)
    await move(conn, HANDOVER, moves, actor=ACTOR, business_now=business_now)
    return in_force


def _meaning(
    change: "CaseChange", row: dict[str, Any]
) -> tuple[HandoverEvent | None, str | None, dict[str, Any]]:
    """What a case's change means for one handover: its event, the reason, and the columns it revises."""
    state, standing = row["state"], change.step.standing
    if standing.state is CaseState.VOIDED:
        return (None, None, {}) if state == HandoverState.RECALLED else (_EVENT.RECALLED, "recall_due", {})
    if CaseEvent.REINSTATED in change.step.events and state == HandoverState.RECALLED:
        return _EVENT.REINSTATED, "reinstated", {}
    if standing.result is None or change.before is None:
        return None, None, {}
    until = observe_until(change)
    if state == HandoverState.CLOSED and _granted_after_all(change):
        return _EVENT.REOPENED, "result_corrected", {"observe_until": until}
    # A period that an abnormal result made longer is not made shorter by a correction.
    follows = row["observe_until"] == change.before["observe_until"]
    if state == HandoverState.OBSERVING and follows and row["observe_until"] != until:
        return None, "result_corrected", {"observe_until": until}
    return None, None, {}


def _heir(city: City, item: CatalogItem, row: dict[str, Any], due: datetime) -> dict[str, Any]:
    """The columns that give a handover to the department that answers today; empty where it is the same."""
    code = row["department_code"]
    heir = city.successor_of(code) if code is not None else None
    if heir is None or heir.code == code:
        return {}
    section = heir.section(row["section_key"])
    return {
        "department_code": heir.code,
        "section_id": f"{heir.code}/{section.id}" if section else None,
        "owner": None if section else approval_owner(city, item),
        "due_at": None if section else due,
    }


def route(
    city: City, case_id: UUID, item: CatalogItem, duty: Duty, place_region: str, due: datetime
) -> NewHandover:
    """The handover of one duty.

    Without a department it stands in the dispatching queue, which the approval side owns: nothing is
    ever without an owner.
    """
    department = city.route(duty, place_region)
    section = department.section(duty.section) if department else None
    reason = "no_department" if department is None else None if section else "no_section"
    return NewHandover(
        id=row_id("handover", str(case_id), duty.supervision_item, duty.section),
        case_id=case_id,
        supervision_item=duty.supervision_item,
        section_key=duty.section,
        role=duty.role,
        department_code=department.code if department else None,
        section_id=f"{department.code}/{section.id}" if department and section else None,
        state=HandoverState.PLANNED.value,
        reason=reason,
        owner=approval_owner(city, item) if reason else None,
        due_at=due if reason else None,
    )


def as_handover(row: dict[str, Any]) -> NewHandover:
    """A handover's row as the value that was once written."""
    return NewHandover(**{name: row[name] for name in NewHandover.__slots__})


def _granted_after_all(change: "CaseChange") -> bool:
    """Whether a correction grants what was refused, withdrawn or terminated before."""
    before = change.before["result"] if change.before else None
    return before != CaseResult.GRANTED and change.step.standing.result is CaseResult.GRANTED


def observe_until(change: "CaseChange") -> date:
    """The last day of silence after which the loop may close; at once where nothing was granted."""
    completed = business_day(change.record.completed_at or change.record.changed_at)
    granted = change.step.standing.result is CaseResult.GRANTED
    if not granted or not change.linked:
        return completed
    return completed + timedelta(days=change.item.observation_days)


def _move(
    row: dict[str, Any], event: HandoverEvent | None, reason: str | None, changes: Mapping[str, Any]
) -> Move:
    return Move(
        id=row["id"],
        case_id=row["case_id"],
        state=HandoverState(row["state"]),
        event=event,
        row_version=row["row_version"],
        reason=reason,
        changes=changes,
    )
