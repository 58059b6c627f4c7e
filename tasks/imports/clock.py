"""The business clock of an import: each record's day in turn, never backwards."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from models.domain.errors import ShenguanError
from models.domain.workdays import SHANGHAI
from models.ledger.connection import Ledger
from models.ledger.queries import clock, importing

CLOSING_TIME = time(18)
"""By then what a day brings has been written down, and texts may still go."""
_MACHINE_RATE = Decimal(1)
_REAL = 2.0

Tell = Callable[[datetime], None]
"""Tells the simulators, where they are ours, what time it is."""


class ClockIsReal(ShenguanError):  # noqa: N818 - named as the finding it is
    """A ledger that lives on the machine's clock is not sent back to the days of a file."""

    def __str__(self) -> str:
        return "台账已在使用机器时间，业务时钟不能拨回记录日期；请改用 --clock now"


async def is_simulated(ledger: Ledger) -> bool:
    """Whether the ledger's clock was set to another time than the machine's."""
    async with ledger.reading() as conn:
        anchors = await clock.anchors(conn)
    if anchors is None:
        return False
    machine, business, rate = anchors
    return rate != _MACHINE_RATE or abs((machine - business).total_seconds()) > _REAL


@dataclass(slots=True)
class RecordClock:
    """The ledger's business clock during an import; ``rate`` is what it goes at between two steps."""

    ledger: Ledger
    rate: Decimal
    tell: Tell | None
    was_real: bool

    @property
    def stands(self) -> bool:
        """Whether it moves only when it is moved."""
        return self.rate == 0

    async def reach(self, day: date, at: time = CLOSING_TIME) -> datetime:
        """It is this time of this day, or later where it was later; what it is now."""
        wanted = datetime.combine(day, at, SHANGHAI)
        if self.was_real:
            wanted = min(wanted, datetime.now(UTC))
        async with self.ledger.reading() as conn:
            now = await clock.business_now(conn)
        if wanted <= now:
            return now
        return await self.set(wanted)

    async def set(self, moment: datetime) -> datetime:
        """It is this moment, whatever it was; the simulators first, so that nothing of ours is ahead."""
        if self.tell is not None:
            self.tell(moment)
        async with self.ledger.writing() as conn:
            await clock.set_clock(conn, business=moment, rate=self.rate)
        return moment


@asynccontextmanager
async def record_clock(
    ledger: Ledger, first: date, *, tell: Tell | None = None
) -> AsyncIterator[RecordClock]:
    """The clock at the first record's day. A ledger whose clock was the machine's gets that back.

    Raises:
        ClockIsReal: the ledger holds records already and its clock is the machine's.
    """
    simulated = await is_simulated(ledger)
    async with ledger.reading() as conn:
        anchors = await clock.anchors(conn)
        empty = await importing.is_empty(conn)
    if simulated and anchors is not None:
        yield RecordClock(ledger, anchors[2], tell, was_real=False)
        return
    if not empty:
        raise ClockIsReal
    going = RecordClock(ledger, Decimal(0), tell, was_real=tell is None)
    await going.set(datetime.combine(first, CLOSING_TIME, SHANGHAI))
    try:
        yield going
    finally:
        if going.was_real:
            async with ledger.writing() as conn:
                await clock.set_clock(conn, business=datetime.now(UTC), rate=_MACHINE_RATE)
