"""One system does the job once: ``python -m benchmarks.systems.run ours JOB_FOLDER CASES``.

Settings come from the environment, as for any process of ours. The last line of standard output is
what was measured, as JSON.
"""

import asyncio
import importlib
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from adapters.prefect_api import wire
from adapters.transport import Transport
from benchmarks.job import Job
from benchmarks.outside import SYSTEMS as OUTSIDE
from benchmarks.systems import SYSTEMS
from benchmarks.systems.clock import Clock
from config.logging import configure_logging
from tasks import composition
from tasks.dispatcher import settle_memory

PREFECT = "prefect"
calls_made: Counter[str] = Counter()
_KIB = 1024


async def main(name: str, folder: Path, cases: int) -> dict[str, Any]:
    """What doing the job once took."""
    system = importlib.import_module(SYSTEMS[name].module)
    urls = tuple(os.environ[f"SHENGUAN_{each.upper()}_URL"] for each in OUTSIDE)
    clock = Clock(urls, os.environ.pop("BENCH_CONTROL"))
    job = Job(folder, cases)
    async with composition.open_services() as services:
        await system.prepare(services, job)
        calls_made.clear()
        settle_memory()  # as our dispatcher does; the same for everybody
        _tell("ready")
        sys.stdin.readline()  # the other side notes where everybody stands
        begun, used = time.perf_counter(), time.process_time()
        parts = await system.work(services, job, clock)
        seconds = time.perf_counter() - begun
        beside = await system.beside(services)
        cpu_s = time.process_time() - used
        peak = peak_rss()
        if other := beside.pop("other", None):
            calls_made.update(other["calls"])
            cpu_s += other["cpu_s"]
            peak += other["peak_rss"]
        calls = {target: count for target, count in calls_made.items() if target != PREFECT}
    # Sessions report to the statistics when they end.
    _tell("done")
    sys.stdin.readline()
    async with composition.open_services() as services:
        after = await system.afterwards(services, clock)
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "peak_rss": peak,
        "calls": calls,
        "prefect_calls": calls_made[PREFECT],
        "parts_s": parts,
        **beside,
        "after": after,
    }


def peak_rss() -> int:
    """Bytes; getrusage would tell the peak of whoever started us, if that was higher."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * _KIB


def _tell(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


class Counted(Transport):
    """Counts what leaves, by target."""

    async def call(self, *args: Any, **kwargs: Any) -> Any:
        """As the transport's."""
        calls_made[self.target] += 1
        return await super().call(*args, **kwargs)


def count_calls() -> None:
    """From now on what leaves this process is counted."""
    composition.Transport = Counted  # type: ignore[attr-defined]
    wire.Transport = Counted  # type: ignore[attr-defined]


if __name__ == "__main__":
    count_calls()
    configure_logging(level="warning", form="json")
    _tell(json.dumps(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))))
