"""The rounds: every system does the same job in turn, on a fresh database and fresh simulators."""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from adapters.stack.postgres import Cluster
from benchmarks.control import Control
from benchmarks.database import Databases
from benchmarks.driven import Driven, WrongJob
from benchmarks.job import Job, make_job
from benchmarks.outside import outside
from benchmarks.prefect_home import DATABASE as PREFECT_DATABASE
from benchmarks.prefect_home import PrefectHome, make_prefect_template, prefect_home
from benchmarks.systems import HOME, SYSTEMS
from models.evidence.signing import create_signing_key
from models.ledger.keyring import create_keyring

Round = dict[str, Any]
Sizes = dict[str, dict[str, int]]

POOL = 20
"""Connections each system may have to PostgreSQL: DBOS's default, the largest of all."""


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
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    jobs = _jobs(work, systems, cases=cases, seed=seed, city_dir=city_dir)
    create_keyring(work / "keys.json")
    create_signing_key(work / "evidence.key")
    measured: list[Round] = []
    with Cluster.create_or_open(folder / "pg") as cluster, Control() as control:
        databases = Databases(cluster)
        if any(SYSTEMS[name].prefect for name in systems):
            tell("准备 Prefect 的数据库")
            make_prefect_template(work / "prefect", databases)
        for number in range(rounds):
            # Whoever comes first meets a colder machine: they take turns.
            order = list(systems) if number % 2 == 0 else list(reversed(systems))
            controls = [control.posts_per_s(cases)]
            figures: Round = {}
            for name in order:
                tell(f"第 {number + 1}/{rounds} 轮：{SYSTEMS[name].chinese}，{jobs[name].cases} 件")
                figures[name] = _one(work, databases, jobs[name], name, number)
                controls.append(control.posts_per_s(cases))
            _same_contents({name: figures[name].pop("contents") for name in order})
            usual = sum(controls) / len(controls)
            measured.append({"control": usual, "controls": controls, "load": os.getloadavg()[0], **figures})
    return measured


def _jobs(work: Path, systems: Sequence[str], *, cases: int, seed: str, city_dir: Path) -> dict[str, Job]:
    sizes = {name: SYSTEMS[name].cases(cases) for name in systems}
    made = {
        size: make_job(work / f"world-{size}", cases=cases, seed=seed, city_dir=city_dir, only=size)
        for size in set(sizes.values())
    }
    return {name: made[size] for name, size in sizes.items()}


def _same_contents(contents: dict[str, set[tuple[str, str]]]) -> None:
    """A smaller job is the beginning of the larger one: its contents are among the other's."""
    largest = max(contents.values(), key=len)
    odd = [name for name, each in contents.items() if not each <= largest]
    if odd:
        raise WrongJob(
            f"{'、'.join(SYSTEMS[name].chinese for name in odd)}送出的内容与其他系统不一致，比较无效"
        )


def _one(folder: Path, databases: Databases, job: Job, name: str, number: int) -> dict[str, Any]:
    system = SYSTEMS[name]
    with ExitStack() as stack:
        world = stack.enter_context(outside(folder / f"{number}-{name}", job))
        ledger = f"bench_{name}"
        home = PREFECT_DATABASE if system.prefect and not system.ledger else f"bench_{name}_home"
        environment = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("SHENGUAN_", "PREFECT_"))
            },
            **world.environment,
            "SHENGUAN_DATABASE_URL": stack.enter_context(databases.fresh(ledger)),
            "SHENGUAN_POOL_SIZE": str(POOL),
            "SHENGUAN_SEAL_KEYS_FILE": str((folder / "keys.json").resolve()),
            "SHENGUAN_JOURNAL_DIR": str((folder / f"{number}-{name}" / "journal").resolve()),
            "SHENGUAN_EVIDENCE_KEY_FILE": str((folder / "evidence.key").resolve()),
            "SHENGUAN_EVIDENCE_DIR": str((folder / f"{number}-{name}" / "evidence").resolve()),
            "SHENGUAN_LISTENER_PATH_SECRET": "no-receipts-in-the-reference-job",
        }
        prefect: PrefectHome | None = None
        if system.prefect:
            prefect = stack.enter_context(prefect_home(folder / "prefect", databases))
            environment |= prefect.environment
        if not system.ledger and not system.prefect:
            environment[HOME] = stack.enter_context(databases.fresh_home(home))
        kept_in = ledger if system.ledger else home
        driven = stack.enter_context(Driven(name, job, environment))
        driven.hear("ready")
        sizes = databases.tables(kept_in)

        def cpu() -> dict[str, float]:
            server = {"prefect": prefect.cpu_s()} if prefect else {}
            return {**world.cpu_s(), **server, "postgresql": databases.cpu_s()}

        commits = databases.activity(kept_in).commits
        before, wal = cpu(), databases.wal_position()
        driven.go()
        driven.hear("done")
        wal = databases.wal_position() - wal
        server = {"peak_rss_prefect": prefect.rss()} if prefect else {}
        # Last: a session's time counts at its postmaster only when it has been buried.
        after = cpu()
        if prefect:
            prefect.stop()
            server["prefect_commits"] = databases.activity(PREFECT_DATABASE).commits
        activity = databases.activity(kept_in)
        driven.go()
        figures = driven.figures()
        kinds, contents = world.held()
        lacking = {kind: n for kind, n in job.expected.items() if kinds[kind] != n}
        if lacking:
            raise WrongJob(f"{system.chinese}：对方所存 {dict(kinds)}，应为 {job.expected}")
        return {
            **figures,
            **server,
            "cases": job.cases,
            "cases_per_s": job.cases / figures["seconds"],
            "cpu_s_by_process": {
                "self": figures.pop("cpu_s"),
                **{process: after[process] - before[process] for process in before},
            },
            "commits": activity.commits - commits,
            "rollbacks": activity.rollbacks,
            "wal_bytes": wal,
            "tables": _grown(sizes, databases.tables(kept_in)),
            "effects": dict(kinds),
            "peak_rss_outside": world.peak_rss(),
            "contents": contents,
        }


def _grown(before: Sizes, after: Sizes) -> Sizes:
    """By how much each table has grown, the most first; an empty table's pages are nobody's case."""
    grown = {
        table: {what: size - before.get(table, {}).get(what, 0) for what, size in sizes.items()}
        for table, sizes in after.items()
    }
    return dict(sorted(grown.items(), key=lambda pair: -sum(pair[1].values())))
