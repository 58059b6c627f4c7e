"""This project as it runs: a dispatcher of two processes, until nothing of the job is left.

This one admits, looks parties up, reports and tells; the other one (``ours_sending``) takes in, pushes and
does the rest, as ``shenguan dispatch --lane`` does it; what each of them uses is counted. Prefect is not
there, so that the mirror rests (``mirrored`` has it). The clock stands, as for everybody; what waits for a
digest's window is let go by setting it on.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from benchmarks.job import ACCEPTED, COMPLETED, OBSERVED, Job
from benchmarks.systems.clock import Clock
from models.ledger.queries import clock as ledger_clock
from models.ledger.queries import summary
from models.ledger.queries.bell import ring
from tasks import steps
from tasks.city_loading import load_city_into
from tasks.composition import Services
from tasks.dispatcher import dispatch
from tasks.draining import worked

HERE = ("admission", "credit", "texts")
_EMPTY_ROUNDS = 10
_LOOK_S = 0.03
_STANDS_S = 5.0
"""News that has not grown less for so long waits for another day."""
_PATIENCE_S = 900.0
_END_S = 60.0
_running: list[tuple[asyncio.Event, asyncio.Task[None]]] = []
_sending: list["subprocess.Popen[str]"] = []

_DONE = """
SELECT CASE
    WHEN EXISTS (SELECT FROM inbox WHERE outcome = 'waiting')
        OR EXISTS (SELECT FROM cases WHERE needs_credit_check)
        OR EXISTS (SELECT FROM effects WHERE state IN ('planned', 'leased', 'intent', 'unknown'))
        OR EXISTS (SELECT FROM handovers WHERE state IN ('planned', 'pushed'))
        OR (%(completed)s AND EXISTS (SELECT FROM handovers WHERE state = 'claimed'))
    THEN false
    ELSE (SELECT count(*) FROM cases) = %(cases)s
        AND (SELECT count(*) FROM effects WHERE channel = 'push') = %(pushes)s
    END AS done
"""
"""Nothing of a stage is left but news that waits for its digest; asked again and again.

What is counted is counted last: the look must not cost what it looks for.
"""
_TOLD = """
SELECT NOT EXISTS (SELECT FROM effects WHERE channel = 'sms'
    AND state IN ('planned', 'leased', 'intent', 'unknown')) AS told
"""


_WAITING = "SELECT count(*) AS news FROM sms_news WHERE state <> 'folded'"


async def prepare(services: Services, job: Job) -> None:
    """The city's files and its liaisons, as any installation has them before its first case.

    The other process is there already, and waits for its word.
    """
    await load_city_into(services.ledger, services.sealing, services.city, job.liaisons)
    argv = [sys.executable, "-m", "benchmarks.systems.ours_sending"]
    _sending.append(
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603, ASYNC220 - our own program, before anything is timed
    )
    await asyncio.to_thread(_heard)


async def work(services: Services, job: Job, clock: Clock) -> dict[str, float]:
    """The job: both stages, each until nothing of it is left; seconds by step, which overlap."""
    spent: dict[str, float] = defaultdict(float)
    with _timed(spent):
        stop = asyncio.Event()
        _say("go")
        _running.append((stop, asyncio.create_task(dispatch(services, stop, only=HERE))))
        for stage, moment in enumerate((ACCEPTED, COMPLETED), start=1):
            now = moment
            await _set(services, clock, now)
            await _until_done(services, job, stage)
            while waiting := await _news_waiting(services):
                # The next window of the digests.
                now += timedelta(minutes=services.settings.sms_digest_minutes + 1)
                await _set(services, clock, now)
                if not await _until_told(services, waiting):
                    break
    return dict(spent)


async def beside(_services: Services) -> dict[str, Any]:
    """The dispatcher ends; what its other process used: CPU seconds, peak bytes, calls by target."""
    stop, running = _running.pop()
    stop.set()
    _say("stop")
    await running
    other = json.loads(await asyncio.to_thread(_heard))
    _sending.pop().wait(_END_S)
    return {"other": other}


async def afterwards(services: Services, clock: Clock) -> dict[str, Any]:
    """What follows outside the job: the observation ends, the cases settle; then rounds at rest."""
    begun = time.perf_counter()
    await _set(services, clock, OBSERVED)
    while any(worked(counts) for counts in (await steps.everything(services)).values()):
        pass
    settle_s = time.perf_counter() - begun
    rests: list[float] = []
    at_rest: dict[str, float] = defaultdict(float)
    with _timed(at_rest):
        for _ in range(_EMPTY_ROUNDS):
            begun = time.perf_counter()
            await steps.everything(services)
            rests.append(time.perf_counter() - begun)
    async with services.ledger.reading() as conn:
        counts = await summary.counts(conn)
    return {
        "settle_s": settle_s,
        "empty_round_ms": sorted(rests)[len(rests) // 2] * 1000,
        "empty_round_steps_ms": {name: s * 1000 / _EMPTY_ROUNDS for name, s in at_rest.items()},
        "settled": counts["cases_settled"],
    }


def _say(word: str) -> None:
    pipe = _sending[-1].stdin
    assert pipe is not None
    pipe.write(word + "\n")
    pipe.flush()


def _heard() -> str:
    pipe = _sending[-1].stdout
    assert pipe is not None
    return pipe.readline()


async def _set(services: Services, clock: Clock, now: datetime) -> None:
    # The ledger's first: whoever reads a stage's records works on its day already.
    async with services.ledger.writing() as conn:
        await ledger_clock.set_clock(conn, business=now, rate=Decimal(0))
    await asyncio.to_thread(clock.set, now)
    async with services.ledger.writing() as conn:
        ring(conn)


async def _until_done(services: Services, job: Job, stage: int) -> None:
    asked = {"cases": job.cases, "pushes": stage * job.cases, "completed": stage > 1}
    async for _ in _looks():
        async with services.ledger.reading() as conn:
            row = await (await conn.execute(_DONE.encode(), asked)).fetchone()
        if row is not None and row["done"]:
            return


async def _until_told(services: Services, waiting: int) -> bool:
    """Whether of so much waiting news some could go in this window, and has left."""
    begun = time.perf_counter()
    async for _ in _looks():
        if await _news_waiting(services) < waiting:
            async with services.ledger.reading() as conn:
                row = await (await conn.execute(_TOLD.encode())).fetchone()
            if row is not None and row["told"]:
                break
        elif time.perf_counter() - begun > _STANDS_S:
            # A phone gets so many texts a day and no more.
            return False
    return True


async def _looks() -> AsyncIterator[None]:
    begun = time.perf_counter()
    while time.perf_counter() - begun < _PATIENCE_S:
        (_, running) = _running[-1]
        if running.done():
            running.result()
        yield
        await asyncio.sleep(_LOOK_S)
    raise TimeoutError("the job comes to no end")


async def _news_waiting(services: Services) -> int:
    async with services.ledger.reading() as conn:
        row = await (await conn.execute(_WAITING.encode())).fetchone()
    assert row is not None
    return int(row["news"])


@contextmanager
def _timed(spent: dict[str, float]) -> Iterator[None]:
    """Each step's seconds are added up: steps of different lanes run beside each other."""
    attempted = steps.attempted

    async def timed(step: steps.Step, services: Services) -> steps.Counts:
        begun = time.perf_counter()
        try:
            return await attempted(step, services)
        finally:
            spent[step.__name__] += time.perf_counter() - begun

    steps.attempted = timed
    try:
        yield
    finally:
        steps.attempted = attempted
