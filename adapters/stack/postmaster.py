"""The postmaster of one data folder: found, recognised as ours, stopped.

``postmaster.pid`` alone proves nothing after a kill -9 or a restart of the machine: its number may
belong to a stranger by now. A PostgreSQL process is ours if it works in our data folder.
"""

import contextlib
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

StopMode = Literal["fast", "immediate"]

_SIGNALS: dict[StopMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True)
class PidFile:
    """What ``postmaster.pid`` says. ``status`` is PostgreSQL's own word, ``ready`` when it serves."""

    pid: int
    port: int
    socket_folder: str
    status: str


def read_pid_file(data: Path) -> PidFile | None:
    """The pid file's content; None when there is none, or only the beginning of one."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or not lines[0].strip().isdigit():  # noqa: PLR2004 - the file's eight lines
        return None
    return PidFile(int(lines[0]), int(lines[3] or 0), lines[4].strip(), lines[7].strip())


def find_postmaster(data: Path) -> psutil.Process | None:
    """The living postmaster of this data folder, whoever started it."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return None
    return process if works_in(process, data) else None


def works_in(process: psutil.Process, data: Path) -> bool:
    """Whether this is a living PostgreSQL process whose folder is the data folder."""
    try:
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and process.name().startswith("postgres")
            and Path(process.cwd()) == data.resolve()
        )
    except (psutil.Error, OSError):
        return False


def remains(data: Path) -> list[psutil.Process]:
    """Every PostgreSQL process that works in the data folder: also those whose postmaster died."""
    return [process for process in psutil.process_iter() if works_in(process, data)]


def stop(process: psutil.Process, data: Path, mode: StopMode, *, patience_s: float = 30.0) -> None:
    """Stops a postmaster and waits until nothing of it works in the data folder.

    One that does not stop fast is stopped at once, and one that does not do that is killed;
    the write-ahead log makes all three the same to what was committed.
    """
    for sent in (_SIGNALS[mode], signal.SIGQUIT):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(sent)
        if _gone(process, data, patience_s):
            break
    kill(data)


def kill(data: Path) -> None:
    """Kills whatever works in the data folder, the postmaster first, and waits until it is gone."""
    postmaster = find_postmaster(data)
    if postmaster is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            postmaster.kill()
    for _ in range(50):
        rest = remains(data)
        if not rest:
            return
        for process in rest:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.05)


def clear_traces(data: Path, sockets: Path) -> None:
    """Removes the pid and lock files of a postmaster that is proven dead.

    Left there, their number may by now belong to another program, and PostgreSQL would not start.
    """
    (data / "postmaster.pid").unlink(missing_ok=True)
    for trace in sockets.glob(".s.PGSQL.*"):
        trace.unlink(missing_ok=True)


def _gone(process: psutil.Process, data: Path, patience_s: float) -> bool:
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if not works_in(process, data):
            return True
        time.sleep(0.02)
    return False
