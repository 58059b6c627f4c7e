"""All rows one after the other, each in a process of its own, then the mutants; the report and its table."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.catalogue import BASELINE, ROWS
from tests.faults.mutants import MUTANTS, mutated_tree
from tests.faults.report import Table
from tests.faults.rows import every_row

SEED = 20260701
FINE, FINDINGS, MISSING = 0, 1, 2
LAST = 26
"""The rows of the list; those beyond it are shows."""


def main(arguments: list[str]) -> int:
    """0 all rows held and every mutant was caught; 1 a finding; 2 a tool of the machine is missing."""
    every_row()
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="故障清单逐行注入并从外部核对"
    )
    parser.add_argument("--row", type=int, action="append", help="只做这一行（可重复）")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cases", type=int, help="办件数（缺省按各行）")
    parser.add_argument("--size", type=float, default=1.0, help="注入次数的倍数；小于 1 为快速")
    parser.add_argument("--mutant", action="append", help="只做这个变异体（可重复）")
    parser.add_argument("--no-mutants", action="store_true")
    parser.add_argument("--long", action="store_true", help="换种子不停地做，直到 Ctrl-C")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--haste", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("var") / "faults")
    given = parser.parse_args(arguments)
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


def _conduct(wanted, given) -> int:
    begun, table = time.monotonic(), Table()
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    rows, mutants, seed = [], [], given.seed
    fine = True
    try:
        while True:
            for entry in wanted:
                result = run_row(entry.number, seed=seed, given=given, folder=out / f"row{entry.number}")
                rows.append(result)
                fine &= not result["problems"]
                table.row(result)
                _write(out, rows, mutants, begun)
            if not given.long:
                break
            seed += 1
        for number in () if given.row or given.mutant else sorted(set(range(1, LAST + 1)) - set(ROWS)):
            rows.append(_without_end(number, "没有写成", given, "清单中的这一行还没有写成"))
            fine = False
            table.row(rows[-1])
        for mutant in _wanted_mutants(given):
            result = run_mutant(mutant, seed=given.seed, given=given, out=out)
            mutants.append(result)
            fine &= result["caught_by"] is not None
            table.mutant(result)
            _write(out, rows, mutants, begun)
    except KeyboardInterrupt:
        if not given.long:
            raise
    _write(out, rows, mutants, begun)
    table.end(rows, mutants, time.monotonic() - begun)
    return FINE if fine else FINDINGS


def _wanted_mutants(given):
    if given.mutant:
        return [mutant for mutant in MUTANTS if mutant.name in given.mutant]
    return [] if given.no_mutants or given.row else MUTANTS


def run_mutant(mutant, *, seed, given, out: Path) -> dict:
    """Which row caught it; None when none did, or the patch does not apply."""
    try:
        tree = mutated_tree(mutant, out / "mutants" / mutant.name)
    except ValueError as wrong:
        return {"name": mutant.name, "caught_by": None, "why": str(wrong)}
    small = argparse.Namespace(**{**vars(given), "size": mutant.size * given.size, "long": False})
    result = run_row(mutant.row, seed=seed, given=small, folder=out / "mutant", tree=tree)
    counted = {name: result.get(name) for name in ("lost", "doubled", "unexpected", "silent", "held")}
    # A row in which little struck, or that came to no end, says nothing of the mutant.
    caught = bool(result.get("found")) and not result.get("broken")
    shutil.rmtree(tree, ignore_errors=True)
    return {
        "name": mutant.name,
        "caught_by": f"row {mutant.row}" if caught else None,
        **counted,
        "why": result["problems"][:3],
        "seconds": result["seconds"],
    }


def run_row(number: int, *, seed: int, given, folder: Path, tree: Path | None = None) -> dict:
    """The row's result, from a process of its own; ``tree`` is the copy of the packages it runs on."""
    begun, entry = time.monotonic(), ROWS[number]
    folder.mkdir(parents=True, exist_ok=True)
    result_file = folder / "result.json"
    result_file.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "tests.faults", "--alone", "--row", str(number), "--seed", str(seed)]
    argv += ["--size", str(given.size), "--out", str(folder)]
    argv += ["--cases", str(given.cases)] if given.cases else []
    argv += ["--long"] if given.long else []
    argv += ["--haste"] if tree is not None else []
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHENGUAN_", "PREFECT_"))}
    if tree is not None:
        environment["PYTHONPATH"] = str(tree)
    with (folder / "row.log").open("wb") as log:
        # A session of its own: the system hangs up on a group in which somebody sleeps when its shell ends.
        child = subprocess.Popen(
            argv,
            cwd=tree or Path.cwd(),
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        code = _wait(child, entry.patience_s * (100 if given.long else 1))
    if result_file.exists():
        result = json.loads(result_file.read_text())
    else:
        tail = (folder / "row.log").read_text(errors="replace")[-1500:]
        result = {
            "row": number,
            "title": entry.title,
            "seed": seed,
            "cases": given.cases or entry.cases,
            **dict.fromkeys(("hit", "lost", "doubled", "unexpected", "silent", "held", "drained_s")),
            "problems": [f"未能完成（{code}）：{tail}"],
            "broken": True,
        }
    return {**result, "seconds": round(time.monotonic() - begun, 1)}


def _without_end(number: int, title: str, given, problem: str) -> dict:
    """The result of a row that has none."""
    return {
        "row": number,
        "title": title,
        "seed": given.seed,
        "cases": given.cases,
        **dict.fromkeys(("hit", "lost", "doubled", "unexpected", "silent", "held", "drained_s")),
        "problems": [problem],
        "broken": True,
        "seconds": 0,
    }


def _wait(child, patience_s) -> str:
    try:
        return f"退出码 {child.wait(patience_s)}"
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        child.wait(30)
        raise
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    return f"超过 {patience_s} 秒"


def _write(out: Path, rows, mutants, begun) -> None:
    told = {
        "seconds": round(time.monotonic() - begun, 1),
        "rows": [row for row in rows if row["row"] != BASELINE],
        "without_faults": next((row for row in rows if row["row"] == BASELINE), None),
        "mutants": mutants,
    }
    draft = out / "report.json.new"
    draft.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    draft.replace(out / "report.json")
