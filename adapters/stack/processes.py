"""Child programs of one stack: started, watched, started again, ended in order."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

import psutil

from adapters.stack.leftovers import MARK, end_leftovers, record
from config.surroundings import child_environment
from models.domain.errors import ShenguanError

log = logging.getLogger(__name__)

_PACT = Path(__file__).with_name("pact.py")
_WATCH = 0.2
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
_CALM = 60.0  # a program that ran this long starts its waits from the beginning


@dataclass(frozen=True)
class Program:
    """What to run. ``env`` is added to the inherited environment and never shows in ``ps``.

    ``restart`` starts it again when it ends by itself, with growing waits of 1 to 30 s.
    ``grace`` is the time in seconds between SIGTERM and SIGKILL. ``last_will`` is not started but
    kept ready, and runs only when we end without having stopped it: kill -9, or out of memory.
    ``folder`` is where it works, the stack's own when None.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    restart: bool = False
    grace: float = 8.0
    last_will: bool = False
    folder: Path | None = None


class ProgramEnded(ShenguanError):  # noqa: N818 - named as the finding it is
    """A program ended before it was ready. ``tail`` is the end of its log."""

    def __init__(self, name: str, code: int | None, tail: str) -> None:
        super().__init__(name, code, tail)
        self.name, self.code, self.tail = name, code, tail

    def __str__(self) -> str:
        return f"{self.name} 未能启动（退出码 {self.code}）：\n{self.tail}"


@dataclass
class _Running:
    program: Program
    launcher: subprocess.Popen[bytes]
    since: float
    ended: bool = False
    again_at: float | None = None
    waits: float = _FIRST_WAIT
    restarts: int = 0


class Supervisor:
    """Starts programs below one folder (0700) and leaves none behind.

    Each program has its own launcher (``pact.py``): when this process ends, even by kill -9,
    the launchers end their programs and all that these started. ``folder/log/NAME.log`` keeps
    what a program prints; ``folder/pids.json`` what runs, for the next start.

    Entering ends what an earlier stack of the same folder left; leaving ends the programs, the
    last started first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, _Running] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._alive_read, self._alive_write = -1, -1
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made earlier, or by another part, it may be open: logs and what programs leave are their owner's.
        self.folder.chmod(0o700)
        (self.folder / "log").mkdir(exist_ok=True)
        ended = end_leftovers(self.folder)
        if ended:
            log.warning("上次运行留下的进程已结束：%s", "、".join(ended))
        self._alive_read, self._alive_write = os.pipe()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    def start(self, program: Program) -> None:
        """Starts it; its readiness is the caller's to wait for (``wait_for``).

        Raises:
            RuntimeError: a program of this name runs already, or the stack is closing.
        """
        with self._lock:
            if self._closing.is_set() or self._alive_read < 0:
                raise RuntimeError("the supervisor is closed")
            if program.name in self._running:
                raise RuntimeError(f"{program.name} runs already")
            self._running[program.name] = _Running(program, self._launch(program), time.monotonic())
            self._record()

    def wait_for(self, name: str, ready: Callable[[], bool], *, timeout: float) -> float:
        """Waits until ``ready()`` holds; the seconds it took.

        Raises:
            ProgramEnded: the program ended, or was not ready in time.
        """
        begun = time.monotonic()
        while not ready():
            running = self._running.get(name)
            code = running.launcher.poll() if running else None
            if running is None or code is not None or time.monotonic() - begun > timeout:
                raise ProgramEnded(name, code, self.tail(name))
            time.sleep(0.05)
        return time.monotonic() - begun

    def run(self, program: Program, *, timeout: float) -> float:
        """Runs a program to its end; the seconds it took.

        Raises:
            ProgramEnded: it ended with another code than 0, or not in time.
        """
        self.start(program)
        launcher = self._running[program.name].launcher
        try:
            seconds = self.wait_for(program.name, lambda: launcher.poll() == 0, timeout=timeout)
        finally:
            self.stop(program.name)
        return seconds

    def is_alive(self, name: str) -> bool:
        """Whether the program runs now (not: is ready)."""
        with self._lock:
            running = self._running.get(name)
            return running is not None and running.launcher.poll() is None

    def restarts(self, name: str) -> int:
        """How often it was started again."""
        return self._running[name].restarts

    def pid(self, name: str) -> int:
        """The process id of the program's launcher."""
        return self._running[name].launcher.pid

    def tail(self, name: str, lines: int = 20) -> str:
        """The last lines of the program's log."""
        with contextlib.suppress(OSError):
            text = self._log_path(name).read_text(encoding="utf-8", errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def stop(self, name: str) -> None:
        """Ends one program and everything it started; harmless when it is not running."""
        with self._lock:
            running = self._running.pop(name, None)
            if running is not None:
                running.ended = True
                self._record()
        if running is not None:
            _end(running)

    def closing(self) -> None:
        """Takes no more programs; those that run go on until ``stop_all``."""
        self._closing.set()

    def stop_all(self) -> None:
        """Ends all, the last started first, and takes no more. A second call does nothing."""
        self._closing.set()
        for name in reversed(list(self._running)):
            self.stop(name)
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        if self._alive_read >= 0:
            os.close(self._alive_read)
            os.close(self._alive_write)
            self._alive_read, self._alive_write = -1, -1
            (self.folder / "pids.json").unlink(missing_ok=True)

    def _launch(self, program: Program) -> subprocess.Popen[bytes]:
        environment = child_environment(
            {**program.env, MARK: str(self.folder.resolve())}, runtime_dir=self.folder / "xdg"
        )
        launcher = [
            sys.executable,
            "-I",
            "-S",
            str(_PACT),
            str(self._alive_read),
            "will" if program.last_will else str(program.grace),
            *program.argv,
        ]
        with self._log_path(program.name).open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own programs, no shell
                launcher,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=program.folder or self.folder,
                pass_fds=(self._alive_read,),
                start_new_session=True,
            )

    def _watch(self) -> None:
        while not self._closing.wait(_WATCH):
            with self._lock:
                for running in self._running.values():
                    self._tend(running)

    def _tend(self, running: _Running) -> None:
        code = running.launcher.poll()
        if code is None or running.ended or self._closing.is_set():
            return
        name, now = running.program.name, time.monotonic()
        if running.again_at is None:
            if not running.program.restart:
                running.ended = True
                return
            if now - running.since > _CALM:
                running.waits = _FIRST_WAIT
            running.again_at = now + running.waits
            log.warning("%s 已退出（%s），%.0f 秒后重启", name, code, running.waits)
            running.waits = min(running.waits * 2, _LONGEST_WAIT)
        elif now >= running.again_at:
            running.launcher, running.since, running.again_at = self._launch(running.program), now, None
            running.restarts += 1
            self._record()

    def _record(self) -> None:
        alive = {}
        for name, running in self._running.items():
            with contextlib.suppress(psutil.Error):
                alive[name] = psutil.Process(running.launcher.pid)
        record(self.folder, alive)

    def _log_path(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"


def end_politely_on_signals() -> None:
    """SIGTERM and a closed terminal leave every ``with`` as Ctrl-C does. Main thread only."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, leave)


def _end(running: _Running) -> None:
    launcher = running.launcher
    if launcher.poll() is not None:
        return
    launcher.terminate()
    try:
        launcher.wait(running.program.grace + 5)
    except subprocess.TimeoutExpired:
        launcher.kill()  # its program dies with it (PR_SET_PDEATHSIG)
        launcher.wait()
