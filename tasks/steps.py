"""The steps by name: each takes what the composition root opened and does all that is due now.

A source that cannot be read now stops its own step only; what was read is kept, and the step says so
in what it returns.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from uuid import UUID

import structlog

from adapters.values import Page
from models.domain.errors import NotDone, Refused, ShenguanError, Unreadable
from models.ledger.connection import LedgerBusy, LedgerUnavailable
from tasks import arrivals, claiming, credit, feedback, intake, looking_up, recalling, settling, texting
from tasks import receipts as receipt_steps
from tasks.admission import admitting as admission
from tasks.admission import routing
from tasks.composition import Services
from tasks.evidence.sealer import EvidenceBroken, SealingStopped
from tasks.operators import again
from tasks.paging import Ask, in_pieces
from tasks.sending import dispatch, lines, pacing, probing, recovering
from tasks.sending.overlapping import send_in_turn, send_overlapping
from tasks.sending.values import Line, Sent
from tasks.unreadable import keep_unreadable

log = structlog.get_logger(__name__)

Counts = dict[str, int]
Step = Callable[[Services], Awaitable[Counts]]

_TOLD_ALREADY = (EvidenceBroken, SealingStopped)
"""Findings that stand in front of a person by themselves before they are raised."""
_ROUNDS = 1000
"""Batches a step does at most before others have their turn."""


async def take_in_cases(services: Services) -> Counts:
    """取回办件."""

    async def ask(cursor: str | None, limit: int) -> Page:
        await pacing.turn(services.ledger, services.settings.call_limits, "platform")
        return await services.platform.changed_cases(cursor, limit=limit)

    return await _take_in(services, ask, intake.CASES)


async def take_in_feedback(services: Services) -> Counts:
    """取回监管反馈."""

    async def ask(cursor: str | None, limit: int) -> Page:
        await pacing.turn(services.ledger, services.settings.call_limits, "platform")
        return await services.platform.changed_feedback(cursor, limit=limit)

    return await _take_in(services, ask, intake.FEEDBACK)


async def take_in_credit_records(services: Services) -> Counts:
    """取回信用记录."""

    async def ask(cursor: str | None, limit: int) -> Page:
        await pacing.turn(services.ledger, services.settings.call_limits, "credit")
        return await services.credit.changed_records(cursor, limit=limit)

    return await _take_in(services, ask, intake.CREDIT_RECORDS)


async def _take_in(services: Services, ask: Ask, feed: intake.Feed) -> Counts:
    fetch = in_pieces(ask, services.settings.page_size)
    try:
        taken = await intake.take_in(services.ledger, services.sealing, fetch, feed)
    except NotDone as away:
        log.warning("feed.away", feed=feed.name, reason=away.reason)
        return {"away": 1}
    except Unreadable as broken:
        log.warning("feed.unreadable", feed=feed.name, rule=broken.rule)
        await keep_unreadable(services.ledger, services.sealing, services.calendar, feed, broken)
        return {"unreadable": 1}
    return {"seen": taken.seen, "new": taken.new, "repeated": taken.repeated, "secret": taken.secret}


async def admit_cases(services: Services) -> Counts:
    """核对办件、确定监管部门."""
    counts: Counter[str] = Counter()
    for _ in range(_ROUNDS):
        admitted = await admission.admit_cases(
            services.ledger,
            services.sealing,
            services.city,
            services.calendar,
            limit=services.settings.batch_size,
        )
        counts.update(admitted.outcomes)
        if not admitted.total:
            break
    return dict(counts)


async def admit_feedback(services: Services) -> Counts:
    """核对反馈、对应办件."""

    async def once() -> int:
        return await feedback.admit_feedback(
            services.ledger,
            services.sealing,
            services.city,
            services.calendar,
            limit=services.settings.batch_size,
        )

    return {"admitted": await _until_none(once)}


async def admit_credit_records(services: Services) -> Counts:
    """核对信用记录."""

    async def once() -> int:
        return await credit.admit_credit_records(services.ledger, services.sealing, services.calendar)

    return {"admitted": await _until_none(once)}


async def route_waiting(services: Services) -> Counts:
    """分派未找到部门的联动单."""
    routed = await routing.route_waiting(services.ledger, services.sealing, services.city, services.calendar)
    return {"routed": routed}


async def check_parties(services: Services) -> Counts:
    """受理时查询信用."""
    try:
        checks = await credit.check_parties(
            services.ledger,
            services.sealing,
            services.calendar,
            services.credit,
            legal_basis=services.settings.credit_legal_basis,
            limits=services.settings.call_limits,
        )
    except NotDone as away:
        log.warning("credit.away", reason=away.reason)
        return {"away": 1}
    except Unreadable as broken:
        await keep_unreadable(
            services.ledger, services.sealing, services.calendar, intake.CREDIT_RECORDS, broken
        )
        return {"unreadable": 1}
    return {"checks": checks}


async def send_pushes(services: Services, case_ids: Sequence[UUID] | None = None) -> Counts:
    """推送到监管部门."""
    return await _send(
        services, lines.push_line(services.platform, services.city, services.settings), case_ids
    )


async def send_recalls(services: Services, case_ids: Sequence[UUID] | None = None) -> Counts:
    """撤回推送."""
    await recalling.plan_recalls(services.ledger, services.sealing)
    return await _send(services, lines.recall_line(services.platform, services.settings), case_ids)


async def send_returns(services: Services, case_ids: Sequence[UUID] | None = None) -> Counts:
    """回传审批方."""
    return await _send(services, lines.return_line(services.platform, services.settings), case_ids)


async def send_reports(services: Services, case_ids: Sequence[UUID] | None = None) -> Counts:
    """信用报送."""
    return await _send(services, lines.report_line(services.credit, services.settings), case_ids)


async def tell_liaisons(services: Services) -> Counts:
    """短信提醒联络员."""
    rules = text_rules(services)
    async with services.ledger.writing() as conn:
        if await services.guard.may_send(conn):
            # What a restored ledger plans now may have been told before.
            return {"withheld": 1}
    planned = await texting.plan_texts(
        services.ledger, services.sealing, services.city, services.calendar, rules
    )
    sent: Counter[str] = Counter()
    for name in services.gateways:
        line = lines.text_line(services.gateways, services.settings, name=name)
        sent.update(await _send(services, line, None))
    return {"planned": planned, **sent}


async def match_receipts(services: Services) -> Counts:
    """核对短信回执."""
    ledger, sealing, calendar = services.ledger, services.sealing, services.calendar
    return await _each(
        matched=lambda: receipt_steps.match_receipts(ledger, sealing, calendar),
        looked_up=lambda: looking_up.look_up_texts(ledger, sealing, services.gateways),
        held=lambda: texting.hold_unknown_texts(ledger, calendar, text_rules(services)),
    )


async def verify_arrivals(services: Services) -> Counts:
    """核验他方报送."""
    try:
        came, missing = await arrivals.verify_arrivals(services.ledger, services.calendar, services.credit)
    except (NotDone, Refused, Unreadable) as away:
        log.warning("credit.away", error=str(away))
        return {"away": 1}
    return {"arrived": came, "missing": missing}


async def claim(services: Services) -> Counts:
    """推送即认领."""
    return {"claimed": await _until_none(lambda: claiming.claim_pushed(services.ledger))}


async def observe(services: Services) -> Counts:
    """转入观察期."""
    return {"observing": await _until_none(lambda: claiming.observe_claimed(services.ledger))}


async def close_observed(services: Services) -> Counts:
    """观察期满."""
    return {"closed": await _until_none(lambda: claiming.close_observed(services.ledger))}


async def settle(services: Services) -> Counts:
    """闭环."""
    return {"settled": await settling.settle(services.ledger)}


async def seal_evidence(services: Services) -> Counts:
    """封存留痕."""
    done = await services.sealer.seal()
    return {"sealed": done.leaves} if done.leaves else {}


async def recover(services: Services) -> Counts:
    """接续中断的发送."""
    return {"recovered": await recovering.recover(services.ledger, services.calendar)}


async def ask_again(services: Services, case_ids: Sequence[UUID], *, actor: str = again.ACTOR) -> Counts:
    """再试被拒事项."""
    done = await again.ask_again(services.ledger, services.sealing, case_ids, actor=actor)
    return {"asked": done.count}


async def send_for_cases(services: Services, case_ids: Sequence[UUID]) -> Counts:
    """执行这些办件的到期事项."""
    counts: Counter[str] = Counter()
    for send in (send_pushes, send_recalls, send_returns, send_reports):
        counts.update(await send(services, case_ids))
    return dict(counts)


EVERY_STEP: tuple[Step, ...] = (
    recover,
    take_in_cases,
    admit_cases,
    route_waiting,
    check_parties,
    send_pushes,
    send_recalls,
    claim,
    observe,
    tell_liaisons,
    match_receipts,
    take_in_feedback,
    admit_feedback,
    send_reports,
    take_in_credit_records,
    admit_credit_records,
    send_returns,
    verify_arrivals,
    close_observed,
    settle,
    seal_evidence,
)
"""The whole procedure in its order."""


async def everything(services: Services) -> dict[str, Counts]:
    """Every step once, in order; step name → what it did. Plain steps need no Prefect.

    A step that fails stops no other: it says ``failed``, and has its turn again in the next round.

    Raises:
        LedgerUnavailable: there is nothing to work on.
    """
    return {step.__name__: await attempted(step, services) for step in EVERY_STEP}


async def attempted(step: Step, services: Services) -> Counts:
    """What the step did; ``failed`` where it failed, which is in the log and stops no other.

    One that keeps failing stands in front of a person until it works again (``tasks.failing``).

    Raises:
        LedgerUnavailable: there is nothing to work on.
    """
    try:
        counts = await step(services)
    except LedgerBusy:
        log.info("step.busy", step=step.__name__)  # others were first; its turn comes again
        return {"busy": 1}
    except LedgerUnavailable:
        raise
    except Exception as surprise:  # noqa: BLE001 - the others' work does not wait for it
        # A ShenguanError's sentence holds no personal data; of others only the kind is told.
        said = str(surprise) if isinstance(surprise, ShenguanError) else ""
        kind, name = type(surprise).__name__, step.__name__
        log.error("step.failed", step=name, error=kind, said=said)  # noqa: TRY400
        if not isinstance(surprise, _TOLD_ALREADY):
            shown = (step.__doc__ or name).rstrip(".")
            await services.failing.failed(services.ledger, services.calendar, name, shown, said or kind)
        return {"failed": 1}
    await services.failing.worked(services.ledger, step.__name__)
    return counts


def text_rules(services: Services) -> texting.TextRules:
    """The rules for texts as the settings have them."""
    settings = services.settings
    return texting.TextRules(
        digest_minutes=settings.sms_digest_minutes,
        daily_cap=settings.sms_daily_cap,
        unknown_hold_minutes=settings.sms_unknown_hold_minutes,
    )


async def _send(services: Services, line: Line, case_ids: Sequence[UUID] | None) -> Counts:
    counts: Counter[str] = Counter()

    async def once(taken: Callable[[], None] | None = None) -> Sent:
        return await dispatch.send_due(
            services.ledger,
            services.sealing,
            services.calendar,
            line,
            worker=services.worker,
            guard=services.guard,
            case_ids=case_ids,
            taken=taken,
        )

    def note(sent: Sent) -> None:
        counts.update(sent.outcomes)
        counts["withheld"] += 1 if sent.withheld else 0
        if sent.wants_probe and not sent.withheld:
            services.beside.begin(
                f"probe {line.channel} {line.target.system}", partial(probing.probe, services, line)
            )
        counts["paced"] += 1 if sent.paced else 0

    if case_ids is not None:
        # A chosen case's effects are tried once a run, whatever delay they are under.
        note(await once())
    elif line.channel.deduplicates:
        await send_overlapping(once, note, most=_ROUNDS)
    else:
        # A text's intents are as many as its calls, and no more.
        await send_in_turn(once, note, most=_ROUNDS)
    return {name: count for name, count in counts.items() if count}


async def _each(**parts: Callable[[], Awaitable[int]]) -> Counts:
    """What each part did. One that fails keeps none of the others from its turn.

    Raises:
        LedgerUnavailable: at once, there is nothing to work on.
        Exception: the first surprise, when all had their turn.
    """
    counts: Counts = {}
    surprises: list[Exception] = []
    for name, part in parts.items():
        try:
            counts[name] = await part()
        except Exception as surprise:
            if isinstance(surprise, LedgerUnavailable) and not isinstance(surprise, LedgerBusy):
                raise
            surprises.append(surprise)
    if surprises:
        raise surprises[0]
    return counts


async def _until_none(once: Callable[[], Awaitable[int]]) -> int:
    done = 0
    for _ in range(_ROUNDS):
        step = await once()
        if not step:
            break
        done += step
    return done
