"""Programs an earlier stack left behind, found and ended before a new one starts.

Two traces lead to them: ``pids.json`` names the launchers with their start times, so that a
number the system has given to somebody else is left alone; and every program carries the
stack's folder in its environment, which also finds what outlived its launcher.
"""

import contextlib
import json
import os
from pathlib import Path

import psutil

MARK = "STACK_OF_SHENGUAN"
"""The environment variable that names the stack's folder to its programs."""

_SAME_START = 0.5  # seconds; the kernel counts start times in hundredths
_GRACE = 3.0
# PostgreSQL is stopped by its own tool; a signal of ours could cost it a recovery.
_SELF_STOPPING = ("postgres", "pg_ctl")


def end_leftovers(folder: Path) -> list[str]:
    """Ends what an earlier stack of this folder left running; the names of what was ended."""
    found = {process.pid: process for process in (*_recorded(folder), *_marked(folder))}
    for process in list(found.values()):
        with contextlib.suppress(psutil.Error):
            for below in process.children(recursive=True):
                found.setdefault(below.pid, below)
    ours = _ourselves()
    ending = [process for process in found.values() if process.pid not in ours and not _stops_itself(process)]
    names = [_name(process) for process in ending]
    for process in ending:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, staying = psutil.wait_procs(ending, timeout=_GRACE)
    for process in staying:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(staying, timeout=_GRACE)
    pids_file(folder).unlink(missing_ok=True)
    return sorted(name for name in names if name)


def pids_file(folder: Path) -> Path:
    """Where a stack notes what it started."""
    return folder / "pids.json"


def record(folder: Path, running: dict[str, psutil.Process]) -> None:
    """Notes what runs now; whole or not at all."""
    rows = {}
    for name, process in running.items():
        with contextlib.suppress(psutil.Error):
            rows[name] = {"pid": process.pid, "started": process.create_time()}
    path = pids_file(folder)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    draft.replace(path)


def _recorded(folder: Path) -> list[psutil.Process]:
    try:
        rows = json.loads(pids_file(folder).read_text(encoding="utf-8"))
        wanted = [(int(row["pid"]), float(row["started"])) for row in rows.values()]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # a torn note; the mark in the environment still finds them
    found = []
    for pid, started in wanted:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if abs(process.create_time() - started) < _SAME_START:
                found.append(process)
    return found


def _marked(folder: Path) -> list[psutil.Process]:
    mark = str(folder.resolve())
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                found.append(process)
    return found


def _ourselves() -> set[int]:
    """We and those above us: a stack may be started by a program of the same stack."""
    process = psutil.Process(os.getpid())
    return {process.pid, *(above.pid for above in process.parents())}


def _stops_itself(process: psutil.Process) -> bool:
    return _name(process) in _SELF_STOPPING


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
