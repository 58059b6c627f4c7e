"""Several SMS gateways: what one proves it did not send may go by another, and nothing else may.

While the outcome at one is unknown the other gets nothing: the text may be on its way. A refusal goes on only
where its cause is our account there; a phone that one gateway cannot reach, the other cannot either.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from adapters.sms.port import SmsGateway
from models.domain.errors import GatewayRefused, NotDone, Throttled
from models.domain.lifecycles.effect import EffectState
from models.ledger.queries.effects import Outcome
from tasks.sending.values import Leased
from tasks.sending.verdicts import Verdict

GATEWAY_REFUSED = "gateway_refused"


def others(gateways: Mapping[str, SmsGateway], name: str) -> tuple[str, ...]:
    """The gateways beside this one, in their order."""
    return tuple(other for other in gateways if other != name)


def failing_over(other: str | None) -> Callable[[Leased, Verdict, Outcome], Outcome]:
    """What an outcome at one gateway becomes where there is another."""

    def settled(leased: Leased, verdict: Verdict, outcome: Outcome) -> Outcome:
        if other is None:
            return outcome
        error = verdict.error
        # The first time it goes on at once; what comes back from there waits as any other.
        wait_s = 0.0 if leased.row["attempts"] <= 1 else outcome.wait_s
        if outcome.state is EffectState.PLANNED and isinstance(error, NotDone):
            return outcome if isinstance(error, Throttled) else replace(outcome, via=other, wait_s=wait_s)
        if isinstance(error, GatewayRefused) and leased.row["reason"] != GATEWAY_REFUSED:
            return Outcome(
                own_id=outcome.own_id,
                state=EffectState.PLANNED,
                attempt_outcome="refused",
                answer=outcome.answer,
                reason="gateway_refused",
                wait_s=wait_s,
                via=other,
            )
        return outcome

    return settled
