"""What an answer from the outside means for an effect. The only place that says so."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import structlog

from adapters.values import Receipt, SmsReceipt
from models.domain.breaking import NO_ANSWER
from models.domain.errors import (
    AlreadyDone,
    NoConnection,
    NotAdmitted,
    NotDone,
    OutcomeUnknown,
    Refused,
    ShenguanError,
    Throttled,
)
from models.domain.lifecycles.effect import EffectState
from models.ledger.queries.effects import Outcome

log = structlog.get_logger(__name__)

LEASE_TOO_SHORT = "lease_too_short"
"""Its turn came when too little of the lease was left for a call."""
_SHORTEST_WAIT_S = 1.0
_LONGEST_WAIT_S = 300.0
DESK = "联动运维岗"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Either their receipt, or the finding in its place.

    ``split``: the call was refused as a whole and stored nothing; its effects go again one by one.
    """

    receipt: Receipt | SmsReceipt | None = None
    error: ShenguanError | None = None
    split: bool = False


async def verdict_of(call: Awaitable[Receipt | SmsReceipt], target: str) -> Verdict:
    """Await one call. An error nobody documented proves nothing: its outcome is unknown."""
    got: list[Receipt | SmsReceipt] = []

    async def once() -> None:
        got.append(await call)

    error = await finding_of(once(), target)
    return Verdict(error=error) if error else Verdict(receipt=got[0])


async def finding_of(call: Awaitable[None], target: str) -> ShenguanError | None:
    """Await one call; what came instead of an answer, None where it was answered."""
    try:
        await call
    except (NotDone, Refused, AlreadyDone, OutcomeUnknown) as finding:
        return finding
    except Exception as surprise:  # noqa: BLE001 - whatever it was, a byte may have left
        log.warning("call.surprised", target=target, error=type(surprise).__name__)
        return OutcomeUnknown(target, type(surprise).__name__)
    return None


def judge(row: dict[str, Any], verdict: Verdict, due: datetime) -> Outcome:
    """The outcome to record for this leased effect; ``due`` is a person's day, if one is needed."""
    own_id, error = row["own_id"], verdict.error
    if verdict.receipt is not None:
        return _accepted(own_id, verdict.receipt)
    match error:
        case AlreadyDone() if error.stored_sha256 == row["content_sha256"]:
            return Outcome(
                own_id=own_id,
                state=EffectState.ACCEPTED,
                attempt_outcome="already_done",
                receipt_number=error.receipt_number,
            )
        case AlreadyDone():
            return _for_a_person(own_id, "content_conflict", "对方存有不同内容", due)
        case Refused():
            answer = f"{error.code}: {', '.join(error.fields)}" if error.fields else error.code
            return _for_a_person(own_id, "rule_broken", answer, due)
        case NotDone():
            asked = error.retry_after if isinstance(error, Throttled) else None
            if error.reason == LEASE_TOO_SHORT:
                # Nobody was called and nobody is in trouble: it goes with the next round.
                asked = _SHORTEST_WAIT_S
            # A repeat that was not done proves nothing about the call before it.
            state = EffectState.UNKNOWN if row["doubtful"] else EffectState.PLANNED
            return Outcome(
                own_id=own_id,
                state=state,
                attempt_outcome="not_done",
                answer=error.reason,
                reason=_why_not_done(error),
                wait_s=_asked_wait(asked) if asked is not None else spread_wait(row["attempts"], own_id),
            )
        case _:
            return Outcome(
                own_id=own_id,
                state=EffectState.UNKNOWN,
                attempt_outcome="unknown",
                answer=error.reason if isinstance(error, OutcomeUnknown) else type(error).__name__,
                reason="outcome_unknown",
                wait_s=spread_wait(row["attempts"], own_id),
            )


def _why_not_done(error: NotDone) -> str:
    match error:
        case Throttled():
            reason = "throttled"
        case NoConnection():
            reason = "no_connection"
        case NotAdmitted():
            reason = "signature_rejected"
        case _:
            reason = NO_ANSWER if error.reason == NO_ANSWER else "not_processed"
    return reason


def _asked_wait(seconds: float) -> float:
    """As long as the receiver asks, never less than a second: "at once" would be a loop."""
    return min(max(seconds, _SHORTEST_WAIT_S), _LONGEST_WAIT_S)


def growing_wait(attempts: int) -> float:
    """Seconds until the next try: 1, 2, 4, … up to five minutes."""
    return min(_LONGEST_WAIT_S, 2.0 ** min(max(0, attempts - 1), 10))


def spread_wait(attempts: int, own_id: str) -> float:
    """A growing wait, up to a quarter less by the effect's own draw: what failed together parts."""
    draw = int.from_bytes(sha256(f"{own_id}|{attempts}".encode()).digest()[:4]) / 2**32
    return growing_wait(attempts) * (1 - draw / 4)


def _accepted(own_id: str, receipt: Receipt | SmsReceipt) -> Outcome:
    if isinstance(receipt, SmsReceipt):
        return Outcome(
            own_id=own_id,
            state=EffectState.ACCEPTED,
            attempt_outcome="accepted",
            receipt_number=receipt.msg_group,
        )
    return Outcome(
        own_id=own_id,
        state=EffectState.ACCEPTED,
        attempt_outcome="accepted",
        receipt_number=receipt.number,
        receipt_at=receipt.at,
        receipt_account=receipt.account,
    )


def _for_a_person(own_id: str, reason: str, answer: str, due: datetime) -> Outcome:
    return Outcome(
        own_id=own_id,
        state=EffectState.REFUSED,
        attempt_outcome="refused",
        answer=answer,
        reason=reason,
        owner=DESK,
        due_at=due,
    )
