"""From a proven push to a closed handover: pushed, claimed (推送即认领), observed, closed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from config.city import City
from models.domain.lifecycles.case import CaseResult, CaseState
from models.domain.lifecycles.handover import HandoverEvent, HandoverState
from models.domain.workdays import business_day
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock, guard, handovers, texts
from models.ledger.queries.effects import Outcome
from models.ledger.writer import HANDOVER, Move, move

PUSHING = "推送"
CLAIMING = "推送即认领"
OBSERVING = "观察期"
_HAS_A_RESULT = frozenset({CaseState.COMPLETED, CaseState.SETTLED})


async def note_pushed(
    conn: Conn, city: City, pushed: Sequence[tuple[dict[str, Any], Outcome]], now: datetime
) -> None:
    """What an accepted push brings, in the transaction of its outcome.

    Online, the department has claimed when the push is proven: the handover's first accepted push is its
    claim. That of its case's result begins the observation. Every one is news for the section's liaison.
    """
    if not pushed:
        return
    rows = await handovers.lock_with_item(conn, [row["handover_id"] for row, _ in pushed])
    moves = {
        row["handover_id"]: _pushed(rows[row["handover_id"]], now)
        for row, _ in pushed
        if _waits_for_a_push(rows[row["handover_id"]])
    }
    claimed = await move(conn, HANDOVER, list(moves.values()), actor=PUSHING, business_now=now)
    told = [rows[effect["handover_id"]] for effect, _ in pushed if effect["stage"] == "completion"]
    begun = {row["id"]: row for row in told if _waits_for_its_result(row)}
    if late := sorted(each for each in claimed if rows[each]["case_state"] in _HAS_A_RESULT):
        # The result may have been told before the duty, or with it.
        begun |= {row["id"]: row for row in await handovers.to_observe(conn, len(late), late)}
    observed = [_after_completion(row) for row in begun.values()]
    await move(conn, HANDOVER, observed, actor=OBSERVING, business_now=now)
    news = []
    for effect, _ in pushed:
        handover = rows[effect["handover_id"]]
        item = city.item(handover["item_code"])
        if handover["mode"] == "live" and handover["section_id"] is not None:
            news.append(
                texts.NewNews(
                    push_own_id=effect["own_id"],
                    case_id=effect["case_id"],
                    handover_id=effect["handover_id"],
                    stage=effect["stage"],
                    section_id=handover["section_id"],
                    urgent=item is not None and item.urgent,
                    business_at=now,
                )
            )
    await texts.add_news(conn, news)
    await guard.fold_told(conn, [each.push_own_id for each in news])


def _waits_for_a_push(row: dict[str, Any]) -> bool:
    # one that a person had ended for a refused push has been reached after all
    ended = (row["state"], row["reason"]) == (HandoverState.CLOSED, "decided")
    return ended or bool(row["state"] == HandoverState.PLANNED)


def _waits_for_its_result(row: dict[str, Any]) -> bool:
    return bool(row["state"] == HandoverState.CLAIMED) and row["case_state"] in _HAS_A_RESULT


def _pushed(row: dict[str, Any], now: datetime) -> Move:
    changes = {"pushed_at": now, "claimed_at": now, "claimed_by": row["department_code"]}
    pushed = _move(row, HandoverEvent.PUSH_ACCEPTED, None, changes)
    return replace(pushed, then=(HandoverEvent.CLAIMED,), then_by=CLAIMING)


async def claim_pushed(ledger: Ledger, *, limit: int = 1000) -> int:
    """Claim what is pushed and not claimed, and begin its observation where its result was told already.

    Every push is claimed in the transaction of its outcome; this finds what an earlier version left
    half-way. Returns how many handovers were claimed.
    """
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        rows = await handovers.pushed(conn, limit)
        moves = [
            _move(
                row,
                HandoverEvent.CLAIMED,
                None,
                {"claimed_at": row["pushed_at"], "claimed_by": row["department_code"]},
            )
            for row in rows
        ]
        claimed = await move(conn, HANDOVER, moves, actor=CLAIMING, business_now=now)
        told = await handovers.to_observe(conn, limit, [each.id for each in moves]) if moves else []
        await move(
            conn, HANDOVER, [_after_completion(row) for row in told], actor=OBSERVING, business_now=now
        )
        return len(claimed)


async def observe_claimed(ledger: Ledger, *, limit: int = 1000) -> int:
    """Claimed handovers of completed cases: granted ones are observed, the others have nothing to watch.

    Nearly all were moved with their push or their claim; this finds whatever came another way, such as a
    result that was told before, taken back, and is so again. It looks at all that is claimed.
    """
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        moves = [_after_completion(row) for row in await handovers.to_observe(conn, limit)]
        return len(await move(conn, HANDOVER, moves, actor=OBSERVING, business_now=now))


def _after_completion(row: dict[str, Any]) -> Move:
    if row["result"] == CaseResult.GRANTED:
        return _move(row, HandoverEvent.OBSERVATION_BEGUN, None, {"observe_until": row["observe_until"]})
    return _move(row, HandoverEvent.ENDED_WITHOUT_LICENCE, "not_granted", {})


async def close_observed(ledger: Ledger, *, limit: int = 1000) -> int:
    """Handovers whose observation is over: silence is lawful, and closes as 无异常反馈."""
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        moves = [_closing(row) for row in await handovers.to_close(conn, business_day(now), limit)]
        return len(await move(conn, HANDOVER, moves, actor=OBSERVING, business_now=now))


def _closing(row: dict[str, Any]) -> Move:
    if row["result"] != CaseResult.GRANTED:
        return _move(row, HandoverEvent.ENDED_WITHOUT_LICENCE, "not_granted", {})
    reason = "feedback_received" if row["abnormal"] else "no_abnormal_news"
    return _move(row, HandoverEvent.PERIOD_ENDED, reason, {})


def _move(row: dict[str, Any], event: HandoverEvent, reason: str | None, changes: dict[str, Any]) -> Move:
    return Move(
        id=row["id"],
        case_id=row["case_id"],
        state=HandoverState(row["state"]),
        event=event,
        row_version=row["row_version"],
        reason=reason,
        changes=changes,
    )
