"""``python -m benchmarks.workers``: 1, 2 and 4 workers on one ledger, before a platform that takes its time.

A test of contention: every push waits 50 ms for its answer and each worker has eight in flight, so that
one worker alone sends 160 a second at most, and more workers are more pushes only as far as they share the
ledger without standing in each other's way. Counted at the simulator: pushes a second, what it got twice,
and how many came in any one second where a limit is set.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from adapters.stack.postgres import Cluster
from benchmarks.database import Databases
from benchmarks.job import ACCEPTED, Job, make_job
from benchmarks.moment import without_feed
from benchmarks.outside import used
from benchmarks.standing import Standing, settle_in, standing
from models.ledger.keyring import create_keyring
from tasks import steps
from tasks.composition import open_services

IN_FLIGHT = 8
TARGETS = {2: 1.8, 4: 3.2}
_PATIENCE_S = 300
_LEAST_S = 1.0
"""A shorter time in which all are at work says nothing; then the whole run is timed."""
_BATCH = "50"
"""Smaller than by default, so that the last batches do not lie with one worker while others have nothing."""


def measure(
    folder: Path,
    *,
    pushes: int,
    workers: Sequence[int],
    latency_s: float,
    limit: Mapping[str, float] | None,
    seed: str,
    city_dir: Path,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """The figures by number of workers; with ``limit`` (``per_s``, ``in_flight``) those of the last one."""
    work = folder / "workers"
    job = make_job(work / "world", cases=pushes, seed=seed, city_dir=city_dir)
    records = without_feed(job)
    keys = work / "keys.json"
    if not keys.exists():
        create_keyring(keys)
    rows: dict[str, Any] = {}
    plan: list[tuple[str, int, str]] = [(str(number), number, "") for number in workers]
    if limit:
        said = f"platform={limit['per_s']:g}/s,{limit['in_flight']:g}并发"
        plan.append(("limited", max(workers), said))
    with Cluster.create_or_open(folder / "pg") as cluster:
        databases = Databases(cluster)
        for name, number, limits in plan:
            tell(f"{number} 个进程，每个 {IN_FLIGHT} 个并发{'，上限 ' + limits if limits else ''}")
            some = records if not limits else records[: len(records) // 4]
            with (
                databases.fresh("bench_workers") as url,
                standing(work / name, job, url, keys) as stands,
            ):
                rows[name] = _run(stands, job, some, number, limits, latency_s, databases)
    made = {
        "latency_s": latency_s,
        "in_flight": IN_FLIGHT,
        "cores": os.cpu_count(),
        "targets": {str(number): ratio for number, ratio in TARGETS.items()},
        "runs": rows,
        "limit": dict(limit) if limit else None,
    }
    alone = rows.get("1")
    if alone:
        made["ratios"] = {
            name: round(row["pushes_per_s"] / alone["pushes_per_s"], 2)
            for name, row in rows.items()
            if name.isdigit() and name != "1"
        }
    return made


def _run(
    stands: Standing,
    job: Job,
    records: Sequence[dict[str, Any]],
    workers: int,
    limits: str,
    latency_s: float,
    databases: Databases,
) -> dict[str, Any]:
    asyncio.run(settle_in(stands, job, now=ACCEPTED, rate=0))
    stands.tell("platform", "publish", {"feed": "cases", "records": list(records)})
    asyncio.run(_admit(stands))
    slow = {
        "match": {"method": "POST", "path_regex": "^/v1/pushes"},
        "do": {"kind": "late", "seconds": latency_s},
    }
    stands.tell("platform", "faults", [slow])
    for _ in range(workers):
        stands.start_worker(
            SHENGUAN_CALLS_IN_FLIGHT=str(IN_FLIGHT),
            SHENGUAN_BATCH_SIZE=_BATCH,
            SHENGUAN_CALL_LIMITS=limits,
        )
    begun = time.monotonic()
    before = {**stands.world.cpu_s(), "postgresql": databases.cpu_s()}
    left = "SELECT count(*) FROM effects WHERE channel = 'push' AND state <> 'accepted'"
    finished = stands.wait(lambda: stands.rows(left) == [(0,)], seconds=_PATIENCE_S)
    seconds = time.monotonic() - begun
    shares = [used(psutil.Process(worker.pid)) for worker in stands.workers]
    after = {**stands.world.cpu_s(), "postgresql": databases.cpu_s()}
    load = os.getloadavg()[0]
    stands.stop_workers()
    by_worker = stands.rows(
        "SELECT a.worker, count(*) FROM effect_attempts a JOIN effects e USING (own_id)"
        " WHERE e.channel = 'push' GROUP BY 1"
    )
    return {
        "finished": finished,
        "workers": workers,
        "limits": limits,
        **_seen(stands, latency_s, *_all_at_work(stands)),
        "pushes_by_worker": sorted((count for _, count in by_worker), reverse=True),
        "tried_twice": stands.rows("SELECT count(*) FROM effects WHERE channel = 'push' AND attempts > 1")[0][
            0
        ],
        "cpu_s": {"workers": round(sum(shares), 2)}
        | {name: round(after[name] - before[name], 2) for name in ("postgresql", "platform")},
        "cores_busy": round((sum(shares) + sum(after[n] - before[n] for n in before)) / seconds, 2),
        "load_average": load,
    }


async def _admit(stands: Standing) -> None:
    """Everything up to the pushes is done before anybody is timed."""
    async with open_services(stands.settings()) as services:
        for step in (steps.take_in_cases, steps.admit_cases, steps.check_parties):
            await step(services)


def _all_at_work(stands: Standing) -> tuple[float, float]:
    """From when the last worker has begun until the first one has nothing more to do."""
    ((begun, ended),) = stands.rows(
        "SELECT extract(epoch FROM max(begun))::float8, extract(epoch FROM min(ended))::float8 FROM ("
        " SELECT min(a.started_at) AS begun, max(a.finished_at) AS ended"
        " FROM effect_attempts a JOIN effects e USING (own_id) WHERE e.channel = 'push' GROUP BY a.worker) w"
    )
    return begun, ended


def _seen(stands: Standing, latency_s: float, begun: float, ended: float) -> dict[str, Any]:
    """What the platform saw: its rate while all were at work, the most in a second, what came twice."""
    held = [line for line in stands.held("platform") if line["kind"] == "push"]
    log = stands.world.folder / "platform.log.jsonl"
    repeats = sum(json.loads(line).get("outcome") == "repeat" for line in log.read_bytes().splitlines())
    times = sorted(datetime.fromisoformat(line["machine_at"]).timestamp() for line in held)
    if ended - begun < _LEAST_S:
        begun, ended = times[0], times[-1]
    middle = [at for at in times if begun <= at <= ended]
    keys = Counter((line["business_key"], line["content_version"]) for line in held)
    ids = Counter(line["own_id"] for line in held)
    return {
        "pushes": len(held),
        "timed_s": round(ended - begun, 2),
        "pushes_per_s": round(len(middle) / (ended - begun), 1),
        "doubled": sum(n - 1 for n in keys.values()) + sum(n - 1 for n in ids.values()),
        "repeated": repeats,
        "most_in_a_second": _most(times, 1.0),
        "most_at_once": _most(times, latency_s),
    }


def _most(times: Sequence[float], window_s: float) -> int:
    """The most of these moments in any window of this length (the end not in it)."""
    most = begin = 0
    for end, at in enumerate(times):
        while times[begin] <= at - window_s:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def show(made: Mapping[str, Any], console: Console) -> None:
    """The figures as a table."""
    table = Table(
        title=f"同一台账上的多个进程：每次推送 {made['latency_s'] * 1000:.0f} 毫秒，每进程 {IN_FLIGHT} 个并发"
    )
    columns = (
        "进程",
        "推送/秒",
        "倍数",
        "重复存入",
        "一秒内最多",
        "同时最多",
        "各进程推送数",
        "占用核数",
        "负载",
    )
    for column in columns:
        table.add_column(column, justify="right")
    for name, row in made["runs"].items():
        table.add_row(
            f"{row['workers']}" + (f"（{row['limits']}）" if row["limits"] else ""),
            f"{row['pushes_per_s']:.0f}",
            f"{made['ratios'][name]:.2f}" if name in made.get("ratios", {}) else "",
            str(row["doubled"]),
            str(row["most_in_a_second"]),
            str(row["most_at_once"]),
            "、".join(map(str, row["pushes_by_worker"])),
            f"{row['cores_busy']:.1f}",
            f"{row['load_average']:.1f}",
        )
    console.print(table)


def missed(made: Mapping[str, Any]) -> list[str]:
    """What was promised and is not so, in Chinese; nothing where all is well."""
    found = [f"{name}：有 {row['doubled']} 项重复" for name, row in made["runs"].items() if row["doubled"]]
    found += [f"{name}：未在时限内完成" for name, row in made["runs"].items() if not row["finished"]]
    for number, ratio in TARGETS.items():
        measured = made.get("ratios", {}).get(str(number))
        if measured is not None and measured < ratio:
            found.append(f"{number} 个进程为 {measured:.2f} 倍，目标 {ratio}")
    limited = made["runs"].get("limited")
    if limited and limited["most_in_a_second"] > made["limit"]["per_s"]:
        found.append(f"上限 {made['limit']['per_s']}/秒，测得 {limited['most_in_a_second']}")
    if limited and limited["most_at_once"] > made["limit"]["in_flight"]:
        found.append(f"并发上限 {made['limit']['in_flight']}，测得 {limited['most_at_once']}")
    return found


def main() -> int:
    """0 when all targets are met, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description="多个进程共用一个台账")
    parser.add_argument("--pushes", type=int, default=2400, help="推送数")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="进程数")
    parser.add_argument("--latency-ms", type=float, default=50, help="平台每次推送的延迟")
    parser.add_argument("--per-s", type=float, default=60, help="限速时每秒次数")
    parser.add_argument("--at-once", type=int, default=24, help="限速时的并发")
    parser.add_argument("--seed", default="20260701", help="种子")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="结果目录")
    parser.add_argument("--city-dir", type=Path, default=Path("config/yiyang"), help="城市配置目录")
    given = parser.parse_args()
    err = Console(stderr=True)
    made = measure(
        given.out,
        pushes=given.pushes,
        workers=given.workers,
        latency_s=given.latency_ms / 1000,
        limit={"per_s": given.per_s, "in_flight": given.at_once},
        seed=given.seed,
        city_dir=given.city_dir,
        tell=lambda line: err.print(line, markup=False, highlight=False),
    )
    path = given.out / "workers.json"
    path.write_text(json.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    show(made, Console(width=None if sys.stdout.isatty() else 160))
    for line in missed(made):
        err.print(f"未达到：{line}", markup=False, highlight=False)
    return 1 if missed(made) else 0


if __name__ == "__main__":
    sys.exit(main())
