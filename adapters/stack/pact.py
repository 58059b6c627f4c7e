"""A launcher that ends its program when its owner is gone.

Run as ``python -I -S pact.py FD GRACE ARGV...``: starts ARGV in a process group of its own,
and reads FD, the end of a pipe whose only writer is the owner. When the owner ends, by whatever
signal, the pipe closes, and the launcher ends the program and everything the program started:
first with SIGTERM, after GRACE seconds with SIGKILL.

Run as ``python -I -S pact.py FD will ARGV...`` it is a last will: it waits, and runs ARGV only
when the owner is gone without having ended it. Standard library only: it starts in milliseconds
and needs nothing of ours.
"""

import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LAST_WORDS = 1.0  # seconds in which the others may still finish what they are writing


def _prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the pipe alone does the work."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in brackets, may hold anything; what follows the last bracket does not.
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state != "Z":
            found.setdefault(int(parent), []).append(int(entry.name))
    return found


def _descendants() -> list[int]:
    """Everything below us. As the subreaper we inherit what the program left behind."""
    tree, found, waiting = _children(), [], [os.getpid()]
    while waiting:
        below = tree.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _reap() -> dict[int, int]:
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def _signal_all(number: signal.Signals) -> None:
    for pid in _descendants():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _end_all(grace: float) -> None:
    """Leaves nothing below us. New children of the dying are found by looking again."""
    _signal_all(signal.SIGTERM)
    deadline = time.monotonic() + grace
    while _descendants():
        _reap()
        if time.monotonic() > deadline:
            _signal_all(signal.SIGKILL)
        time.sleep(0.02)
    _reap()


def _last_will(pipe: int, argv: list[str]) -> int:
    """Never returns once the owner is gone; SIGTERM ends it without a deed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    select.select([pipe], [], [])
    time.sleep(_LAST_WORDS)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(argv[0], argv)  # noqa: S606 - starting what it is told is its purpose


def main(arguments: list[str]) -> int:
    """The program's exit code; 128 + n when signal n ended it."""
    pipe, argv = int(arguments[0]), arguments[2:]
    os.set_inheritable(pipe, False)  # noqa: FBT003 - takes no keyword
    if arguments[1] == "will":
        return _last_will(pipe, argv)
    grace = float(arguments[1])
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    asked = False

    def note(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = asked or number == signal.SIGTERM

    signal.signal(signal.SIGCHLD, note)
    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to hear

    launcher = os.getpid()
    program = os.fork()
    if program == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.setpgid(0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != launcher:
            os._exit(1)
        try:
            os.execvp(argv[0], argv)  # noqa: S606 - starting what it is told is its purpose
        except OSError as error:
            os.write(2, f"{argv[0]}: {error}\n".encode())
            os._exit(127)

    while True:
        ready, _, _ = select.select([pipe, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
        ended = _reap()
        if program in ended:
            _end_all(min(grace, 1.0))
            code = ended[program]
            return code if code >= 0 else 128 - code
        if asked or pipe in ready:
            _end_all(grace)
            return 128 + signal.SIGTERM


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
