"""The systems that reconciliation asks: their counts, the lists behind these, what they hold by own id."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from adapters.credit.port import Credit
from adapters.platform.port import Platform
from adapters.receipts import stored_rows
from adapters.values import CountRow, Page, Stored, StoredRow
from models.domain.errors import Unreadable
from tasks.composition import Services

_PAGE = 500
_LOOKS_AT_ONCE = 8
_MAY_COME = 10_000
"""Rows that may be stored between the count of today and the end of its list."""
Group = tuple[str, str, str]
"""Kind, department, stage; empty where the system counts without."""


class Side(Protocol):
    """One system's account, as reconciliation asks for it."""

    @property
    def name(self) -> str:
        """The system's name."""
        ...

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that lead there."""
        ...

    async def counts(self, day: date) -> tuple[CountRow, ...]:
        """Their counts of a day."""
        ...

    async def page(self, day: date, group: Group, cursor: str | None) -> Page:
        """A page of what stands behind a count."""
        ...

    async def find(self, channel: str, own_id: str) -> Stored | None:
        """What they hold under an own id, on whatever day."""
        ...


@dataclass(frozen=True, slots=True)
class PlatformSide:
    """The platform: pushes, recalls and returns."""

    platform: Platform
    name: str = "platform"
    channels: tuple[str, ...] = ("push", "recall", "return")

    async def counts(self, day: date) -> tuple[CountRow, ...]:
        """See ``Side``."""
        return await self.platform.counts(day.isoformat())

    async def page(self, day: date, group: Group, cursor: str | None) -> Page:
        """See ``Side``."""
        kind, department, _ = group
        return await self.platform.effects(
            day.isoformat(), cursor, kind=kind, department=department, limit=_PAGE
        )

    async def find(self, channel: str, own_id: str) -> Stored | None:
        """See ``Side``."""
        return await self.platform.find(channel, own_id)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class CreditSide:
    """The credit system: approvals and penalties."""

    credit: Credit
    name: str = "credit"
    channels: tuple[str, ...] = ("credit_report",)

    async def counts(self, day: date) -> tuple[CountRow, ...]:
        """See ``Side``."""
        return await self.credit.counts(day.isoformat())

    async def page(self, day: date, group: Group, cursor: str | None) -> Page:
        """See ``Side``."""
        return await self.credit.effects(day.isoformat(), cursor, kind=group[0], limit=_PAGE)

    async def find(self, _channel: str, own_id: str) -> Stored | None:
        """See ``Side``."""
        return await self.credit.find(own_id)


def sides(services: Services) -> tuple[Side, ...]:
    """The systems that can be asked."""
    return PlatformSide(services.platform), CreditSide(services.credit)


async def pages_of(
    side: Side, day: date, group: Group, counts: Sequence[CountRow]
) -> AsyncIterator[Sequence[StoredRow]]:
    """Every page of what stands behind one of their counts of that day.

    Raises:
        Unreadable: the list does not end: a cursor or nothing but known rows again, or far more than counted.
    """
    kind, department, stage = group
    most = sum(row.count for row in counts if (row.kind, row.department or "") == (kind, department))
    asked: set[str | None] = set()
    listed: set[str] = set()
    cursor, more = None, True
    while more:
        asked.add(cursor)
        page = await side.page(day, group, cursor)
        cursor, more = page.next_cursor, page.has_more
        rows = stored_rows(page, side.name)
        known = len(listed)
        listed.update(row.own_id for row in rows)
        if more and (cursor in asked or len(listed) == known):
            raise Unreadable(side.name, "list-in-circles")
        if len(listed) > most + _MAY_COME:
            raise Unreadable(side.name, "list-past-its-count")
        yield [row for row in rows if (row.stage or "") == stage]


async def looked_up(side: Side, wanted: Sequence[tuple[str, str]]) -> dict[str, Stored | None]:
    """What they hold under each (channel, own id), whatever the day; a few questions at once.

    The first that finds the system away ends the others.
    """
    gate = asyncio.Semaphore(_LOOKS_AT_ONCE)

    async def one(channel: str, own_id: str) -> Stored | None:
        async with gate:
            return await side.find(channel, own_id)

    try:
        async with asyncio.TaskGroup() as beside:
            asked = {own_id: beside.create_task(one(channel, own_id)) for channel, own_id in wanted}
    except ExceptionGroup as failed:  # one question in other words each: the first says why
        raise failed.exceptions[0] from None
    return {own_id: question.result() for own_id, question in asked.items()}
