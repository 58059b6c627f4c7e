"""This project with the mirror on: beside the dispatcher's lanes every case becomes a run in Prefect."""

import time
from typing import Any

from benchmarks.systems import ours
from benchmarks.systems.ours import afterwards, prepare, work
from tasks.composition import Services
from tasks.mirror.showing import Mirroring

__all__ = ["afterwards", "beside", "prepare", "work"]

_PATIENCE_S = 900.0


async def beside(services: Services) -> dict[str, Any]:
    """How long the mirror needs after the work until every case shows where it stands."""
    begun = time.perf_counter()
    other = await ours.beside(services)  # the pass it is in comes to its end
    mirroring = Mirroring(services)
    shown = await mirroring.show()
    while shown is not None and shown.reachable and shown.behind:
        assert time.perf_counter() - begun < _PATIENCE_S, "the mirror does not catch up"
        shown = await mirroring.show()
    assert shown is not None, "there is no Prefect to show the cases in"
    assert shown.reachable, "Prefect has gone away"
    return {**other, "catch_up_s": time.perf_counter() - begun}
