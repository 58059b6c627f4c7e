"""``python -m benchmarks.moment``: how long it takes from publication to the first moment.

A running dispatcher, light simulators, cases published one by one by the platform simulator's control
route. Everything is timed at the simulators: *publication* just before the case is handed to the
platform, *push accepted* when the platform stored it, *text accepted* when the gateway stored it.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from adapters.stack.postgres import Cluster
from benchmarks.database import Databases
from benchmarks.job import ACCEPTED, Job, make_job
from benchmarks.outside import used
from benchmarks.standing import Standing, settle_in, standing
from models.ledger.keyring import create_keyring

_PATIENCE_S = 120
_IDLE_S = 12.0
"""Longer than a full round's interval."""
_TARGETS_S = {"rest": 1.0, "10 a second": 2.0}


@dataclass(frozen=True, slots=True)
class Phase:
    """``cases`` published at ``per_s`` on average, at odd moments; 0: all at once."""

    name: str
    cases: int
    per_s: float


PHASES = (
    Phase("rest", 40, 0.5),
    Phase("5 a second", 150, 5),
    Phase("10 a second", 400, 10),
    Phase("burst of 500", 500, 0),
)


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
    cases = max(phase.cases for phase in phases)
    work = folder / "moment"
    made = make_job(work / "world", cases=cases, seed=seed, city_dir=city_dir)
    records = without_feed(made)
    keys = work / "keys.json"
    if not keys.exists():
        create_keyring(keys)
    figures = {}
    with Cluster.create_or_open(folder / "pg") as cluster:
        databases = Databases(cluster)
        for number, phase in enumerate(phases):
            tell(f"{phase.name}：{phase.cases} 件")
            with (
                databases.fresh("bench_moment") as url,
                standing(work / f"{number}", made, url, keys) as stands,
            ):
                figures[phase.name] = _phase(stands, made, phase, records[: phase.cases], seed, idle_s)
    return {"targets_s": _TARGETS_S, "cores": os.cpu_count(), "phases": figures}


def without_feed(job: Job) -> list[dict[str, Any]]:
    """The acceptances of the job, which its feed does not say any more by itself."""
    feed = job.folder / "feed_cases.jsonl"
    lines = feed.read_bytes().splitlines()[: job.cases]
    feed.unlink()
    return [json.loads(line)["record"] for line in lines]


def _phase(
    stands: Standing, job: Job, phase: Phase, records: Sequence[dict[str, Any]], seed: str, idle_s: float
) -> dict[str, Any]:
    asyncio.run(settle_in(stands, job, now=ACCEPTED, rate=1))
    stands.start_worker()
    feeds = "SELECT count(*) FROM watermarks"
    assert stands.wait(lambda: stands.rows(feeds) == [(3,)], seconds=_PATIENCE_S), "the worker does not work"
    time.sleep(1)
    load = os.getloadavg()[0]
    idle = _idle(stands, idle_s)
    published = _publish(stands, phase, records, seed)
    pushed = "SELECT count(*) FROM effects WHERE channel = 'push' AND state <> 'accepted'"
    waiting = "SELECT count(*) FROM inbox WHERE outcome = 'waiting'"
    expected = "SELECT count(DISTINCT case_id) FROM effects WHERE channel = 'push'"
    stands.wait(
        lambda: stands.rows(f"SELECT ({pushed}), ({waiting}), ({expected})") == [(0, 0, len(records))],
        seconds=_PATIENCE_S,
    )
    texts = "SELECT count(*) FROM effects WHERE channel = 'sms' AND state = 'planned'"
    stands.wait(lambda: stands.rows(texts) == [(0,)], seconds=_PATIENCE_S)
    time.sleep(1)
    stands.stop_workers()
    return {
        "cases": len(records),
        "load_average": [load, os.getloadavg()[0]],
        "idle": idle,
        **_figures(stands, published),
    }


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
    stands: Standing, phase: Phase, records: Sequence[dict[str, Any]], seed: str
) -> dict[str, datetime]:
    """Hand the cases to the platform; case number → the moment before it had it."""
    draw = random.Random(f"{seed}|{phase.name}")  # noqa: S311 - seeded on purpose
    published = {}
    if not phase.per_s:
        now = datetime.now(UTC)
        stands.tell("platform", "publish", {"feed": "cases", "records": list(records)})
        return dict.fromkeys((record["case_no"] for record in records), now)
    begun = time.monotonic()
    for number, record in enumerate(records):
        left = begun + (number + draw.random()) / phase.per_s - time.monotonic()
        if left > 0:
            time.sleep(left)
        published[record["case_no"]] = datetime.now(UTC)
        stands.tell("platform", "publish", {"feed": "cases", "records": [record]})
    return published


def _figures(stands: Standing, published: Mapping[str, datetime]) -> dict[str, Any]:
    pushes = {line["own_id"]: line for line in stands.held("platform") if line["kind"] == "push"}
    waits = [_at(line) - published[line["case_no"]].timestamp() for line in pushes.values()]
    return {
        "published_to_push_s": _spread(waits),
        "push_to_first_text_s": _spread(list(_first_texts(stands, pushes))),
        "pushed": len({line["case_no"] for line in pushes.values()}),
    }


def _first_texts(stands: Standing, pushes: Mapping[str, Mapping[str, Any]]) -> Iterator[float]:
    """For each text, from the push it tells of first. Nobody had a text before: the window is longer."""
    told = dict(
        stands.rows(
            "SELECT t.reference, array_agg(n.push_own_id) FROM sms_texts t"
            " JOIN sms_news n ON n.sms_own_id = t.own_id GROUP BY t.reference"
        )
    )
    for line in stands.held("sms"):
        text = line["content"]["content"]
        for reference, own_ids in told.items():
            if reference in text:
                yield _at(line) - min(_at(pushes[own_id]) for own_id in own_ids)


def _at(line: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(line["machine_at"]).timestamp()


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {
        "n": len(seconds),
        "p50": round(cuts[49], 3),
        "p95": round(cuts[94], 3),
        "p99": round(cuts[98], 3),
        "max": round(max(seconds), 3),
    }


def show(made: Mapping[str, Any], console: Console) -> None:
    """The figures as a table."""
    table = Table(title="第一时间（秒）")
    for column in (
        "",
        "件",
        "发布→推送成功 p50",
        "p95",
        "p99",
        "最大",
        "推送成功→首条短信 p50",
        "p95",
        "最大",
        "条",
        "负载",
    ):
        table.add_column(column, justify="left" if not column else "right")
    for name, figures in made["phases"].items():
        push, text = figures["published_to_push_s"], figures["push_to_first_text_s"]
        table.add_row(
            name,
            str(figures["cases"]),
            *(f"{push[cut]:.2f}" for cut in ("p50", "p95", "p99", "max")),
            *(f"{text[cut]:.2f}" for cut in ("p50", "p95", "max")),
            str(text["n"]),
            "{:.1f}".format(max(figures["load_average"])),
        )
    console.print(table)
    idle = next(iter(made["phases"].values()))["idle"]
    console.print(
        f"空闲时：分发进程占一个核的 {idle['worker_cpu_share']:.1%}，"
        f"台账每秒 {idle['transactions_per_s']:.0f} 个事务",
        markup=False,
        highlight=False,
    )


def main() -> int:
    """0 when every target is met, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.moment", description="从发布到第一时间推送、短信"
    )
    parser.add_argument("--seed", default="20260701", help="种子")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="结果目录")
    parser.add_argument("--city-dir", type=Path, default=Path("config/yiyang"), help="城市配置目录")
    parser.add_argument("--phase", action="append", choices=[phase.name for phase in PHASES], help="只测这些")
    given = parser.parse_args()
    err = Console(stderr=True)
    made = measure(
        given.out,
        [phase for phase in PHASES if not given.phase or phase.name in given.phase],
        seed=given.seed,
        city_dir=given.city_dir,
        tell=lambda line: err.print(line, markup=False, highlight=False),
    )
    path = given.out / "moment.json"
    path.write_text(json.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    show(made, Console(width=None if sys.stdout.isatty() else 160))
    missed = [
        name
        for name, most in _TARGETS_S.items()
        if name in made["phases"] and made["phases"][name]["published_to_push_s"]["p95"] > most
    ]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
