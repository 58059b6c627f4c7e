"""What the desk shows, read at one moment: how things stand, and today by stage, hour and department."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Any

from models.domain.messages import SYSTEMS
from models.domain.workdays import Calendar, business_day, start_of_day
from models.ledger.connection import Ledger
from models.ledger.queries import clock, desk, operators, reconciling
from tasks.operators.accounts import GUESSED_HOURS, Guessed, read_guessed
from tasks.standing import read_status
from tasks.status_told import Status

SILENT_S = 120.0
"""A feed nobody has read for so long: whoever should read it is silent."""


class Level(IntEnum):
    """How bad it is, for the colour people see first."""

    FINE = 0
    ATTENTION = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Department:
    """One department today; the oldest unread handover was claimed at ``oldest_unread``."""

    department: str
    pushed: int
    waiting: int
    stopped: int
    unread: int
    oldest_unread: datetime | None


@dataclass(frozen=True, slots=True)
class Dead:
    """A target that does not answer, since when (machine time)."""

    name: str
    since: datetime
    answer: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The last day of one system that was reconciled: of ``ours`` they have ``agreed``."""

    system: str
    day: date
    ours: int
    agreed: int
    unexplained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything the pages are drawn from. No person is in it."""

    status: Status
    day_begins: datetime
    flow: dict[str, int]
    by_hour: dict[int, int]
    departments: tuple[Department, ...]
    texts: dict[str, int]
    dead: tuple[Dead, ...]
    reconciled: tuple[Reconciled, ...]
    guessed: tuple[Guessed, ...]
    unknown_names: int
    dispatching: int

    @property
    def silent_s(self) -> float | None:
        """How long ago the feed of cases was read, in seconds; None where it never was."""
        return max((feed.age_s for feed in self.status.feeds if feed.feed == "cases"), default=None)

    @property
    def no_phone(self) -> int:
        """News that nobody could be told, for want of a phone."""
        return sum(each.count for each in self.status.no_phone)

    @property
    def unread(self) -> int:
        """Handovers that nobody has opened."""
        return sum(each.unread for each in self.departments)

    @property
    def verdict(self) -> tuple[Level, str]:
        """The one line that says whether all is well, and how bad it is."""
        status = self.status
        if self.silent_s is None:
            return Level.BAD, "分发器还没有读过数据源，请查看进程 shenguan dispatch"
        if self.silent_s > SILENT_S:
            return Level.BAD, f"分发器已 {self.silent_s / 60:.0f} 分钟没有动静"
        if status.overdue_total:
            return Level.BAD, f"{status.overdue_total} 项已逾期，请先处理"
        if self.dead:
            return Level.BAD, f"{len(self.dead)} 个对方系统中断，其办件在等"
        stopped = status.refused + status.held
        todo = stopped + len(status.incidents) + sum(each.count for each in status.quarantine)
        todo += len(self.guessed) + self.dispatching + self.no_phone
        if todo:
            return Level.ATTENTION, f"{todo} 项等人处理，均未逾期"
        return Level.FINE, "一切正常"


async def read_desk(ledger: Ledger, calendar: Calendar) -> Desk:
    """The desk as it is now."""
    status = await read_status(ledger, calendar)
    async with ledger.reading(snapshot=True) as conn:
        since = start_of_day(business_day(await clock.business_now(conn)))
        return Desk(
            status=status,
            day_begins=since,
            flow=await desk.flow(conn, since),
            by_hour=await desk.by_hour(conn, since),
            departments=tuple(Department(**row) for row in await desk.by_department(conn, since)),
            texts=await desk.texts(conn, since),
            reconciled=tuple(
                Reconciled(**(row | {"system": SYSTEMS.get(row["system"], row["system"])}))
                for row in await reconciling.last_days(conn)
            ),
            dead=tuple(_dead(row) for row in await desk.open_breakers(conn)),
            guessed=await read_guessed(conn),
            dispatching=await desk.dispatching(conn),
            unknown_names=await operators.unknown_names(conn, hours=GUESSED_HOURS),
        )


def _dead(row: dict[str, Any]) -> Dead:
    system = SYSTEMS.get(row["system"], row["system"])
    name = row["department"] or row["target"]
    return Dead(f"{system}·{name}" if name else system, row["opened_at"], row["last_answer"] or "")
