"""This project: the plain steps, round after round, until a round finds nothing to do."""

import time
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from benchmarks.job import ACCEPTED, COMPLETED, OBSERVED, Job
from benchmarks.systems.clock import Clock
from models.ledger.queries import clock as ledger_clock
from models.ledger.queries import summary, texts
from tasks import steps
from tasks.city_loading import load_city_into
from tasks.composition import Services
from tasks.draining import worked

_EMPTY_ROUNDS = 10


async def prepare(services: Services, job: Job) -> None:
    """The city's files and its liaisons, as any installation has them before its first case."""
    await load_city_into(services.ledger, services.sealing, services.city, job.liaisons)


async def work(services: Services, _job: Job, clock: Clock) -> dict[str, float]:
    """The job: both stages, each until nothing of it is left; seconds by step."""
    spent: dict[str, float] = defaultdict(float)
    for moment in (ACCEPTED, COMPLETED):
        now = moment
        await _until_quiet(services, clock, now, spent)
        while await _news_waits(services):
            # The next window of the digests.
            now += timedelta(minutes=services.settings.sms_digest_minutes + 1)
            await _until_quiet(services, clock, now, spent)
    return dict(spent)


async def beside(_services: Services) -> dict[str, Any]:
    """Nothing runs beside it."""
    return {}


async def afterwards(services: Services, clock: Clock) -> dict[str, Any]:
    """What follows outside the job: the observation ends, the cases settle; then rounds at rest."""
    begun = time.perf_counter()
    await _until_quiet(services, clock, OBSERVED, defaultdict(float))
    settle_s = time.perf_counter() - begun
    rests: list[float] = []
    at_rest: dict[str, float] = defaultdict(float)
    for _ in range(_EMPTY_ROUNDS):
        begun = time.perf_counter()
        await _round(services, at_rest)
        rests.append(time.perf_counter() - begun)
    async with services.ledger.reading() as conn:
        counts = await summary.counts(conn)
    return {
        "settle_s": settle_s,
        "empty_round_ms": sorted(rests)[len(rests) // 2] * 1000,
        "empty_round_steps_ms": {name: s * 1000 / _EMPTY_ROUNDS for name, s in at_rest.items()},
        "settled": counts["cases_settled"],
    }


async def _until_quiet(services: Services, clock: Clock, now: datetime, spent: dict[str, float]) -> None:
    clock.set(now)
    async with services.ledger.writing() as conn:
        await ledger_clock.set_clock(conn, business=now, rate=Decimal(0))
    while await _round(services, spent):
        pass


async def _round(services: Services, spent: dict[str, float]) -> bool:
    did_something = False
    for step in steps.EVERY_STEP:
        begun = time.perf_counter()
        counts = await step(services)
        spent[step.__name__] += time.perf_counter() - begun
        did_something |= worked(counts)
    return did_something


async def _news_waits(services: Services) -> bool:
    async with services.ledger.reading() as conn:
        return bool(await texts.waiting_sections(conn))
