"""strace at processes: how often they make each system call, and a signal or an error at the n-th of one."""

import re
import subprocess
import tempfile
import time
from pathlib import Path

_LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.MULTILINE)


class Tracer:
    """strace that holds a process from the return of the constructor until ``let_go``.

    What the process starts meanwhile is held too; what it had started before only if it is named.
    """

    def __init__(self, pid: int, *options: str, children=()):
        self._said = Path(tempfile.mkstemp(prefix="strace-")[1])
        held = [word for each in (pid, *children) for word in ("-p", str(each))]
        with self._said.open("wb") as said:
            self._strace = subprocess.Popen(
                ["strace", "-f", *held, *options], stdin=subprocess.DEVNULL, stderr=said
            )
        end = time.monotonic() + 15
        while b"attached" not in self._said.read_bytes():
            if self._strace.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"strace: {self._said.read_text()[-300:]}")
            time.sleep(0.005)

    def let_go(self) -> str:
        """The process goes on untraced; what strace has said."""
        if self._strace.poll() is None:
            self._strace.terminate()
        self._strace.wait(15)
        said = self._said.read_text(errors="replace")
        self._said.unlink()
        return said


def inject(calls: str, what: str) -> list[str]:
    """Options that do ``what`` (``signal=KILL:when=3``) to these system calls."""
    return ["-e", f"trace={calls}", "-e", f"inject={calls}:{what}", "-o", "/dev/null"]


def counted(said: str) -> dict[str, int]:
    """System call → how often, of what ``strace -c`` has said."""
    return {name: int(count) for count, name in _LINE.findall(said) if name != "total"}
