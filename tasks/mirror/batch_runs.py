"""What the dispatcher has done, as runs in Prefect: one a minute in which it did something.

Written beside the work and never on its path. While Prefect is away the minutes wait, and the oldest
of very many are told as one; what the ledger holds is told by the mirror in any case.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.values import LogLine, NewRun, PrefectSaidNo, State
from models.domain.workdays import SHANGHAI
from tasks import steps
from tasks.composition import Services
from tasks.draining import worked
from tasks.mirror.showing import AWAY
from tasks.steps import Counts, Step

log = structlog.get_logger(__name__)

DEPLOYMENT = "dispatch"
_SERVER_ERROR = 500
_KEPT = 240
"""Minutes that wait for Prefect one by one; four hours."""
_NAMES = {
    "new": "新到",
    "admitted": "通过",
    "stale": "旧版本",
    "parked": "待清单",
    "not_applicable": "不适用",
    "quarantined": "隔离",
    "accepted": "成功",
    "refused": "被拒",
    "unknown": "结果未明",
    "not_done": "未成，将再试",
    "planned": "已拟",
    "checks": "已查",
    "claimed": "认领",
    "observing": "进入观察期",
    "closed": "观察期满",
    "settled": "闭环",
    "matched": "对上回执",
    "held": "暂挂",
    "recovered": "接续",
    "routed": "已分派",
    "failed": "出错",
    "sealed": "封存",
    "away": "对方不可达",
}
_SHORT = (
    ("send_pushes", "accepted", "推送"),
    ("tell_liaisons", "accepted", "短信"),
    ("send_reports", "accepted", "报送"),
    ("send_returns", "accepted", "回传"),
    ("settle", "settled", "闭环"),
)
_NEVER_SHOWN = frozenset({"seen", "repeated", "secret", "withheld", "paced", "busy", "lease_lost"})


@dataclass(slots=True)
class Minute:
    """What was done from ``begun`` on: by step, what came of how many."""

    begun: datetime
    until: datetime
    begun_to_tell: bool = False
    done: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, step: str, counts: Mapping[str, int]) -> None:
        """Count this as well."""
        self.done.setdefault(step, Counter()).update(counts)

    def swallow(self, later: "Minute") -> None:
        """Tell the later one's as this one's."""
        self.until = later.until
        for step, counts in later.done.items():
            self.add(step, counts)

    @property
    def failed(self) -> bool:
        """Whether a step failed meanwhile."""
        return any(counts["failed"] for counts in self.done.values())

    def run(self, worker: str) -> NewRun:
        """The run that shows it."""
        short = "、".join(
            f"{word} {self.done[step][name]}"
            for step, name, word in _SHORT
            if step in self.done and self.done[step][name]
        )
        begun, until = (at.astimezone(SHANGHAI) for at in (self.begun, self.until))
        name = f"分发 {begun:%m-%d %H:%M}—{until:%H:%M}" + (f" · {short}" if short else "")
        state = State("FAILED", "有步骤出错") if self.failed else State("COMPLETED", "已完成")
        return NewRun(f"dispatch:{worker}:{self.begun.isoformat()}", name, state, {}, ("分发",))

    def lines(self, run: UUID) -> list[LogLine]:
        """One line a step, in the order of the procedure; each is known by its logger."""
        found: list[LogLine] = []
        for step in steps.EVERY_STEP:
            counts = self.done.get(step.__name__, Counter())
            if line := line_of(step, counts):
                at = self.begun + timedelta(milliseconds=len(found))
                level = 30 if counts["failed"] else 20
                found.append(LogLine(run, at, line, level, f"shenguan.dispatch.{step.__name__}"))
        return found


def line_of(step: Step, counts: Mapping[str, int]) -> str:
    """What a step did as people read it; empty where that is nothing to tell."""
    told = "，".join(
        f"{_NAMES.get(name, name)} {n}" for name, n in counts.items() if n and name not in _NEVER_SHOWN
    )
    return f"{(step.__doc__ or step.__name__).strip().rstrip('.')}：{told}" if told else ""


class BatchRuns:
    """One dispatcher's minutes, and their way to Prefect."""

    def __init__(
        self, services: Services, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        settings = services.settings
        self._url = settings.prefect_api_url
        self._auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
        self._worker = services.worker
        self._now = now
        self._open: Minute | None = None
        self.waiting: list[Minute] = []

    def note(self, did: Mapping[str, Counts]) -> None:
        """Remember what a round did; a round at rest is nothing to tell."""
        for step, counts in did.items():
            if worked(counts) or counts.get("failed"):
                if self._open is None:
                    now = self._now()
                    self._open = Minute(now, now)
                self._open.add(step, counts)

    async def keep_telling(self, stop: asyncio.Event, *, every_s: float) -> None:
        """Tell minute after minute until told to stop, and then what is left."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)
            self._close()
            await self.tell()

    async def tell(self) -> None:
        """Write what waits, the oldest first; whatever Prefect does not take goes on waiting."""
        if self._url is None or not self.waiting:
            return
        with suppress(*AWAY):
            async with PrefectApi(self._url, auth=self._auth) as prefect:
                deployment = await prefect.deployment_id(DEPLOYMENT)
                while deployment is not None and self.waiting:
                    minute = self.waiting[0]
                    run = minute.run(self._worker)
                    made = await prefect.create_runs(deployment, [run])
                    if run.key not in made:
                        return
                    await self._tell_lines(prefect, minute, made[run.key])
                    self.waiting.pop(0)

    async def _tell_lines(self, prefect: PrefectApi, minute: Minute, run: UUID) -> None:
        """Write what is not there yet: an answer that was lost leaves open whether the lines are."""
        there: set[str] = set()
        if minute.begun_to_tell:
            there = {logger for _, logger in await prefect.loggers_of([run])}
        minute.begun_to_tell = True
        try:
            await prefect.write_logs([line for line in minute.lines(run) if line.logger not in there])
        except PrefectSaidNo as said:
            if said.status >= _SERVER_ERROR:
                raise
            # It will not take these lines tomorrow either, and the minutes behind them wait.
            log.warning("batch_runs.lines_not_taken", status=said.status)

    def _close(self) -> None:
        minute, self._open = self._open, None
        if minute is None or self._url is None:
            return
        minute.until = self._now()
        self.waiting.append(minute)
        if len(self.waiting) > _KEPT:
            self.waiting[0].swallow(self.waiting.pop(1))
