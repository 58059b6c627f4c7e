"""The bare limit: the same calls, bodies, signatures and seals, and the rows that must remain.

No inbox, no history, no attempts, no mirror, no intent before a call and no step that could be
repeated: a batch's rows are written once, by COPY, after its calls. Killed in between, it would lose
and double. It is not a way to do the job; it is what the job's calls and rows cost by themselves.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from adapters.credit.port import BATCH_LIMIT
from adapters.values import Receipt
from benchmarks.job import ACCEPTED, COMPLETED, Job
from benchmarks.systems.clock import Clock
from benchmarks.systems.rows import BODY, CASE, EFFECT, HANDOVER, copy
from benchmarks.systems.told import ToldCase, by, read_told
from models.domain.canonical import canonical, content_hash, sha256_hex
from models.domain.keys import own_id
from models.domain.lifecycles.effect import Channel
from models.domain.messages import News, text_for
from models.domain.party_codes import clean_code
from models.domain.workdays import business_day
from models.ledger.sealing import Sealed
from tasks.composition import Services
from tasks.planning import BODY_FIELD, Owed
from tasks.texting import PHONE_FIELD

_BATCHES_AT_ONCE = 2
_TEXTS_IN_FLIGHT = 4
T = TypeVar("T")


@dataclass(slots=True)
class _Run:
    services: Services
    now: datetime
    gate: asyncio.Semaphore
    phones: dict[str, str]
    news: dict[str, list[News]] = field(default_factory=lambda: defaultdict(list))


async def prepare(_services: Services, _job: Job) -> None:
    """Nothing: it has no tables but three."""


async def work(services: Services, job: Job, clock: Clock) -> dict[str, float]:
    """The job, two batches at once, so that calls of one run beside the rows of the other."""
    phones = {f"{one['department']}/{one['section']}": one["phone"] for one in job.liaisons}
    cursor: str | None = None
    for now, batch in ((ACCEPTED, _accepted), (COMPLETED, _completed)):
        clock.set(now)
        run = _Run(services, now, asyncio.Semaphore(services.settings.calls_in_flight), phones)
        places = asyncio.Semaphore(_BATCHES_AT_ONCE)
        more = True
        async with asyncio.TaskGroup() as group:
            while more:
                page = await services.platform.changed_cases(cursor, limit=services.settings.page_size)
                cursor, more = page.next_cursor, page.has_more
                cases = [read_told(services, item.raw, now) for item in page.items]
                await places.acquire()
                group.create_task(_released(places, batch(run, cases)))
        await _texts(run)
    return {}


async def beside(_services: Services) -> dict[str, Any]:
    """Nothing runs beside it."""
    return {}


async def afterwards(_services: Services, _clock: Clock) -> dict[str, Any]:
    """Nothing follows."""
    return {}


async def _released(places: asyncio.Semaphore, batch: Awaitable[None]) -> None:
    try:
        await batch
    finally:
        places.release()


async def _accepted(run: _Run, cases: Sequence[ToldCase]) -> None:
    services = run.services
    checks = [
        services.credit.query_parties(
            [case.query() for case in some],
            purpose="acceptance",
            legal_basis=services.settings.credit_legal_basis,
        )
        for some in by(BATCH_LIMIT, cases)
    ]
    effects, _ = await asyncio.gather(_pushed(run, cases), asyncio.gather(*checks))
    version = services.city.catalog.version
    async with services.ledger.writing() as conn:
        await copy(conn, CASE, [_case_row(run, case, version) for case in cases])
        await copy(
            conn,
            HANDOVER,
            [
                {
                    **{name: getattr(case.handover, name) for name in case.handover.__slots__},
                    "state": "claimed",
                    "pushed_at": run.now,
                    "claimed_at": run.now,
                    "claimed_by": case.handover.department_code,
                    "row_version": 3,
                }
                for case in cases
            ],
        )
        await copy(conn, EFFECT, effects)
        await copy(conn, BODY, effects)


async def _completed(run: _Run, cases: Sequence[ToldCase]) -> None:
    services = run.services
    pushed, reported = await asyncio.gather(_pushed(run, cases), _reported(run, cases))
    ends = [business_day(case.record.completed_at or run.now) for case in cases]
    days = [case.item.observation_days for case in cases]
    observed = [end + timedelta(days=many) for end, many in zip(ends, days, strict=True)]
    async with services.ledger.writing() as conn:
        await copy(conn, EFFECT, [*pushed, *reported])
        await copy(conn, BODY, [*pushed, *reported])
        await conn.execute(
            "UPDATE cases c SET state = 'completed', result = 'granted', data_version = n.version,"
            " completed_at = n.at, observe_until = n.until, updated_at = now(), row_version = 2"
            " FROM unnest(%s::uuid[], %s::integer[], %s::timestamptz[], %s::date[])"
            " n (id, version, at, until) WHERE c.id = n.id",
            (
                [case.id for case in cases],
                [case.record.data_version for case in cases],
                [case.record.completed_at for case in cases],
                observed,
            ),
        )
        await conn.execute(
            "UPDATE handovers h SET state = 'observing', observe_until = n.until, row_version = 4"
            " FROM unnest(%s::uuid[], %s::date[]) n (id, until) WHERE h.id = n.id",
            ([case.handover.id for case in cases], observed),
        )


async def _pushed(run: _Run, cases: Sequence[ToldCase]) -> list[dict[str, Any]]:
    sent = _sealed(run, [case.owed_push() for case in cases])
    receipts = await asyncio.gather(
        *(_gated(run, run.services.platform.push(row["own_id"], body)) for row, body in sent)
    )
    for case in cases:
        run.news[run.phones[case.handover.section_id]].append(case.news)
    return [row | _answered(run, receipt) for (row, _), receipt in zip(sent, receipts, strict=True)]


async def _reported(run: _Run, cases: Sequence[ToldCase]) -> list[dict[str, Any]]:
    sent = _sealed(run, [case.owed_report(run.services) for case in cases])
    rows: list[dict[str, Any]] = []
    for some in by(BATCH_LIMIT, sent):
        answers = await _gated(run, run.services.credit.report([(row["own_id"], body) for row, body in some]))
        for (row, _), answer in zip(some, answers, strict=True):
            assert answer.receipt is not None, answer.code
            rows.append(row | _answered(run, answer.receipt))
    return rows


async def _texts(run: _Run) -> None:
    services = run.services
    day = business_day(run.now).isoformat()
    gate = asyncio.Semaphore(_TEXTS_IN_FLIGHT)

    async def one(phone: str, news: Sequence[News]) -> dict[str, Any]:
        index = services.sealing.index("phone", phone).hex()
        key = f"{index[:24]}|{day}|1"
        identity = own_id(Channel.SMS, key, 1)
        text = text_for(
            news,
            section="监管科室",
            reference=identity[2:10],
            one=services.city.templates["one"],
            digest=services.city.templates["digest"],
        )
        services.sealing.open_sealed(PHONE_FIELD, "", services.sealing.seal(PHONE_FIELD, "", phone.encode()))
        body = canonical({"mobile": phone, "content": text})
        async with gate:
            receipt = await services.sms.send(phone, text)
        return {
            **_EFFECT_DEFAULTS,
            "own_id": identity,
            "channel": Channel.SMS.value,
            "target": index,
            "business_key": key,
            "content_version": 1,
            "content_sha256": sha256_hex(text.encode()),
            "body_sealed": services.sealing.seal(BODY_FIELD, identity, body),
            "send_after": run.now,
            "answered_at": datetime.now(UTC),
            "answered_business": run.now,
            "receipt_number": receipt.msg_group,
        }

    rows = await asyncio.gather(*(one(phone, news) for phone, news in run.news.items()))
    async with services.ledger.writing() as conn:
        await copy(conn, EFFECT, rows)
        await copy(conn, BODY, rows)


_EFFECT_DEFAULTS: dict[str, Any] = dict.fromkeys(EFFECT.columns) | {"state": "accepted", "attempts": 1}


def _sealed(run: _Run, owed: Sequence[Owed]) -> list[tuple[dict[str, Any], bytes]]:
    """Each owed effect's row, with its sealed body, and the bytes that leave."""
    bodies = [
        (each, identity, each.compose(identity, 1))
        for each in owed
        for identity in [own_id(each.channel, each.business_key, 1)]
    ]
    envelopes = run.services.sealing.seal_many(
        Sealed(BODY_FIELD, identity, body) for _, identity, body in bodies
    )
    return [
        (
            {
                **_EFFECT_DEFAULTS,
                "own_id": identity,
                "channel": each.channel.value,
                "target": each.target,
                "business_key": each.business_key,
                "stage": each.stage,
                "content_version": 1,
                "content_sha256": content_hash(each.content),
                "body_sealed": envelope,
                "case_id": each.case_id,
                "handover_id": each.handover_id,
                "send_after": run.now,
            },
            body,
        )
        for (each, identity, body), envelope in zip(bodies, envelopes, strict=True)
    ]


def _answered(run: _Run, receipt: Receipt) -> dict[str, Any]:
    return {
        "answered_at": datetime.now(UTC),
        "answered_business": run.now,
        "receipt_number": receipt.number,
        "receipt_at": receipt.at,
        "receipt_account": receipt.account,
    }


def _case_row(run: _Run, case: ToldCase, version: str) -> dict[str, Any]:
    record = case.record
    return {
        "id": case.id,
        "source": "platform",
        "case_no": record.case_no,
        "data_version": record.data_version,
        "inbox_id": case.id,
        "state": "accepted",
        "item_code": record.item_code,
        "item_version": version,
        "item_name": record.item_name,
        "mode": "live",
        "region": record.region,
        "place_region": record.place_of_business.region,
        "approval_department": record.department,
        "accepted_at": record.accepted_at,
        "party_index": run.services.sealing.index("party", clean_code(record.party.id_number)),
        "needs_credit_check": False,
        "row_version": 1,
    }


async def _gated(run: _Run, call: Awaitable[T]) -> T:
    async with run.gate:
        return await call
