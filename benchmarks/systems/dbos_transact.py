"""DBOS Transact: one workflow a case, a step a call, on PostgreSQL.

A case's workflow waits for its completion as DBOS has it: ``recv`` for what ``send`` brings.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.job import Job
from benchmarks.systems import HOME
from benchmarks.systems.clock import Clock
from benchmarks.systems.errands import Errands, Peer, drive
from benchmarks.systems.told import ToldCase
from models.domain.bodies import Stage
from tasks.composition import Services

_COMPLETION = "completion"
_A_YEAR_S = 365 * 86400.0
_STARTS_AT_ONCE = 16
_errands: Errands
_accepted: asyncio.Queue[None] = asyncio.Queue()


@DBOS.step()
async def look_up(told: ToldCase) -> str:
    """The look-up at the door."""
    return await _errands.look_up(told)


@DBOS.step()
async def push(told: ToldCase) -> str | None:
    """One push."""
    return await _errands.push(told)


@DBOS.step()
async def report(raws: Sequence[str]) -> list[str | None]:
    """One batch of reports."""
    return await _errands.report(raws)


@DBOS.step()
async def send_text(phone: str, news: list[list[str]]) -> str:
    """One text."""
    return await _errands.text(phone, news)


@DBOS.workflow()
async def one_case(raw: str) -> None:
    """A case from its acceptance to its completion."""
    told = _errands.read(raw)
    await look_up(told)
    await push(told)
    _accepted.put_nowait(None)
    completed = await DBOS.recv_async(_COMPLETION, timeout_seconds=_A_YEAR_S)
    await push(_errands.read(completed))


@DBOS.workflow()
async def one_batch(raws: list[str]) -> None:
    """A batch of reports."""
    await report(raws)


@DBOS.workflow()
async def one_text(phone: str, news: list[list[str]]) -> None:
    """One phone's text."""
    await send_text(phone, news)


class _Dbos(Peer):
    def __init__(self, pool: int) -> None:
        self._gate = asyncio.Semaphore(min(pool, _STARTS_AT_ONCE))
        self._cases: list[Any] = []
        self._others: list[Any] = []
        self._to_accept = 0
        self._told = 0

    async def begin_cases(self, raws: Sequence[str], stage: Stage) -> None:
        if stage is Stage.COMPLETION:
            await asyncio.gather(*(self._tell(raw) for raw in raws))
        else:
            self._cases += await asyncio.gather(*(self._start(_case_no(raw), one_case, raw) for raw in raws))
            self._to_accept += len(raws)

    async def begin_reports(self, batches: Sequence[Sequence[str]]) -> None:
        self._others += [await DBOS.start_workflow_async(one_batch, list(raws)) for raws in batches]

    async def begin_texts(self, texts: Sequence[tuple[str, list[list[str]]]]) -> None:
        self._others += [await DBOS.start_workflow_async(one_text, phone, news) for phone, news in texts]

    async def finished(self) -> None:
        while self._to_accept:
            await _accepted.get()
            self._to_accept -= 1
        if self._told == len(self._cases):
            await asyncio.gather(*(handle.get_result() for handle in self._cases))
        await asyncio.gather(*(handle.get_result() for handle in self._others))
        self._others.clear()

    async def _start(self, identity: str, workflow: Any, *args: Any) -> Any:
        async with self._gate:
            with SetWorkflowID(identity):
                return await DBOS.start_workflow_async(workflow, *args)

    async def _tell(self, raw: str) -> None:
        async with self._gate:
            await DBOS.send_async(_case_no(raw), raw, _COMPLETION)
        self._told += 1


def _case_no(raw: str) -> str:
    return _errands.read(raw).record.case_no


async def prepare(services: Services, _job: Job) -> None:
    """Its system tables are made, and its threads run."""
    global _errands  # noqa: PLW0603 - a workflow is a module's function
    _errands = Errands(services)
    config: DBOSConfig = {
        "name": "reference-job",
        "system_database_url": os.environ[HOME].replace("postgresql://", "postgresql+psycopg://", 1),
        "sys_db_pool_size": services.settings.pool_size,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()


async def work(services: Services, job: Job, clock: Clock) -> dict[str, float]:
    """The job."""
    await drive(services, job, clock, _errands, _Dbos(services.settings.pool_size))
    return {}


async def beside(_services: Services) -> dict[str, Any]:
    """It ends."""
    await asyncio.to_thread(DBOS.destroy)
    return {}


async def afterwards(_services: Services, _clock: Clock) -> dict[str, Any]:
    """Nothing follows."""
    return {}
