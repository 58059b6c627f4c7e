"""The business clock of a standing stack: fast while all systems are simulated, else the machine's."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from models.domain.errors import ShenguanError
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock

FAST = 8640
"""Business seconds a machine second: a day in ten seconds."""
_MACHINES_OWN = 1


class WrongLedger(ShenguanError):  # noqa: N818 - named as the finding it is
    """Invented cases must never meet a real system, nor real ones a simulator."""

    def __init__(self, invented: bool) -> None:  # noqa: FBT001 - what was found, not how to behave
        super().__init__(invented)
        self.invented = invented

    def __str__(self) -> str:
        if self.invented:
            return (
                "台账里是仿真数据（业务时钟是模拟的），不能接入真实系统。"
                "请另用一个空的台账：设置 SHENGUAN_DATABASE_URL"
            )
        return (
            "台账里是真实数据，不能与仿真系统一起运行。请设置 SHENGUAN_PLATFORM_URL、SHENGUAN_CREDIT_URL、"
            "SHENGUAN_SMS_URL，或另用一个空的台账"
        )


@dataclass(frozen=True, slots=True)
class Reached:
    """The business time now, and how many of its seconds go by in one of the machine's."""

    now: datetime
    rate: int


async def begin_fast(ledger: Ledger, *, begins: datetime, ends: datetime, longest_s: float) -> Reached:
    """The fast clock starts, or goes on where a stack was when it ended, however long ago.

    Raises:
        WrongLedger: the ledger holds records of the real world.
    """
    async with ledger.writing() as conn:
        if await clock.lives_on_machine_time(conn):
            raise WrongLedger(False)  # noqa: FBT003 - its one field
        now = await clock.beat(conn, longest_s=longest_s) or begins
        return await _set(conn, now, ends)


async def keep_fast(ledger: Ledger, *, ends: datetime, longest_s: float) -> Reached:
    """Note how far the fast clock has come, so that it stands still while nothing keeps it.

    Once everything of the simulated world has come in, it goes on as the machine's clock does.
    """
    async with ledger.writing() as conn:
        now = await clock.beat(conn, longest_s=longest_s)
        assert now is not None, "begin_fast has set it"
        return await _set(conn, now, ends)


async def assert_real(ledger: Ledger) -> None:
    """Nothing simulated has ever come in.

    Raises:
        WrongLedger: the ledger's clock was set for simulated systems.
    """
    async with ledger.reading() as conn:
        if await clock.anchors(conn) is not None:
            raise WrongLedger(True)  # noqa: FBT003 - its one field


async def _set(conn: Conn, now: datetime, ends: datetime) -> Reached:
    rate = FAST if now < ends else _MACHINES_OWN
    await clock.set_clock(conn, business=now, rate=Decimal(rate))
    return Reached(now, rate)
