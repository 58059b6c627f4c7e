"""This project with the mirror on: the plain steps, and beside them every case as a run in Prefect."""

import asyncio
import time
from typing import Any

from benchmarks.job import Job
from benchmarks.systems import ours
from benchmarks.systems.clock import Clock
from benchmarks.systems.ours import afterwards, prepare
from tasks.composition import Services
from tasks.showing import Mirroring

__all__ = ["afterwards", "beside", "prepare", "work"]

_PATIENCE_S = 900.0
_running: list[tuple[asyncio.Event, asyncio.Task[None]]] = []


async def work(services: Services, job: Job, clock: Clock) -> dict[str, float]:
    """As without it; the mirror runs beside the work, as the dispatcher has it, and goes on afterwards."""
    stop = asyncio.Event()
    _running.append((stop, asyncio.create_task(Mirroring(services).keep_showing(stop))))
    return await ours.work(services, job, clock)


async def beside(services: Services) -> dict[str, Any]:
    """How long the mirror needs after the work until every case shows where it stands."""
    begun = time.perf_counter()
    stop, showing = _running.pop()
    stop.set()  # the pass it is in comes to its end
    await showing
    mirroring = Mirroring(services)
    shown = await mirroring.show()
    while shown is not None and shown.reachable and shown.behind:
        assert time.perf_counter() - begun < _PATIENCE_S, "the mirror does not catch up"
        shown = await mirroring.show()
    assert shown is not None, "there is no Prefect to show the cases in"
    assert shown.reachable, "Prefect has gone away"
    return {"catch_up_s": time.perf_counter() - begun}
