"""The process in which one system works: started, told to go on, and asked what it measured."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, Self

from benchmarks.job import Job


class WrongJob(RuntimeError):  # noqa: N818 - named as the finding it is
    """A system did not do the job: the outside holds something else than was owed."""


class Driven:
    """``benchmarks.systems.run`` in a process of its own, for the time of the ``with``."""

    def __init__(self, name: str, job: Job, environment: Mapping[str, str]) -> None:
        self._argv = [sys.executable, "-m", "benchmarks.systems.run", name, str(job.folder), str(job.cases)]
        self._environment = dict(environment)

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(  # noqa: S603 - our own program
            self._argv, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()

    def hear(self, word: str) -> None:
        """Return when it says the word.

        Raises:
            WrongJob: it says something else, or has ended.
        """
        said = self._said()
        if said != word:
            time.sleep(0.2)
            raise WrongJob(f"基准进程中断：应答 {said!r}，退出码 {self._child.poll()}")

    def go(self) -> None:
        """It may go on."""
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()

    def figures(self) -> dict[str, Any]:
        """What it measured.

        Raises:
            WrongJob: it has ended without a figure.
        """
        said = self._said()
        if not said:
            raise WrongJob(f"基准进程中断，退出码 {self._child.poll()}")
        figures: dict[str, Any] = json.loads(said)
        return figures

    def _said(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()
