"""All rows, each in a process of its own, then the mutants; the report and its table.

Rows whose figures are times, or whose workers have to come to a line in seconds, go one after the other;
all others in lanes beside each other: most of a row is waiting for deadlines, leases and days to live.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults.catalogue import BASELINE, ROWS
from tests.faults.mutants import MUTANTS
from tests.faults.report import Table
from tests.faults.rows import every_row
from tests.faults.running import end_running, run_mutant, run_row, without_end

SEED = 20260701
FINE, FINDINGS, MISSING = 0, 1, 2
LAST = 26
"""The rows of the list; those beyond it are shows."""
LANES = 3


@dataclass(frozen=True)
class Job:
    """A row or a mutant to do; ``alone`` says that nothing runs beside it."""

    run: Callable[[], dict]
    alone: bool
    mutant: bool = False


def main(arguments: list[str]) -> int:
    """0 all rows held and every mutant was caught; 1 a finding; 2 a tool of the machine is missing."""
    every_row()
    given = _parser().parse_args(arguments)
    if given.alone:
        from tests.faults.alone import run_alone

        return run_alone(ROWS[given.row[0]], given)
    if unknown := [number for number in given.row or [] if number not in ROWS]:
        sys.stderr.write(f"没有这一行：{unknown}；有 {sorted(ROWS)}\n")
        return MISSING
    wanted = [ROWS[number] for number in given.row] if given.row else [ROWS[n] for n in sorted(ROWS)]
    if given.mutant:
        wanted = [] if not given.row else wanted
    missing = sorted({tool for entry in wanted for tool in entry.needs if shutil.which(tool) is None})
    if missing:
        sys.stderr.write(f"缺少 {'、'.join(missing)}：以 root 运行 make deps 安装\n")
        return MISSING
    return _conduct(wanted, given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="故障清单逐行注入并从外部核对"
    )
    parser.add_argument("--row", type=int, action="append", help="只做这一行（可重复）")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cases", type=int, help="办件数（缺省按各行）")
    parser.add_argument("--size", type=float, default=1.0, help="注入次数的倍数；小于 1 为快速")
    parser.add_argument("--lanes", type=int, default=LANES, help="同时进行的行数（须独自进行的除外）")
    parser.add_argument("--mutant", action="append", help="只做这个变异体（可重复）")
    parser.add_argument("--no-mutants", action="store_true")
    parser.add_argument("--long", action="store_true", help="换种子不停地做，直到 Ctrl-C")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--haste", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("var") / "faults")
    return parser


def _conduct(wanted, given) -> int:
    begun, table = time.monotonic(), Table()
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict] = []
    mutants: list[dict] = []

    def told(job: Job, result: dict):
        (mutants if job.mutant else rows).append(result)
        (table.mutant if job.mutant else table.row)(result)
        _write(out, rows, mutants, begun)

    unwritten = () if given.row or given.mutant else sorted(set(range(1, LAST + 1)) - set(ROWS))
    for number in unwritten:
        problem = "清单中的这一行还没有写成"
        result = without_end(number, "没有写成", seed=given.seed, cases=given.cases, problem=problem)
        told(Job(dict, alone=True), result)
    try:
        for jobs in _rounds(wanted, given, out):
            _all_of(jobs, given.lanes, told)
    except KeyboardInterrupt:
        end_running()
        if not given.long:
            raise
    table.end(rows, mutants, time.monotonic() - begun)
    fine = not any(row["problems"] for row in rows) and all(each["caught_by"] for each in mutants)
    return FINE if fine else FINDINGS


def _rounds(wanted, given, out: Path) -> Iterator[list[Job]]:
    """The rows and the mutants once; with ``--long`` the rows again with seed after seed."""
    seed = given.seed
    while True:
        jobs = [
            Job(partial(run_row, e.number, seed=seed, given=given, folder=out / f"row{e.number}"), e.alone)
            for e in sorted(wanted, key=lambda each: -each.patience_s)
        ]
        if not given.long:
            mutants = _wanted_mutants(given)
            jobs += [
                Job(partial(run_mutant, each, given=given, out=out), alone=False, mutant=True)
                for each in mutants
            ]
        yield jobs
        if not given.long:
            return
        seed += 1


def _all_of(jobs: list[Job], lanes: int, told: Callable[[Job, dict], None]):
    """Do those that must be alone, then all others in lanes; each result is told when it is there."""
    for job in jobs:
        if job.alone:
            told(job, job.run())
    pool = ThreadPoolExecutor(max(1, lanes))
    try:
        beside = {pool.submit(job.run): job for job in jobs if not job.alone}
        for ended in as_completed(beside):
            told(beside[ended], ended.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _wanted_mutants(given):
    if given.mutant:
        return [mutant for mutant in MUTANTS if mutant.name in given.mutant]
    return [] if given.no_mutants or given.row else MUTANTS


def _write(out: Path, rows, mutants, begun) -> None:
    ordered = sorted(rows, key=lambda row: (row["row"], row["seed"]))
    told = {
        "seconds": round(time.monotonic() - begun, 1),
        "rows": [row for row in ordered if row["row"] != BASELINE],
        "without_faults": next((row for row in ordered if row["row"] == BASELINE), None),
        "mutants": mutants,
    }
    draft = out / "report.json.new"
    draft.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    draft.replace(out / "report.json")
