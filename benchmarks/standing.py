"""A standing installation for a measurement: a ledger with its city, light simulators, our own workers."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from adapters.stack.ready import ask
from benchmarks.job import Job
from benchmarks.outside import Outside, outside
from config.settings import Settings
from models.domain.errors import ShenguanError
from models.ledger.queries import clock
from tasks.city_loading import load_city_into
from tasks.composition import open_services

_END_S = 60
_PROGRAM = "from flows.cli import main; main()"
"""``shenguan``, of the code that measures."""


class NotMeasured(ShenguanError):  # noqa: N818 - named as the finding it is
    """Something did not come about that a measurement needs; ``said`` is the sentence."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said

    def __str__(self) -> str:
        return f"无法测量：{self.said}"


def until(come: Callable[[], bool], *, seconds: float, every_s: float = 0.1, otherwise: str) -> float:
    """Wait for it; the seconds that took.

    Raises:
        NotMeasured: it did not come true in time.
    """
    begun = time.monotonic()
    while not come():
        if time.monotonic() - begun > seconds:
            raise NotMeasured(otherwise)
        time.sleep(every_s)
    return time.monotonic() - begun


@dataclass(slots=True)
class Standing:
    """What stands: ``url`` the ledger's address, ``environment`` what a worker of ours needs."""

    folder: Path
    url: str
    world: Outside
    environment: dict[str, str]
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def control(self) -> Mapping[str, str]:
        """The header that opens the simulators' control routes."""
        return {"X-Sim-Control": self.world.environment["BENCH_CONTROL"]}

    def address(self, system: str) -> str:
        """A simulator's base address."""
        return self.environment[f"SHENGUAN_{system.upper()}_URL"]

    def tell(self, system: str, what: str, body: Any) -> Any:
        """Steer a simulator."""
        return ask(f"{self.address(system)}/_sim/{what}", body=body, headers=self.control)

    def held(self, system: str) -> list[dict[str, Any]]:
        """What a simulator has stored, one effect each."""
        path = self.world.folder / f"{system}.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def published(self, system: str) -> list[dict[str, Any]]:
        """What a simulator has put into its feeds, one record each."""
        path = self.world.folder / f"{system}.feed.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def settings(self) -> Settings:
        """The same for a step of ours in this process."""
        given = {
            name.removeprefix("SHENGUAN_").lower(): value
            for name, value in self.environment.items()
            if name.startswith("SHENGUAN_")
        }
        return Settings(**given)  # type: ignore[arg-type]

    def start_worker(self, **changes: str) -> None:
        """``shenguan dispatch`` in a process of its own; its log lies beside the simulators' files."""
        log = (self.folder / f"worker-{len(self.workers)}.log").open("wb")
        environment = {**self.environment, "SHENGUAN_LOG_FORMAT": "json", **changes}
        with log:
            self.workers.append(
                subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-c", _PROGRAM, "dispatch"], env=environment, stdout=log, stderr=log
                )
            )

    def stop_workers(self) -> None:
        """They finish what is in hand.

        Raises:
            RuntimeError: one ended by itself, or did not end.
        """
        workers, self.workers = self.workers, []
        ended = [worker.pid for worker in workers if worker.poll() is not None]
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait(_END_S)
        if ended:
            raise RuntimeError(f"有 {len(ended)} 个分发进程中途退出，日志在 {self.folder}")

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What the ledger answers."""
        with psycopg.connect(self.url) as conn:
            return conn.execute(statement.encode(), values).fetchall()

    def wait(self, done: Callable[[], bool], *, seconds: float) -> bool:
        """Whether it came true in time."""
        with suppress(NotMeasured):
            until(done, seconds=seconds, otherwise="")
            return True
        return False


@contextmanager
def standing(folder: Path, job: Job, url: str, keys: Path) -> Iterator[Standing]:
    """An empty ledger with the city's people, and simulators that have the same business time."""
    shutil.rmtree(folder, ignore_errors=True)
    with ExitStack() as stack:
        world = stack.enter_context(outside(folder, job))
        strange = ("SHENGUAN_", "PREFECT_")
        given = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        environment = given | {
            **{name: value for name, value in world.environment.items() if name.startswith("SHENGUAN_")},
            "SHENGUAN_DATABASE_URL": url,
            "SHENGUAN_SEAL_KEYS_FILE": str(keys.resolve()),
            "SHENGUAN_JOURNAL_DIR": str((folder / "journal").resolve()),
            "SHENGUAN_LISTENER_PATH_SECRET": secrets.token_urlsafe(24),
            "SHENGUAN_VAR_DIR": str((folder / "var").resolve()),
        }
        made = Standing(folder, url, world, environment)
        stack.callback(_end, made)
        yield made


async def settle_in(made: Standing, job: Job, *, now: datetime, rate: int) -> None:
    """The city is in the ledger, and it is ``now`` for everybody."""
    async with open_services(made.settings()) as services:
        await load_city_into(services.ledger, services.sealing, services.city, job.liaisons)
        async with services.ledger.writing() as conn:
            await clock.set_clock(conn, business=now, rate=Decimal(rate))
            anchors = await clock.anchors(conn)
    assert anchors is not None
    for system in ("platform", "credit", "sms"):
        made.tell(
            system,
            "clock",
            {
                "anchor_machine": anchors[0].isoformat(),
                "anchor_business": anchors[1].isoformat(),
                "rate": rate,
            },
        )


def _end(made: Standing) -> None:
    for worker in made.workers:
        worker.kill()
        worker.wait()
