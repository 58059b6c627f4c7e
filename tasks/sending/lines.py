"""The lines out: for each channel the call, and what its acceptance brings with it."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from adapters.credit.port import BATCH_LIMIT, Credit
from adapters.platform.port import Platform
from adapters.sms.port import SmsGateway
from adapters.values import ReportAnswer
from config.city import City
from config.settings import Settings
from models.domain.breaking import CREDIT, PLATFORM, SMS, BreakerRules
from models.domain.errors import NotDone, OutcomeUnknown, Refused
from models.domain.keys import reference_of
from models.domain.lifecycles.effect import Channel
from models.ledger.bulk import Conn
from models.ledger.queries.effects import Outcome
from tasks.claiming import note_pushed
from tasks.sending.breaking import Target
from tasks.sending.gateways import failing_over, others
from tasks.sending.pacing import limits_of
from tasks.sending.values import Accepted, Call, Leased, Line
from tasks.sending.verdicts import Verdict, verdict_of

REPORTS_PER_CALL = BATCH_LIMIT
TEXTS_IN_FLIGHT = 4


def push_line(platform: Platform, city: City, settings: Settings) -> Line:
    """Pushes to departments. An accepted one moves its handover, and is news for the section's liaison."""

    async def call(group: Sequence[Leased]) -> list[Verdict]:
        return [await verdict_of(platform.push(each.own_id, each.body), "platform") for each in group]

    async def accepted(conn: Conn, pairs: Sequence[tuple[Leased, Outcome]], now: datetime) -> None:
        await note_pushed(conn, city, [(each.row, outcome) for each, outcome in pairs], now)

    return _line(settings, Channel.PUSH, PLATFORM, call, accepted=accepted)


def recall_line(platform: Platform, settings: Settings) -> Line:
    """Recalls of pushes whose case was withdrawn at its source."""

    async def call(group: Sequence[Leased]) -> list[Verdict]:
        return [await verdict_of(platform.recall(each.own_id, each.body), "platform") for each in group]

    return _line(settings, Channel.RECALL, PLATFORM, call)


def return_line(platform: Platform, settings: Settings) -> Line:
    """Supervision results and credit records on their way back to the approval side."""

    async def call(group: Sequence[Leased]) -> list[Verdict]:
        return [await verdict_of(platform.give_back(each.own_id, each.body), "platform") for each in group]

    return _line(settings, Channel.RETURN, PLATFORM, call)


def report_line(credit: Credit, settings: Settings) -> Line:
    """Approvals and penalties to the credit system, up to a hundred a call."""

    async def call(group: Sequence[Leased]) -> list[Verdict]:
        try:
            answers = await credit.report([(each.own_id, each.body) for each in group])
        except Refused as refused:
            if len(group) == 1:
                return [Verdict(error=refused)]
            # Nothing was stored: one by one, only the bad one is refused.
            return [Verdict(error=refused, split=True)] * len(group)
        except (NotDone, OutcomeUnknown) as finding:
            return [Verdict(error=finding)] * len(group)
        except Exception as surprise:  # noqa: BLE001 - whatever it was, a byte may have left
            return [Verdict(error=OutcomeUnknown("credit", type(surprise).__name__))] * len(group)
        return [_report_verdict(answer) for answer in answers]

    return _line(settings, Channel.CREDIT_REPORT, CREDIT, call, per_call=REPORTS_PER_CALL)


def _report_verdict(answer: ReportAnswer) -> Verdict:
    finding = answer.finding("credit")
    return Verdict(error=finding) if finding else Verdict(receipt=answer.receipt)


def text_line(gateways: Mapping[str, SmsGateway], settings: Settings, *, name: str = SMS) -> Line:
    """Texts to liaisons by one gateway: it does not know our ids, so intents are only as wide as calls.

    What it proves it did not send goes by another next, where there is one.
    """
    sms, beside = gateways[name], others(gateways, name)

    async def call(group: Sequence[Leased]) -> list[Verdict]:
        bodies = [json.loads(each.body) for each in group]
        return [
            await verdict_of(sms.send(body["mobile"], body["content"], reference_of(each.own_id)), name)
            for each, body in zip(group, bodies, strict=True)
        ]

    line = _line(settings, Channel.SMS, name, call, in_flight=TEXTS_IN_FLIGHT, alive=sms.alive)
    return replace(
        line,
        target=replace(line.target, beside=beside),
        via=name,
        settled=failing_over(beside[0] if beside else None),
    )


def breaker_rules(settings: Settings) -> BreakerRules:
    """When a target is worth no call, as the settings have it."""
    return BreakerRules(
        failures=settings.breaker_failures,
        within_s=settings.breaker_within_s,
        first_pause_s=settings.breaker_first_pause_s,
        longest_pause_s=settings.breaker_longest_pause_s,
    )


def _line(
    settings: Settings,
    channel: Channel,
    system: str,
    call: Call,
    *,
    accepted: Accepted | None = None,
    per_call: int = 1,
    in_flight: int | None = None,
    alive: Callable[[], Awaitable[None]] | None = None,
) -> Line:
    limits = limits_of(settings.call_limits, channel)
    return Line(
        channel=channel,
        limits=limits if limits.is_set else None,
        call=call,
        target=Target(system=system, each=system == PLATFORM, rules=breaker_rules(settings)),
        alive=alive,
        accepted=accepted,
        per_call=per_call,
        in_flight=in_flight or settings.calls_in_flight,
        deadline_s=settings.call_deadline_s,
        lease_s=settings.lease_s,
        batch=settings.batch_size,
    )
