"""Procrastinate on PostgreSQL, with one worker; what a job holds is its variants' choice."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.tasks import Task

from benchmarks.job import Job
from benchmarks.systems import HOME
from benchmarks.systems.clock import Clock
from benchmarks.systems.errands import Errands, Peer, drive
from models.domain.bodies import Stage
from tasks.composition import Services

Params = list[dict[str, Any]]


class Jobs(Peer):
    """A running worker, and how many jobs it still has to do.

    ``case_jobs`` names, for a record and its stage, the tasks it is given to.
    """

    def __init__(self, services: Services, *, job_a_call: bool) -> None:
        self.errands = Errands(services)
        self._settings = services.settings
        self._app = App(
            connector=PsycopgConnector(
                conninfo=os.environ[HOME], min_size=1, max_size=services.settings.pool_size
            )
        )
        self._owed = 0
        self._done = asyncio.Event()
        self._job_a_call = job_a_call
        self._tasks = {
            task.__name__: self._app.task(task, name=task.__name__)
            for task in (self.look_up, self.push, self.accept, self.report, self.text)
        }

    async def look_up(self, raw: str) -> None:
        """The look-up at the door."""
        await self.errands.look_up(self.errands.read(raw))
        self._one_less()

    async def push(self, raw: str) -> None:
        """One push."""
        await self.errands.push(self.errands.read(raw))
        self._one_less()

    async def accept(self, raw: str) -> None:
        """A case's acceptance: both its calls."""
        told = self.errands.read(raw)
        await self.errands.look_up(told)
        await self.errands.push(told)
        self._one_less()

    async def report(self, raws: list[str]) -> None:
        """One batch of reports."""
        await self.errands.report(raws)
        self._one_less()

    async def text(self, phone: str, news: list[list[str]]) -> None:
        """One text."""
        await self.errands.text(phone, news)
        self._one_less()

    async def open(self) -> None:
        """Its tables are made and its worker waits for jobs."""
        await self._app.open_async()
        await self._app.schema_manager.apply_schema_async()
        self._worker = asyncio.create_task(
            self._app.run_worker_async(
                concurrency=self._settings.calls_in_flight, install_signal_handlers=False
            )
        )

    async def close(self) -> None:
        """The worker has ended, and noted its last jobs."""
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
        await self._app.close_async()

    async def begin_cases(self, raws: Sequence[str], stage: Stage) -> None:
        """See the base class."""
        jobs = [{"raw": raw} for raw in raws]
        if stage is Stage.ACCEPTANCE and not self._job_a_call:
            await self._defer("accept", jobs)
            return
        if stage is Stage.ACCEPTANCE:
            await self._defer("look_up", jobs)
        await self._defer("push", jobs)

    async def begin_reports(self, batches: Sequence[Sequence[str]]) -> None:
        """See the base class."""
        await self._defer("report", [{"raws": list(raws)} for raws in batches])

    async def begin_texts(self, texts: Sequence[tuple[str, list[list[str]]]]) -> None:
        """See the base class."""
        await self._defer("text", [{"phone": phone, "news": news} for phone, news in texts])

    async def finished(self) -> None:
        """See the base class."""
        while self._owed:
            self._done.clear()
            await self._done.wait()

    async def _defer(self, name: str, jobs: Params) -> None:
        task: Task[..., Any, Any] = self._tasks[name]
        self._owed += len(jobs)
        await task.batch_defer_async(*jobs)

    def _one_less(self) -> None:
        self._owed -= 1
        if not self._owed:
            self._done.set()


_jobs: list[Jobs] = []


async def prepare(services: Services, *, job_a_call: bool) -> None:
    """A worker that waits."""
    jobs = Jobs(services, job_a_call=job_a_call)
    await jobs.open()
    _jobs.append(jobs)


async def work(services: Services, job: Job, clock: Clock) -> dict[str, float]:
    """The job."""
    await drive(services, job, clock, _jobs[0].errands, _jobs[0])
    return {}


async def beside(_services: Services) -> dict[str, Any]:
    """The worker ends."""
    await _jobs[0].close()
    return {}


async def afterwards(_services: Services, _clock: Clock) -> dict[str, Any]:
    """Nothing follows."""
    return {}
