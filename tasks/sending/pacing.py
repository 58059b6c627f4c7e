"""Calls that keep a target's limits, whoever makes them: slots taken with the lease, waited for in turn.

Nothing of it is done where no limit is set.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol

from config.call_limits import CallLimit, call_limits
from models.domain.lifecycles.effect import Channel
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger, LedgerUnavailable
from models.ledger.queries import call_slots

_AHEAD_S = 0.5
"""How far ahead slots are taken with a lease: their calls leave in this time, or the slot is lost."""
_SYSTEM = {
    Channel.PUSH: "platform",
    Channel.RECALL: "platform",
    Channel.RETURN: "platform",
    Channel.CREDIT_REPORT: "credit",
    Channel.SMS: "sms",
}
_NO_LIMIT = CallLimit(None, None)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one channel's calls: its system's, and those of single departments."""

    system: str
    whole: CallLimit = _NO_LIMIT
    departments: Mapping[str, CallLimit] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_set(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.departments) or self.whole != _NO_LIMIT


@lru_cache(maxsize=8)
def limits_of(text: str, channel: Channel) -> Limits:
    """What the setting says of this channel."""
    said = call_limits(text)
    system = _SYSTEM[channel]
    departments = {name: each for name, each in said.items() if name not in _SYSTEM.values()}
    return Limits(
        system, said.get(system, _NO_LIMIT), departments if channel is Channel.PUSH else MappingProxyType({})
    )


@dataclass(slots=True)
class Slots:
    """Calls that may leave to one target: ``many`` of them, from ``in_s`` on, ``every_s`` apart."""

    target: str
    many: int
    in_s: float = 0.0
    every_s: float = 0.0

    async def keep(self, conn: Conn, many: int) -> deque[float]:
        """Take the first ``many``, in the transaction that locked them; when each is due, monotonic."""
        if self.every_s and many:
            await call_slots.take(conn, self.target, in_s=self.in_s, lasts_s=many * self.every_s)
        begins = time.monotonic() + self.in_s
        return deque(begins + number * self.every_s for number in range(many) if self.every_s)


async def free_slots(conn: Conn, target: str, limit: CallLimit, channels: list[str], *, most: int) -> Slots:
    """How many calls to the target may leave soon, ``most`` at most; locked until the transaction ends."""
    place = await call_slots.lock(conn, target, channels)
    if limit.in_flight is not None:
        most = max(0, min(most, limit.in_flight - place.in_flight))
    if limit.per_s is None:
        return Slots(target, most)
    soon = int((_AHEAD_S - place.in_s) * limit.per_s) + 1 if place.in_s < _AHEAD_S else 0
    return Slots(target, min(most, soon), place.in_s, 1 / limit.per_s)


class Pace:
    """When the calls of one lease may leave. A call beyond what was taken takes a slot of its own."""

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self.limits = limits
        self._ledger = ledger
        self.whole: deque[float] = deque()
        self.departments: dict[str, deque[float]] = {}

    async def turn(self, target: str) -> bool:
        """True when the next call to this target may leave; False when no slot can be had."""
        limit = self.limits.departments.get(target)
        try:
            at = await self._next(self.limits.system, self.limits.whole, self.whole)
            if limit is not None:
                at = max(at, await self._next(target, limit, self.departments.setdefault(target, deque())))
        except LedgerUnavailable:
            return False
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        return True

    async def _next(self, target: str, limit: CallLimit, taken: deque[float]) -> float:
        if limit.per_s is None:
            return 0.0
        if not taken:
            taken.append(await _one_slot(self._ledger, target, limit.per_s))
        return taken.popleft()


def pace_of(ledger: Ledger, limits: Limits | None) -> Pace | None:
    """The pace of one lease under these limits; None where none is set."""
    return None if limits is None else Pace(ledger, limits)


class Take(Protocol):
    """A taking of all that is said but how many, and whose."""

    async def __call__(
        self, *, limit: int, blocked: Sequence[str] = (), only: str | None = None, probe: bool = False
    ) -> list[dict[str, Any]]:
        """The rows taken."""


async def turn(ledger: Ledger, text: str, system: str) -> None:
    """Return when a call beside the effects, a page of a feed or a look-up, may leave to this system."""
    if not text:
        return
    limit = call_limits(text).get(system, _NO_LIMIT)
    if limit.per_s is not None:
        at = await _one_slot(ledger, system, limit.per_s)
        await asyncio.sleep(max(0.0, at - time.monotonic()))


async def _one_slot(ledger: Ledger, target: str, per_s: float) -> float:
    async with ledger.writing() as conn:
        place = await call_slots.lock(conn, target, [])
        await call_slots.take(conn, target, in_s=place.in_s, lasts_s=1 / per_s)
        return time.monotonic() + place.in_s


async def taken_within(
    conn: Conn,
    pace: Pace,
    take: Take,
    *,
    blocked: Sequence[str],
    batch: int,
    per_call: int,
    at_once: int,
    by_department: bool,
) -> tuple[list[dict[str, Any]], bool]:
    """What ``take`` finds, as much as may leave soon; the slots it uses are taken in this transaction.

    ``by_department`` asks for the departments with a limit one by one, so that what they must wait for
    keeps nobody else waiting. Also whether nothing was found and more may leave soon.
    """
    limits = pace.limits
    channels = [channel.value for channel, system in _SYSTEM.items() if system == limits.system]
    most = -(-batch // per_call)
    if limits.whole.in_flight is not None:
        most = min(most, at_once)  # what would only wait here is another worker's
    whole = await free_slots(conn, limits.system, limits.whole, channels, most=most)
    rows: list[dict[str, Any]] = []
    left, full = whole.many, whole.many == 0
    apart = sorted(limits.departments.keys() - set(blocked)) if by_department else []
    for department in apart:
        slots = await free_slots(conn, department, limits.departments[department], [], most=left)
        full = full or slots.many == 0
        found = await take(limit=slots.many, only=department) if slots.many else []
        pace.departments[department] = await slots.keep(conn, len(found))
        rows += found
        left -= len(found)
    if left:
        rows += await take(limit=min(batch, left * per_call), blocked=[*blocked, *apart])
    pace.whole = await whole.keep(conn, -(-len(rows) // per_call))
    return rows, full and not rows
