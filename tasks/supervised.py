"""What a supervision result does to the handovers it answers, to their case and to the licence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.domain.lifecycles.case import CaseEvent, CaseResult, CaseState
from models.domain.lifecycles.handover import HandoverEvent, HandoverState
from models.domain.lifecycles.licence import TRANSITIONS, LicenceEvent, LicenceState
from models.domain.record import FeedbackRecord
from models.ledger.bulk import Conn
from models.ledger.queries import cases
from models.ledger.writer import CASE, HANDOVER, LICENCE, Move, move

ACTOR = "监管反馈"
_MEASURES: Mapping[str, LicenceEvent] = {"暂扣": LicenceEvent.SUSPENDED, "吊销": LicenceEvent.REVOKED}


@dataclass(frozen=True, slots=True)
class Felt:
    """One result with what it was matched to."""

    record: FeedbackRecord
    case: dict[str, Any]
    licence_id: UUID | None
    handovers: tuple[dict[str, Any], ...]


async def feel(conn: Conn, felt: Sequence[Felt], *, business_now: datetime) -> None:
    """Abnormal news reopens what was closed; 暂扣 and 吊销 reach the licence."""
    abnormal = [each for each in felt if each.record.abnormal and each.record.operation != "d"]
    await _reopen(conn, abnormal, business_now)
    await _measures(conn, abnormal, business_now)


async def _reopen(conn: Conn, felt: Sequence[Felt], now: datetime) -> None:
    closed = {
        row["id"]: Move(
            id=row["id"],
            case_id=row["case_id"],
            state=HandoverState.CLOSED,
            event=HandoverEvent.REOPENED,
            row_version=row["row_version"],
            reason="abnormal_news",
            changes={
                "observe_until": max(
                    each.record.rectification_due or row["observe_until"], row["observe_until"]
                )
            },
        )
        for each in felt
        for row in each.handovers
        if row["state"] == HandoverState.CLOSED
        and row["observe_until"] is not None
        and each.case["result"] == CaseResult.GRANTED
    }
    await move(conn, HANDOVER, list(closed.values()), actor=ACTOR, business_now=now)
    settled = {
        each.case["id"]: Move(
            id=each.case["id"],
            case_id=each.case["id"],
            state=CaseState.SETTLED,
            event=CaseEvent.REOPENED,
            row_version=each.case["row_version"],
            reason="abnormal_news",
        )
        for each in felt
        if each.case["state"] == CaseState.SETTLED
    }
    await move(conn, CASE, list(settled.values()), actor=ACTOR, business_now=now)


async def _measures(conn: Conn, felt: Sequence[Felt], now: datetime) -> None:
    wanted: dict[UUID, tuple[LicenceEvent, UUID]] = {}
    for each in felt:
        for measure in each.record.measures:
            if each.licence_id is not None and measure in _MEASURES:
                wanted[each.licence_id] = (_MEASURES[measure], each.case["id"])
    rows = await cases.lock_licences(conn, list(wanted))
    moves = []
    for identity, (event, case_id) in wanted.items():
        row = rows.get(identity)
        if row is not None and (LicenceState(row["state"]), event) in TRANSITIONS:
            moves.append(
                Move(
                    id=identity,
                    case_id=case_id,
                    state=LicenceState(row["state"]),
                    event=event,
                    row_version=row["row_version"],
                )
            )
    await move(conn, LICENCE, moves, actor=ACTOR, business_now=now)
