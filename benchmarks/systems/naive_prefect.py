"""The naive Prefect idiom: one flow run a case, one task a call, all gathered in one process."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from prefect import flow, task
from prefect.client.base import PrefectHttpxAsyncClient

from benchmarks.job import Job
from benchmarks.systems.clock import Clock
from benchmarks.systems.errands import Errands, Peer, drive
from benchmarks.systems.told import ToldCase
from models.domain.bodies import Stage
from tasks.composition import Services
from tasks.engine.end import say_the_rest

_LANDING_S = 3.0  # the server writes task runs and events in groups, a second or two later
_asked = 0
_errands: Errands
_completed: dict[str, asyncio.Future[str]] = {}
_accepted: asyncio.Queue[str] = asyncio.Queue()


@task
async def look_up(told: ToldCase) -> str:
    """The look-up at the door."""
    return await _errands.look_up(told)


@task
async def push(told: ToldCase) -> str | None:
    """One push."""
    return await _errands.push(told)


@task
async def report(raws: Sequence[str]) -> list[str | None]:
    """One batch of reports."""
    return await _errands.report(raws)


@task
async def send_text(phone: str, news: list[list[str]]) -> str:
    """One text."""
    return await _errands.text(phone, news)


@flow
async def one_case(case_no: str, raw: str) -> None:
    """A case from its acceptance to its completion, which it waits for in memory."""
    told = _errands.read(raw)
    await look_up(told)
    await push(told)
    _accepted.put_nowait(case_no)
    await push(_errands.read(await _completed[case_no]))


@flow
async def one_batch(raws: list[str]) -> None:
    """A batch of reports."""
    await report(raws)


@flow
async def texts(folded: list[tuple[str, list[list[str]]]]) -> None:
    """The texts of one window."""
    await asyncio.gather(*(send_text(phone, news) for phone, news in folded))


class _Prefect(Peer):
    def __init__(self) -> None:
        self._cases: list[asyncio.Task[Any]] = []
        self._others: list[asyncio.Task[Any]] = []
        self._to_accept = 0

    async def begin_cases(self, raws: Sequence[str], stage: Stage) -> None:
        for raw in raws:
            case_no = _errands.read(raw).record.case_no
            if stage is Stage.COMPLETION:
                _completed[case_no].set_result(raw)
            else:
                _completed[case_no] = asyncio.get_running_loop().create_future()
                self._cases.append(_begun(one_case(case_no, raw)))
                self._to_accept += 1

    async def begin_reports(self, batches: Sequence[Sequence[str]]) -> None:
        self._others += [_begun(one_batch(list(raws))) for raws in batches]

    async def begin_texts(self, texts_: Sequence[tuple[str, list[list[str]]]]) -> None:
        self._others.append(_begun(texts(list(texts_))))

    async def finished(self) -> None:
        while self._to_accept:
            await _accepted.get()
            self._to_accept -= 1
        if all(told.done() for told in _completed.values()):
            await asyncio.gather(*self._cases)
        await asyncio.gather(*self._others)
        self._others.clear()


def _begun(run: Awaitable[Any]) -> asyncio.Task[Any]:
    async def awaited() -> Any:
        return await run

    return asyncio.create_task(awaited())


async def prepare(services: Services, _job: Job) -> None:
    """Its client counts what it asks of the server."""
    global _errands  # noqa: PLW0603 - a flow is a module's function
    _errands = Errands(services)
    send = PrefectHttpxAsyncClient.send

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        global _asked  # noqa: PLW0603 - as above
        _asked += 1
        return await send(self, *args, **kwargs)

    PrefectHttpxAsyncClient.send = counted  # type: ignore[method-assign]


async def work(services: Services, job: Job, clock: Clock) -> dict[str, float]:
    """The job; a case's flow run begins with its acceptance and ends with its completion."""
    await drive(services, job, clock, _errands, _Prefect())
    return {}


async def beside(_services: Services) -> dict[str, Any]:
    """Events its client still holds are sent, and the server has a moment to write them."""
    await asyncio.to_thread(say_the_rest)
    await asyncio.sleep(_LANDING_S)
    return {"prefect_calls": _asked}


async def afterwards(_services: Services, _clock: Clock) -> dict[str, Any]:
    """Nothing follows."""
    return {}
