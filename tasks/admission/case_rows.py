"""Write what admission decided: the case's transitions, its handovers and licence, and what is now owed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from config.city import CatalogItem, City
from models.domain.admission import Advance
from models.domain.lifecycles.case import CaseEvent, CaseResult, CaseState
from models.domain.lifecycles.handover import HandoverState
from models.domain.party_codes import clean_code
from models.domain.record import CaseRecord
from models.domain.workdays import Calendar
from models.ledger.bulk import Conn
from models.ledger.queries import cases, credit, effects, handovers
from models.ledger.queries.bell import CHECK, ring
from models.ledger.sealing import Sealing
from models.ledger.writer import CASE, Move, begin, move
from tasks.admission.handovers import observe_until, write_handovers
from tasks.admission.licences import licence_id, write_licences
from tasks.advice import platform_check
from tasks.arrivals import expect, expected_approval
from tasks.correcting import credit_to_correct
from tasks.in_front import approval_owner
from tasks.planning import Owed, owed_push, plan
from tasks.reporting import owed_approval, remember_reports

ACTOR = "受理接入"
_STOCK, _LIVE, _SILENT = "stock", "live", "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChange:
    """One case, where it stood (None: not seen before), what its records did to it, and its item."""

    id: UUID
    source: str
    inbox_id: UUID
    before: dict[str, Any] | None
    step: Advance
    record: CaseRecord
    item: CatalogItem
    item_version: str

    @property
    def events(self) -> tuple[CaseEvent, ...]:
        """What happens to the row: a result given and taken back between two looks never stood in it."""
        net: list[CaseEvent] = []
        for event in self.step.events:
            if net and net[-1] is CaseEvent.RESULT_GIVEN:
                # Only these two can follow it; both leave nothing of it.
                net.pop()
                if event is CaseEvent.RESULT_RETRACTED:
                    continue
            net.append(event)
        return tuple(net)

    @property
    def mode(self) -> str:
        """silent, trial, live or stock; what the case began with stays."""
        if self.before is not None:
            return str(self.before["mode"])
        if self.record.accepted_at < self.item.go_live_at:
            return _STOCK
        return self.item.mode

    @property
    def retracted(self) -> bool:
        """Whether a result was given and is given no more."""
        return (
            self.before is not None
            and self.before["result"] is not None
            and self.step.standing.result is None
        )

    @property
    def granted_no_more(self) -> bool:
        """Whether it was granted and that stands no more: withdrawn, retracted, or decided otherwise."""
        if self.before is None or self.before["result"] != CaseResult.GRANTED:
            return False
        voided = self.step.standing.state is CaseState.VOIDED
        return voided or self.step.standing.result is not CaseResult.GRANTED

    @property
    def linked(self) -> bool:
        """Whether anything of this case goes to the outside."""
        return self.mode not in {_STOCK, _SILENT}


async def write_changes(
    conn: Conn,
    sealing: Sealing,
    city: City,
    calendar: Calendar,
    changes: Sequence[CaseChange],
    *,
    business_now: datetime,
) -> set[UUID]:
    """Write the changes of one batch, in the caller's transaction.

    Returns the cases that somebody else has begun meanwhile: nothing was written of those.
    """
    if not changes:
        return set()
    columns = {change.id: _columns(change, sealing) for change in changes}
    # In one order, so that two that begin the same cases wait for each other and do not lock each other.
    new = sorted((change for change in changes if change.before is None), key=lambda one: one.id)
    rows = [_new_case(change, columns[change.id]) for change in new]
    begun = await begin(conn, CASE, rows, actor=ACTOR, business_now=business_now)
    if any(row.needs_credit_check for row in rows):
        ring(conn, [CHECK])
    overtaken = {change.id for change in new} - begun
    changes = [change for change in changes if change.id not in overtaken]
    await _move_known(
        conn, [change for change in changes if change.before is not None], columns, business_now
    )
    await _keep_platform_checks(conn, sealing, changes)
    duties = await write_handovers(conn, city, calendar, changes, business_now=business_now)
    await write_licences(conn, changes, columns, business_now=business_now)
    await _take_back(conn, city, calendar, changes, business_now)
    owed = _owed_pushes(changes, duties)
    reports = [
        report
        for change in changes
        if change.mode == _LIVE
        and (report := owed_approval(sealing, city, change.item, change.record, change.step, change.id))
    ]
    planned = await plan(
        conn, sealing, [*owed, *(report.owed for report in reports)], business_now=business_now
    )
    await remember_reports(conn, reports, planned)
    others = [
        expected_approval(city, calendar, each.item, each.record, each.step, each.id)
        for each in changes
        if each.mode == _LIVE
    ]
    await expect(conn, others)
    return overtaken


def _columns(change: CaseChange, sealing: Sealing) -> dict[str, Any]:
    record, standing = change.record, change.step.standing
    completed = standing.result is not None
    party_index = sealing.index("party", clean_code(record.party.id_number))
    return {
        "data_version": standing.data_version,
        "inbox_id": change.inbox_id,
        "result": standing.result.value if standing.result else None,
        "accepted_at": record.accepted_at,
        "completed_at": (record.completed_at or record.changed_at) if completed else None,
        "observe_until": observe_until(change) if completed else None,
        "region": record.region,
        "place_region": record.place_of_business.region,
        "party_index": party_index,
        "licence_id": licence_id(record, party_index) if completed else None,
    }


def _new_case(change: CaseChange, columns: dict[str, Any]) -> cases.NewCase:
    record = change.record
    return cases.NewCase(
        id=change.id,
        source=change.source,
        case_no=record.case_no,
        state=change.step.standing.state.value,
        reason=None,
        item_code=change.item.code,
        item_version=change.item_version,
        item_name=change.item.name,
        mode=change.mode,
        approval_department=record.department,
        parent_case_no=record.parent_case_no,
        needs_credit_check=change.mode == _LIVE
        and record.credit_check is None
        and change.step.standing.state is not CaseState.VOIDED,
        **columns,
    )


async def _move_known(
    conn: Conn, known: Sequence[CaseChange], columns: dict[UUID, dict[str, Any]], business_now: datetime
) -> None:
    """Each known case's events in one move: what lies between them is never a row."""
    moves = [_move(change, change.before, columns[change.id]) for change in known if change.before]
    moved = await move(conn, CASE, moves, actor=ACTOR, business_now=business_now)
    assert len(moved) == len(moves), "the cases are locked by this transaction"


def _move(change: CaseChange, before: dict[str, Any], columns: dict[str, Any]) -> Move:
    events = change.step.events
    return Move(
        id=change.id,
        case_id=change.id,
        state=CaseState(before["state"]),
        event=events[0] if events else None,
        then=events[1:],
        row_version=before["row_version"],
        reason=None if events else "newer_version",
        changes=columns,
    )


async def _take_back(
    conn: Conn, city: City, calendar: Calendar, changes: Sequence[CaseChange], now: datetime
) -> None:
    """What is true no more and has not left stays; what the credit system has, a person corrects."""
    gone = [change.id for change in changes if change.step.standing.state is CaseState.VOIDED]
    back = [change.id for change in changes if CaseEvent.REINSTATED in change.step.events]
    retracted = [change.id for change in changes if change.retracted]
    ended = {change.id: change for change in changes if change.granted_no_more}
    if gone:
        await effects.withdraw_planned(conn, gone, "withdrawn_at_source")
    if retracted:
        await effects.withdraw_planned(conn, retracted, "result_corrected", stages=["completion"])
    if ended:
        await effects.withdraw_planned(conn, list(ended), "result_corrected", stages=["XK"])
    if back:
        await effects.withdraw_planned(conn, back, "reinstated", channels=["recall"])
    held = [
        (row, approval_owner(city, ended[row["case_id"]].item))
        for row in await cases.reported(conn, list(ended))
        if row["stage"] == "XK" or row["case_id"] in gone
    ]
    await credit_to_correct(conn, calendar, held, business_now=now)


async def _keep_platform_checks(conn: Conn, sealing: Sealing, changes: Sequence[CaseChange]) -> None:
    """A look-up the platform made at its own counter is evidence too; it is not made twice."""
    await credit.add_checks(
        conn,
        [
            platform_check(sealing, change.id, change.record.credit_check)
            for change in changes
            if change.record.credit_check is not None and change.mode == _LIVE
        ],
    )


def _owed_pushes(
    changes: Sequence[CaseChange], duties: dict[UUID, list[handovers.NewHandover]]
) -> list[Owed]:
    owed = []
    for change in changes:
        if not change.linked:
            continue
        for stage, told in change.step.stages.items():
            if stage.value not in change.item.stages:
                continue
            owed += [
                # Who was told that the case is gone hears of it again, whatever it says.
                owed_push(
                    told.record,
                    told.result,
                    stage,
                    change.item,
                    handover,
                    again=handover.state == HandoverState.RECALLED,
                )
                for handover in duties[change.id]
                if handover.department_code is not None
            ]
    return owed
