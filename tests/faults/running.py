"""One row in a process of its own, on this tree or on a mutant's copy: its result, whatever became of it."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.faults.catalogue import ROWS
from tests.faults.mutants import mutated_tree

COUNTED = ("hit", "lost", "doubled", "unexpected", "silent", "held", "drained_s")
_RUNNING: set[subprocess.Popen] = set()
_LOCK = threading.Lock()


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
        cases = given.cases or entry.cases
        result = without_end(
            number, entry.title, seed=seed, cases=cases, problem=f"未能完成（{code}）：{tail}"
        )
    return {**result, "seconds": round(time.monotonic() - begun, 1)}


def run_mutant(mutant, *, given, out: Path) -> dict:
    """Which row caught it; None when none did, or the patch does not apply."""
    try:
        tree = mutated_tree(mutant, out / "mutants" / mutant.name)
    except ValueError as wrong:
        return {"name": mutant.name, "caught_by": None, "why": str(wrong)}
    small = argparse.Namespace(**{**vars(given), "size": mutant.size * given.size, "long": False})
    folder = out / f"mutant-{mutant.name}"
    result = run_row(mutant.row, seed=given.seed, given=small, folder=folder, tree=tree)
    # A row in which little struck, or that came to no end, says nothing of the mutant.
    caught = bool(result.get("found")) and not result.get("broken")
    shutil.rmtree(tree, ignore_errors=True)
    return {
        "name": mutant.name,
        "caught_by": f"row {mutant.row}" if caught else None,
        **{name: result.get(name) for name in COUNTED},
        "why": result["problems"][:3],
        "seconds": result["seconds"],
    }


def without_end(number: int, title: str, *, seed, cases, problem: str) -> dict:
    """The result of a row that has none."""
    return {
        "row": number,
        "title": title,
        "seed": seed,
        "cases": cases,
        **dict.fromkeys(COUNTED),
        "problems": [problem],
        "broken": True,
        "seconds": 0,
    }


def end_running():
    """Every row that still runs is told to end, and waited for."""
    with _LOCK:
        left = list(_RUNNING)
    for child in left:
        child.send_signal(signal.SIGTERM)
    for child in left:
        _ended(child)


def _wait(child, patience_s) -> str:
    with _LOCK:
        _RUNNING.add(child)
    try:
        return f"退出码 {child.wait(patience_s)}"
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)
        _ended(child)
        return f"超过 {patience_s} 秒"
    finally:
        with _LOCK:
            _RUNNING.discard(child)


def _ended(child):
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
