"""How long it takes from publication to the first moment, phase by phase.

A running dispatcher, light simulators, cases published by the platform simulator's control route. Where a
phase has Prefect, everything of it is there as it stands for good: server, deployments with their
schedules, a worker, the mirror.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from adapters.stack.postgres import Cluster
from benchmarks.database import Databases
from benchmarks.job import ACCEPTED, Job, make_job
from benchmarks.moment_figures import figures
from benchmarks.outside import used
from benchmarks.prefect_home import PrefectHome, make_prefect_template, prefect_home
from benchmarks.standing import NotMeasured, Standing, settle_in, standing, until
from models.ledger.keyring import create_keyring

_PATIENCE_S = 300
_CATCH_UP_S = 900
"""A machine that does ten other things shows five cases a second."""
_IDLE_S = 12.0
"""Longer than a full round's interval."""
_WARM = 3
"""Cases that are pushed and shown before a phase is timed."""

_FEEDS = "SELECT count(*) FROM watermarks"
_PUSHED = "SELECT count(DISTINCT case_id) FROM effects WHERE channel = 'push'"
_LEFT = (
    "SELECT (SELECT count(*) FROM effects WHERE channel = 'push' AND state <> 'accepted'),"
    " (SELECT count(*) FROM inbox WHERE outcome = 'waiting'),"
    " (SELECT count(*) FROM effects WHERE channel = 'sms' AND state = 'planned')"
)
_SHOWN = "SELECT count(flow_run_id), count(dirty_since) FROM mirror"

Engine = Literal["none", "up", "stopped"]


@dataclass(frozen=True, slots=True)
class Phase:
    """``cases`` published at ``per_s`` on average, at odd moments; 0: all at once.

    ``prefect`` is there, or there and then stopped while cases are published, or not there at all.
    95 of 100 pushes, and first texts, are to be accepted within ``promised_s``.
    """

    name: str
    cases: int
    per_s: float
    prefect: Engine = "none"
    promised_s: float | None = None


def measure(
    folder: Path,
    phases: Sequence[Phase],
    *,
    seed: str,
    city_dir: Path,
    tell: Callable[[str], None],
    idle_s: float = _IDLE_S,
) -> dict[str, Any]:
    """Each phase on a fresh ledger and fresh simulators, so that each liaison's first text is one."""
    cases = max(phase.cases for phase in phases) + _WARM
    work = folder / "moment"
    made = make_job(work / "world", cases=cases, seed=seed, city_dir=city_dir)
    records = without_feed(made)
    keys = work / "keys.json"
    if not keys.exists():
        create_keyring(keys)
    measured = {}
    with Cluster.create_or_open(folder / "pg") as cluster:
        databases = Databases(cluster)
        if any(phase.prefect != "none" for phase in phases):
            make_prefect_template(work / "prefect", databases)
        for number, phase in enumerate(phases):
            tell(f"{phase.name}：{phase.cases} 件")
            with (
                databases.fresh("bench_moment") as url,
                standing(work / f"{number}", made, url, keys) as stands,
                _prefect(work / "prefect", databases, phase.prefect) as home,
            ):
                measured[phase.name] = _phase(stands, made, phase, records, seed, idle_s, home)
    return {"cores": os.cpu_count(), "phases": measured}


def without_feed(job: Job) -> list[dict[str, Any]]:
    """The acceptances of the job, which its feed does not say any more by itself."""
    feed = job.folder / "feed_cases.jsonl"
    lines = feed.read_bytes().splitlines()[: job.cases]
    feed.unlink()
    return [json.loads(line)["record"] for line in lines]


@contextmanager
def _prefect(folder: Path, databases: Databases, engine: Engine) -> Iterator[PrefectHome | None]:
    if engine == "none":
        yield None
        return
    with prefect_home(folder, databases) as home:
        yield home


def _phase(
    stands: Standing,
    job: Job,
    phase: Phase,
    records: Sequence[dict[str, Any]],
    seed: str,
    idle_s: float,
    home: PrefectHome | None,
) -> dict[str, Any]:
    asyncio.run(settle_in(stands, job, now=ACCEPTED, rate=1))
    stands.start_worker(**(home.server.client_environment() if home else {}))
    _await(stands, lambda: stands.rows(_FEEDS) == [(3,)], "分发进程没有开始工作")
    if home is not None:
        home.work(stands.environment)
    warm, timed = records[:_WARM], records[_WARM : _WARM + phase.cases]
    _publish(stands, warm, per_s=0, draw=random.Random(seed))  # noqa: S311 - seeded on purpose
    _await(stands, lambda: _done(stands, _WARM), "试投的办件没有办完")
    engine = _Engine(stands, home)
    engine.ready(stop=phase.prefect == "stopped")
    idle = _idle(stands, idle_s)
    load = os.getloadavg()[0]
    draw = random.Random(f"{seed}|{phase.name}")  # noqa: S311 - seeded on purpose
    begun = time.monotonic()
    _publish(stands, timed, per_s=phase.per_s, draw=draw)
    seconds = time.monotonic() - begun
    _await(stands, lambda: _done(stands, _WARM + len(timed)), "办件没有办完")
    load = max(load, os.getloadavg()[0])
    after = engine.afterwards(_WARM + len(timed))
    stands.stop_workers()
    return {
        "cases": len(timed),
        "published_in_s": round(seconds, 1),
        "promised_s": phase.promised_s,
        "load_average": round(load, 1),
        "idle": idle,
        "prefect": {"engine": phase.prefect, **after},
        **figures(stands, {record["case_no"] for record in timed}),
    }


class _Engine:
    """Prefect during a phase: whether it answers when the phase begins and when it ends."""

    def __init__(self, stands: Standing, home: PrefectHome | None) -> None:
        self._stands = stands
        self._home = home
        self._answered = False

    def ready(self, *, stop: bool) -> None:
        """The mirror is known to work; then the server is stopped, where it should be."""
        if self._home is None:
            return
        _await(self._stands, lambda: self._shown() == (_WARM, 0), "镜像没有开始工作")
        if stop:
            self._home.stop_server()
        self._answered = self._home.answers()
        if self._answered == stop:
            raise NotMeasured("Prefect 没有停下" if stop else "Prefect 没有应答")

    def afterwards(self, cases: int) -> dict[str, Any]:
        """What was so all the while, and how long until all cases are shown."""
        if self._home is None:
            return {}
        shown, behind = self._shown()
        if self._home.answers() != self._answered:
            raise NotMeasured("Prefect 在计时期间停了或又起来了")
        if not self._answered:
            self._home.start_server()
        begun = time.monotonic()
        until(lambda: self._shown() == (cases, 0), seconds=_CATCH_UP_S, otherwise="镜像没有追上")
        return {
            "answered": self._answered,
            "shown_before": _WARM,
            "shown_at_the_end": shown,
            "behind_at_the_end": behind,
            "caught_up_s": round(time.monotonic() - begun, 1),
        }

    def _shown(self) -> tuple[int, int]:
        ((shown, behind),) = self._stands.rows(_SHOWN)
        return shown, behind


def _done(stands: Standing, cases: int) -> bool:
    return stands.rows(f"SELECT ({_PUSHED}), left_.* FROM ({_LEFT}) left_") == [(cases, 0, 0, 0)]  # noqa: S608 - our own words


def _await(stands: Standing, come: Callable[[], bool], otherwise: str) -> None:
    until(come, seconds=_PATIENCE_S, otherwise=f"{otherwise}，日志在 {stands.folder}")


def _idle(stands: Standing, seconds: float) -> dict[str, float]:
    """What the worker uses at rest: its share of a core, and the ledger's transactions a second."""
    process = psutil.Process(stands.workers[0].pid)
    activity = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    (before,), cpu, begun = stands.rows(activity)[0], used(process), time.monotonic()
    time.sleep(seconds)
    seconds = time.monotonic() - begun
    (after,) = stands.rows(activity)[0]
    return {
        "worker_cpu_share": round((used(process) - cpu) / seconds, 3),
        "transactions_per_s": round((after - before) / seconds, 1),
    }


def _publish(
    stands: Standing, records: Sequence[dict[str, Any]], *, per_s: float, draw: random.Random
) -> None:
    """Hand the cases to the platform, each at its moment or all at once."""
    if not per_s:
        stands.tell("platform", "publish", {"feed": "cases", "records": list(records)})
        return
    begun = time.monotonic()
    for number, record in enumerate(records):
        left = begun + (number + draw.random()) / per_s - time.monotonic()
        if left > 0:
            time.sleep(left)
        stands.tell("platform", "publish", {"feed": "cases", "records": [record]})
