"""Take in what a feed has: every record sealed in the inbox as it came, then the watermark moves.

Pages repeat, shift and come out of order; the inbox knows a record by its bytes, and the feed is
read a second time from an older place, so that a record which slipped behind the cursor is found.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog

from adapters.values import Page, RawItem
from models.domain.canonical import sha256_hex
from models.domain.keys import row_id
from models.domain.person_numbers import ANY_YEAR, is_of_a_person
from models.domain.record import NUMBER_LIMIT
from models.ledger.connection import Ledger
from models.ledger.queries import inbox, watermarks
from models.ledger.sealing import Sealing
from tasks.evidence.subjects import sealed_rows

log = structlog.get_logger(__name__)

Fetch = Callable[[str | None], Coroutine[Any, Any, Page]]

_AT_REST = timedelta(seconds=10)
"""A feed that brings nothing new is noted as read this often: a reading at rest writes nothing else."""
_SECRET = re.compile(rb'"secrecy"\s*:\s*"(?!none")')
_OPEN = re.compile(rb'"secrecy"\s*:\s*"none"')
_YEAR = re.compile(r"\d{4}(?=-)", re.ASCII)
_AGAIN = 2
"""Pages of a long reading that the next one goes over again; of a shorter one all that was new."""
_PAGES = 100_000
"""Pages of one reading at most; a feed that goes round is left where it was."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed of one source, and how its records name themselves."""

    source: str
    name: str
    kind: str
    key_field: str
    version_field: str


CASES = Feed("platform", "cases", "case", "case_no", "data_version")
FEEDBACK = Feed("platform", "feedback", "feedback", "feedback_no", "version")
CREDIT_RECORDS = Feed("credit", "records", "credit_record", "record_no", "version")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One inward record before it is kept; ``line_no`` and ``business_date`` are a file's."""

    item: RawItem
    line_no: int | None = None
    business_date: date | None = None


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How many records were seen, new, repeated, and refused as secret before storage."""

    seen: int = 0
    new: int = 0
    repeated: int = 0
    secret: int = 0

    def __add__(self, other: "TakenIn") -> "TakenIn":
        return TakenIn(
            self.seen + other.seen,
            self.new + other.new,
            self.repeated + other.repeated,
            self.secret + other.secret,
        )


async def take_in(
    ledger: Ledger,
    sealing: Sealing,
    fetch: Fetch,
    feed: Feed,
    *,
    reread_after: timedelta = timedelta(seconds=30),
) -> TakenIn:
    """Read the feed to its end, beginning at the last two pages of the one before.

    One that slipped behind the cursor is found by the next reading, if it lies that near. The longer
    second reading every ``reread_after`` goes over all that was passed in the last such time and the one
    before: whatever comes late by up to ``reread_after`` is found by it, wherever it lies.

    Raises:
        NotDone, Throttled, Unreadable: the source cannot be read now; what was read is kept.
        LedgerUnavailable: what was read last will be read again.
    """
    async with ledger.reading() as conn:
        mark = await watermarks.read(conn, feed.source, feed.name)
    head = mark["cursor"]
    due = mark["trailing_at"] is None or mark["trailing_at"] < datetime.now(UTC) - reread_after
    begin = mark["trailing_cursor"] if due else mark["previous_cursor"]
    noted = mark["moved_at"] is not None and mark["moved_at"] > datetime.now(UTC) - _AT_REST
    taken, brought = await _read_on(ledger, sealing, fetch, feed, begin, known_end=head if noted else None)
    again_from = brought[-_AGAIN] if len(brought) > _AGAIN else head
    if due or mark["previous_cursor"] != again_from:
        async with ledger.writing() as conn:
            await watermarks.follow(conn, feed.source, feed.name, again_from)
            if due:
                await watermarks.trail(conn, feed.source, feed.name, head)
    if taken.new or taken.secret:
        log.info("feed.taken_in", feed=feed.name, seen=taken.seen, new=taken.new, withheld=taken.secret)
    return taken


async def _read_on(
    ledger: Ledger,
    sealing: Sealing,
    fetch: Fetch,
    feed: Feed,
    cursor: str | None,
    *,
    known_end: str | None,
) -> tuple[TakenIn, list[str | None]]:
    """What came, and the beginnings of the pages that brought something new."""
    taken = TakenIn()
    brought: list[str | None] = []
    seen = {cursor}
    coming: asyncio.Task[Page] | None = asyncio.create_task(fetch(cursor))
    try:
        while coming is not None and len(seen) <= _PAGES:
            page = await coming
            coming, begun = None, cursor
            cursor = page.next_cursor
            if not page.items and not page.has_more and page.next_cursor == known_end:
                break
            if page.has_more and page.next_cursor not in seen:
                seen.add(page.next_cursor)
                # The next page is on its way while this one is kept.
                coming = asyncio.create_task(fetch(page.next_cursor))
            arrivals = [Arrival(item) for item in page.items]
            kept = await keep(ledger, sealing, feed, arrivals, cursor=page.next_cursor)
            taken += kept
            if kept.new or kept.secret:
                brought.append(begun)
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
    return taken, brought


async def keep(
    ledger: Ledger, sealing: Sealing, feed: Feed, arrivals: list[Arrival], *, cursor: str | None = None
) -> TakenIn:
    """Seal and keep the records that are new; secret ones are refused here and only counted."""
    open_ones = [
        replace(arrival, item=_storable(feed, arrival.item))
        for arrival in arrivals
        if not _is_secret(feed, arrival.item)
    ]
    secret = [arrival.item for arrival in arrivals if _is_secret(feed, arrival.item)]
    rows: dict[object, tuple[Arrival, inbox.NewInbox]] = {}
    for arrival in open_ones:
        row = inbox_row(feed, arrival)
        rows.setdefault(row.id, (arrival, row))
    async with ledger.writing() as conn:
        known = await inbox.known(conn, [row.id for _, row in rows.values()])
        fresh = [(arrival, row) for arrival, row in rows.values() if row.id not in known]
        new = await inbox.add(conn, await sealed_rows(conn, sealing, fresh))
        await inbox.count_secret(conn, [sealing.index("secret_case", _key(feed, item)) for item in secret])
        if cursor is not None:
            await watermarks.move(conn, feed.source, feed.name, cursor, repeats=len(open_ones) - len(new))
    return TakenIn(len(arrivals), len(new), len(open_ones) - len(new), len(secret))


def _is_secret(feed: Feed, item: RawItem) -> bool:
    """Fail closed: whatever does not say ``none`` where it says something is refused."""
    if feed.kind != "case":
        return False
    if isinstance(item.value, dict):
        said = item.value.get("secrecy")
        return not (said is None or said == "none")
    return _SECRET.search(item.raw) is not None


def _storable(feed: Feed, item: RawItem) -> RawItem:
    """The item as it may be kept: a case cut off before it said that it is open leaves no bytes behind."""
    if feed.kind == "case" and item.fault == "too-large" and _OPEN.search(item.raw) is None:
        return RawItem(b"", {feed.key_field: _key(feed, item)}, item.fault)
    return item


def _key(feed: Feed, item: RawItem) -> str:
    """The record's own number, or where it has none that can be kept, the hash of its bytes.

    A record that cannot be read as a whole is still known by the number that stands in its bytes. A person's
    number is none to be known by: inboxes, pages and runs are named by it.
    """
    read = isinstance(item.value, dict)
    number = item.value.get(feed.key_field) if read else _glimpse(feed, item.raw)
    if isinstance(number, str) and 0 < len(number) <= NUMBER_LIMIT and number.isprintable():
        begun = item.value.get("accepted_at") or item.value.get("changed_at") if read else None
        year = _YEAR.match(str(begun))
        if not is_of_a_person(number, year=int(year[0]) if year else ANY_YEAR):
            return number
        return f"疑似个人号码-{sha256_hex(item.raw)[:12]}"
    return f"无编号-{sha256_hex(item.raw)[:12]}"


def _glimpse(feed: Feed, raw: bytes) -> str | None:
    found = re.search(rb'"%s"\s*:\s*"([^"\\]{1,256})"' % feed.key_field.encode(), raw)
    return found[1].decode("utf-8", "replace") if found else None


def inbox_row(feed: Feed, arrival: Arrival) -> inbox.NewInbox:
    """The row under which the inbox knows this record, before its bytes are sealed."""
    item = arrival.item
    key, digest = _key(feed, item), sha256_hex(item.raw)
    version = item.value.get(feed.version_field) if isinstance(item.value, dict) else None
    return inbox.NewInbox(
        id=row_id("inbox", feed.source, feed.kind, key, digest),
        source=feed.source,
        kind=feed.kind,
        record_key=key,
        record_version=version if type(version) is int and 0 < version < 2**31 else None,
        sha256=digest,
        raw_sealed=b"",
        commitment=b"",
        line_no=arrival.line_no,
        business_date=arrival.business_date,
    )
