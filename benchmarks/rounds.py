"""The rounds: every system does the same job in turn, on a fresh database and fresh simulators."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adapters.stack.postgres import Cluster
from benchmarks.control import Control
from benchmarks.database import Databases
from benchmarks.job import Job, make_job
from benchmarks.outside import outside
from benchmarks.systems import SYSTEMS
from models.ledger.keyring import create_keyring

Round = dict[str, Any]


class WrongJob(RuntimeError):  # noqa: N818 - named as the finding it is
    """A system did not do the job: the outside holds something else than was owed."""


def measure(
    folder: Path,
    *,
    cases: int,
    rounds: int,
    seed: str,
    city_dir: Path,
    systems: Sequence[str] = tuple(SYSTEMS),
    tell: Callable[[str], None],
) -> list[Round]:
    """The figures of each round: ``control`` (POSTs a second) and one entry for each system.

    Below ``folder`` only the cluster stays, so that the next bench need not make it again.

    Raises:
        WrongJob: the systems did not send the same effects.
    """
    shutil.rmtree(folder / "work", ignore_errors=True)
    job = make_job(folder / "work" / "world", cases=cases, seed=seed, city_dir=city_dir)
    create_keyring(folder / "work" / "keys.json")
    measured: list[Round] = []
    with Cluster.create_or_open(folder / "pg") as cluster, Control() as control:
        databases = Databases(cluster)
        for number in range(rounds):
            # Whoever comes first meets a colder machine: they take turns.
            order = list(systems) if number % 2 == 0 else list(reversed(systems))
            controls = [control.posts_per_s(cases)]
            figures: Round = {}
            for name in order:
                tell(f"第 {number + 1}/{rounds} 轮：{SYSTEMS[name][1]}")
                figures[name] = _one(folder / "work", databases, job, name, number)
                controls.append(control.posts_per_s(cases))
            contents = [figures[name].pop("contents") for name in order]
            if any(each != contents[0] for each in contents):
                raise WrongJob("各系统送出的内容不一致，比较无效")
            measured.append({"control": sum(controls) / len(controls), "controls": controls, **figures})
    return measured


def _one(folder: Path, databases: Databases, job: Job, name: str, number: int) -> dict[str, Any]:
    database = f"bench_{name}"
    with outside(folder / f"{number}-{name}", job) as world, databases.fresh(database) as url:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SHENGUAN_")},
            **world.environment,
            "SHENGUAN_DATABASE_URL": url,
            "SHENGUAN_SEAL_KEYS_FILE": str((folder / "keys.json").resolve()),
            "SHENGUAN_LISTENER_PATH_SECRET": "no-receipts-in-the-reference-job",
        }
        argv = [sys.executable, "-m", "benchmarks.systems.run", name, str(job.folder), str(job.cases)]
        child = subprocess.Popen(  # noqa: S603 - our own program
            argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            _hear(child, "ready")
            before = {**world.cpu_s(), "postgresql": databases.cpu_s()}
            wal = databases.wal_position()
            _go(child)
            _hear(child, "done")
            wal = databases.wal_position() - wal
            activity = databases.activity(database)
            # Last: a session's time counts at its postmaster only when it has been buried.
            after = {**world.cpu_s(), "postgresql": databases.cpu_s()}
            _go(child)
            assert child.stdout is not None
            figures: dict[str, Any] = json.loads(child.stdout.readline())
        finally:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
        kinds, contents = world.held()
        lacking = {kind: n for kind, n in job.expected.items() if kinds[kind] != n}
        if lacking:
            raise WrongJob(f"{SYSTEMS[name][1]}：对方所存 {dict(kinds)}，应为 {job.expected}")
        cpu = {process: after[process] - before[process] for process in before}
        return {
            **figures,
            "cases_per_s": job.cases / figures["seconds"],
            "cpu_s_by_process": {name: figures.pop("cpu_s"), **cpu},
            "commits": activity.commits,
            "rollbacks": activity.rollbacks,
            "wal_bytes": wal,
            "tables": databases.tables(database),
            "effects": dict(kinds),
            "peak_rss_outside": world.peak_rss(),
            "contents": contents,
        }


def _hear(child: "subprocess.Popen[str]", word: str) -> None:
    assert child.stdout is not None
    said = child.stdout.readline().strip()
    if said != word:
        time.sleep(0.2)
        raise WrongJob(f"基准进程中断：应答 {said!r}，退出码 {child.poll()}")


def _go(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
