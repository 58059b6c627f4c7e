"""``python -m benchmarks.growth``: what a case costs, and what a worker holds, as the ledger grows.

Real cases go through the real loop until they are settled and are multiplied in the database; then as many
new cases go through the loop beside them, at each size. Buffers are counted by PostgreSQL.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from adapters.stack.postgres import Cluster
from benchmarks.database import Databases
from benchmarks.filling import MANIFOLD, fill
from benchmarks.job import ACCEPTED, OBSERVED, Job, make_job
from benchmarks.standing import Standing, settle_in, standing
from benchmarks.systems.clock import Clock
from config.logging import configure_logging
from models.ledger.keyring import create_keyring
from models.ledger.queries import clock as ledger_clock
from tasks import steps
from tasks.composition import Services, open_services
from tasks.draining import worked

BUFFERS_WITHIN, TIME_WITHIN, MEMORY_MIB = 0.10, 0.25, 300
_EVIDENCE = {"evidence_leaves", "evidence_positions", "evidence_seals"}
_OF_A_CASE = {*MANIFOLD, *_EVIDENCE, "data_keys"}
BYTES_A_CASE = 12_000
_WAITING = ("inbox", "cases", "handovers", "effects", "effect_bodies", "mirror")
_MIB = 1024 * 1024
_DIGEST = timedelta(minutes=40)
Tell = Callable[[str], None]


def measure(
    folder: Path,
    *,
    sizes: Sequence[int],
    waiting: Sequence[int],
    cases: int,
    rounds: int,
    seed: str,
    city_dir: Path,
    tell: Tell,
    watched_s: float = 20,
) -> dict[str, Any]:
    """The figures at each size and each backlog, the smallest first."""
    work = folder / "growth"
    keys = work / "keys.json"
    work.mkdir(parents=True, exist_ok=True)
    if not keys.exists():
        create_keyring(keys)
    born = cases * (1 + max(1, len(sizes) * rounds))
    job = make_job(work / "world", cases=born, seed=seed, city_dir=city_dir)
    accepted, completed = _records(job)
    made: dict[str, Any] = {"cases": cases, "rounds": rounds, "load_average": os.getloadavg()[0]}
    with Cluster.create_or_open(folder / "pg") as cluster:
        databases = Databases(cluster)
        with databases.fresh("bench_growth") as url, standing(work / "ledger", job, url, keys) as stands:
            superuser = cluster.url("superuser", "bench_growth")
            grows = _Growth(stands, databases, superuser, accepted, completed, cases, rounds, tell)
            made["sizes"] = asyncio.run(grows.run(job, sizes))
        made["waiting"] = {}
        for number in waiting:
            name = f"bench_waiting_{number}"
            with databases.fresh(name) as url, standing(work / name, job, url, keys) as stands:
                tell(f"{number} 件在等")
                asyncio.run(_backlog(stands, job, accepted[:cases]))
                _let_wait(cluster.url("superuser", name), number, cases)
                made["waiting"][str(number)] = _watch(stands, accepted[cases : 2 * cases], watched_s)
    return made


def _records(job: Job) -> tuple[list[Any], list[Any]]:
    feed = job.folder / "feed_cases.jsonl"
    lines = [json.loads(line)["record"] for line in feed.read_bytes().splitlines()]
    feed.unlink()
    return lines[: job.cases], lines[job.cases :]


class _Growth:
    """One ledger that grows from size to size."""

    def __init__(
        self,
        stands: Standing,
        databases: Databases,
        superuser: str,
        accepted: Sequence[Any],
        completed: Sequence[Any],
        cases: int,
        rounds: int,
        tell: Tell,
    ) -> None:
        self._stands, self._databases, self._superuser = stands, databases, superuser
        self._accepted, self._completed = accepted, completed
        self._cases, self._rounds, self._tell = cases, rounds, tell
        urls = tuple(stands.address(system) for system in ("platform", "credit", "sms"))
        self._clock = Clock(urls, stands.world.environment["BENCH_CONTROL"])
        self._gone = 0
        self._day = ACCEPTED

    async def run(self, job: Job, sizes: Sequence[int]) -> dict[str, Any]:
        await settle_in(self._stands, job, now=ACCEPTED, rate=0)
        await self._through()
        figures: dict[str, Any] = {}
        filled = 0
        for size in sizes:
            self._tell(f"台账中 {size} 件")
            ((there,),) = self._stands.rows("SELECT count(*) FROM cases")
            more = max(0, size // there - 1)
            fill(self._superuser, range(filled, filled + more), evidence=True)
            filled += more
            ((there,),) = self._stands.rows("SELECT count(*) FROM cases")
            lie = self._databases.tables("bench_growth")
            rounds = [await self._round() for _ in range(self._rounds)]
            best = min(rounds, key=lambda each: each["seconds_per_case"])
            # asked when nobody counts buffers any more
            assert self._stands.rows("SELECT count(*) FROM cases WHERE state <> 'settled'") == [(0,)]
            figures[str(there)] = best | {
                "ledger_bytes": self._bytes(),
                "bytes_by_table": {
                    name: round(sum(parts.values()) / there)
                    for name, parts in lie.items()
                    if name in _OF_A_CASE
                },
            }
        return figures

    async def _round(self) -> dict[str, Any]:
        before, cpu = self._touched(), self._databases.cpu_s()
        begun, own = time.perf_counter(), time.process_time()
        await self._through()
        seconds, own = time.perf_counter() - begun, time.process_time() - own
        after = self._touched()
        tables = {name: (count - before.get(name, 0)) / self._cases for name, count in after.items()}
        return {
            "buffers_per_case": round(sum(tables.values()), 1),
            "seconds_per_case": seconds / self._cases,
            "cpu_s_per_case": own / self._cases,
            "postgresql_cpu_s_per_case": (self._databases.cpu_s() - cpu) / self._cases,
            "buffers_by_table": {name: round(count, 1) for name, count in tables.items() if count >= 1},
            "load_average": os.getloadavg()[0],
        }

    async def _through(self) -> None:
        """The next cases from their acceptance until they are settled."""
        begin, self._gone = self._gone, self._gone + self._cases
        # However many rounds there were: texts wait for the morning, and what is not told is not settled.
        self._day = (self._day + timedelta(days=1)).replace(hour=ACCEPTED.hour, minute=0)
        async with open_services(self._stands.settings()) as services:
            await self._set(services, self._day)
            for records in (self._accepted, self._completed):
                self._publish(records[begin : self._gone])
                await _until_nothing(services)
            for _ in range(3):
                await self._set(services, self._day + _DIGEST)
                await _until_nothing(services)
            await self._set(services, max(OBSERVED, self._day + timedelta(days=90)))
            await _until_nothing(services)

    def _publish(self, records: Sequence[Any]) -> None:
        self._stands.tell("platform", "publish", {"feed": "cases", "records": list(records)})

    async def _set(self, services: Services, now: datetime) -> None:
        self._day = now
        await asyncio.to_thread(self._clock.set, now)
        async with services.ledger.writing() as conn:
            await ledger_clock.set_clock(conn, business=now, rate=0)  # type: ignore[arg-type]

    def _touched(self) -> dict[str, int]:
        """Buffers of each table with its indexes, in memory or not, by sessions that have ended."""
        time.sleep(0.5)
        with psycopg.connect(self._superuser, autocommit=True) as conn:
            return dict(
                conn.execute(
                    "SELECT coalesce(pg_partition_root(relid), relid)::regclass::text, sum(heap_blks_read"
                    " + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)"
                    " + coalesce(toast_blks_read + toast_blks_hit + tidx_blks_read + tidx_blks_hit, 0)"
                    ")::bigint FROM pg_statio_user_tables GROUP BY 1"
                ).fetchall()
            )

    def _bytes(self) -> int:
        with psycopg.connect(self._superuser) as conn:
            row = conn.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0])


async def _until_nothing(services: Services) -> None:
    while any(worked(counts) for counts in (await steps.everything(services)).values()):
        pass


async def _backlog(stands: Standing, job: Job, records: Sequence[Any]) -> None:
    """A few cases whose pushes are planned and have not left."""
    await settle_in(stands, job, now=ACCEPTED, rate=0)
    stands.tell("platform", "publish", {"feed": "cases", "records": list(records)})
    async with open_services(stands.settings()) as services:
        for step in (steps.take_in_cases, steps.admit_cases, steps.check_parties):
            await step(services)


def _let_wait(superuser: str, number: int, cases: int) -> None:
    """So many cases more of that kind, whose pushes are under a delay of a day."""
    wait = {"not_before": "now() + interval '1 day'"}
    fill(superuser, range(number // cases), tables=_WAITING, values=wait)


def _watch(stands: Standing, records: Sequence[Any], seconds: float) -> dict[str, Any]:
    """What a dispatcher holds while it starts, takes in new cases and sends them beside the backlog."""
    stands.start_worker()
    worker = psutil.Process(stands.workers[0].pid)
    stands.tell("platform", "publish", {"feed": "cases", "records": list(records)})
    curve: list[tuple[float, float]] = []
    begun = time.monotonic()
    while (at := time.monotonic() - begun) < seconds:
        curve.append((round(at, 1), round(worker.memory_info().rss / _MIB, 1)))
        time.sleep(0.5)
    sent = stands.rows("SELECT count(*) FROM effects WHERE channel = 'push' AND state = 'accepted'")[0][0]
    stands.stop_workers()
    return {"peak_mib": max(rss for _, rss in curve), "pushed_meanwhile": sent, "curve": curve}


def ledger_bytes(made: Mapping[str, Any]) -> int:
    """Bytes of tables and indexes a settled case takes in the largest ledger, evidence apart."""
    tables: Mapping[str, int] = list(made["sizes"].values())[-1]["bytes_by_table"]
    return sum(count for name, count in tables.items() if name not in _EVIDENCE)


def missed(made: Mapping[str, Any]) -> list[str]:
    """What was promised and is not so, in Chinese."""
    found = []
    sizes = made["sizes"]
    first = next(iter(sizes.values()), None)
    for size, row in sizes.items():
        assert first is not None
        for key, within, said in (
            ("buffers_per_case", BUFFERS_WITHIN, "每件页数"),
            ("seconds_per_case", TIME_WITHIN, "每件用时"),
        ):
            ratio = row[key] / first[key]
            if ratio > 1 + within:
                found.append(f"{size} 件时{said}为最小时的 {ratio:.2f} 倍，上限 {1 + within:.2f}")
    if sizes and (taken := ledger_bytes(made)) > BYTES_A_CASE:
        found.append(f"台账每件 {taken / 1000:.1f} kB（留痕除外），上限 {BYTES_A_CASE / 1000:.0f}")
    for number, row in made["waiting"].items():
        if row["peak_mib"] > MEMORY_MIB:
            found.append(f"{number} 件在等时内存 {row['peak_mib']} MiB，上限 {MEMORY_MIB}")
        if not row["pushed_meanwhile"]:
            found.append(f"{number} 件在等时没有推送一件新的")
    return found


def show(made: Mapping[str, Any], console: Console) -> None:
    """The figures as tables."""
    table = Table(title=f"台账增长：每个规模下另走 {made['cases']} 件，{made['rounds']} 轮取快者")
    for column in ("台账中", "每件页数", "每件毫秒", "其中本进程 CPU", "PostgreSQL CPU", "台账", "负载"):
        table.add_column(column, justify="right")
    for size, row in made["sizes"].items():
        table.add_row(
            size,
            f"{row['buffers_per_case']:.0f}",
            *(
                f"{row[key] * 1000:.1f}"
                for key in ("seconds_per_case", "cpu_s_per_case", "postgresql_cpu_s_per_case")
            ),
            f"{row['ledger_bytes'] / 1e9:.2f} GB",
            f"{row['load_average']:.1f}",
        )
    console.print(table)
    if made["sizes"]:
        tables = list(made["sizes"].values())[-1]["bytes_by_table"]
        said = "、".join(
            f"{name} {count}" for name, count in sorted(tables.items(), key=lambda each: -each[1])
        )
        console.print(f"每件 {ledger_bytes(made)} 字节（留痕除外）：{said}", markup=False, highlight=False)
    memory = Table(title="分发进程的内存")
    for column in ("在等", "最高 MiB", "其间推送"):
        memory.add_column(column, justify="right")
    for number, row in made["waiting"].items():
        memory.add_row(number, f"{row['peak_mib']:.0f}", str(row["pushed_meanwhile"]))
    console.print(memory)


def plot(made: Mapping[str, Any], path: Path) -> None:
    """Cost by size, and memory by backlog, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4))
    cost, memory = figure.subplots(1, 2)
    sizes = [int(size) for size in made["sizes"]]
    for key, scale, name in (
        ("buffers_per_case", 1, "buffers a case"),
        ("seconds_per_case", 1e5, "10 µs a case"),
    ):
        cost.plot(sizes, [row[key] * scale for row in made["sizes"].values()], marker="o", label=name)
    if sizes:
        cost.set_xscale("log")
    cost.set_ylim(bottom=0)
    cost.set_xlabel("settled cases in the ledger")
    if sizes:
        cost.legend()
    for number, row in made["waiting"].items():
        memory.plot(*zip(*row["curve"], strict=True), label=f"{int(number):,} waiting")
    memory.axhline(MEMORY_MIB, linestyle=":")
    memory.set_ylim(bottom=0)
    memory.set_xlabel("seconds")
    memory.set_ylabel("MiB of a dispatcher")
    if made["waiting"]:
        memory.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")


def main() -> int:
    """0 when all targets are met, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description="台账增长时的代价")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[10_000, 100_000, 500_000], help="台账中的件数"
    )
    parser.add_argument(
        "--waiting", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], help="在等的件数"
    )
    parser.add_argument("--cases", type=int, default=200, help="每轮走多少件")
    parser.add_argument("--rounds", type=int, default=2, help="每个规模几轮")
    parser.add_argument("--seed", default="20260701", help="种子")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="结果目录")
    parser.add_argument("--city-dir", type=Path, default=Path("config/yiyang"), help="城市配置目录")
    given = parser.parse_args()
    configure_logging(level="warning", form="json")
    err = Console(stderr=True)
    made = measure(
        given.out,
        sizes=sorted(given.sizes),
        waiting=sorted(given.waiting),
        cases=given.cases,
        rounds=given.rounds,
        seed=given.seed,
        city_dir=given.city_dir,
        tell=lambda line: err.print(line, markup=False, highlight=False),
    )
    (given.out / "growth.json").write_text(
        json.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    show(made, Console(width=None if sys.stdout.isatty() else 160))
    plot(made, given.out / "growth.png")
    for line in missed(made):
        err.print(f"未达到：{line}", markup=False, highlight=False)
    return 1 if missed(made) else 0


if __name__ == "__main__":
    sys.exit(main())
