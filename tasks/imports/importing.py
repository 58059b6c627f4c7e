"""Import the files of a department's own system, on the business clock of each record's date.

Cases and supervision results may come together: time goes forward once through both, a week at a
time, and a result never comes before the case that it names. After each week's records every step
that is due is run, as it would have been then. The week is the unit because the credit system takes
a decision within seven working days, and hundreds of single days would cost a round each.
"""

import time as machine
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import structlog

from models.domain.workdays import business_day
from models.ledger.queries import clock
from models.ledger.queries import importing as queries
from tasks import steps
from tasks.composition import Services
from tasks.draining import drain
from tasks.imports.clock import RecordClock, Tell, is_simulated, record_clock
from tasks.imports.lines import ImportFile, Line, keep_lines, outcomes_of
from tasks.imports.report import ImportReport, report_of

log = structlog.get_logger(__name__)

ClockChoice = Literal["record", "now"]
Kept = Callable[[ImportFile, Sequence[Line], datetime], None]
"""Hears which records of a file were handed in at which business time."""
Progress = Callable[[int, date], None]

_REST_DAYS = 3
"""Days after the last observation, for texts that were waiting."""
_DRAIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Week:
    """The rows of one week of all files; ``day`` is the last day among them."""

    day: date
    rows: Sequence[tuple[ImportFile, Sequence[Line]]]


async def choose_clock(services: Services, asked: ClockChoice | None) -> ClockChoice:
    """What was asked for; else the records' days where business time is simulated, and now elsewhere.

    An empty ledger counts as a live one: its texts would go out at night, and its clock would stand.
    """
    if asked is not None:
        return asked
    return "record" if await is_simulated(services.ledger) else "now"


async def import_files(
    services: Services,
    files: Sequence[ImportFile],
    *,
    on: ClockChoice,
    tell: Tell | None = None,
    kept: Kept | None = None,
    progress: Progress | None = None,
) -> list[ImportReport]:
    """Bring the files through admission and every step that follows; one report a file.

    Raises:
        ClockIsReal: ``on`` is ``record``, but the ledger lives on the machine's clock.
        LedgerUnavailable: what was kept until then stays; the same import again goes on.
    """
    begun = machine.monotonic()
    before = {file.path: await outcomes_of(services.ledger, file.lines) for file in files}
    weeks = list(by_week(files))
    going: AbstractAsyncContextManager[RecordClock | None] = nullcontext()
    if on == "record" and weeks:
        going = record_clock(services.ledger, weeks[0].day, tell=tell)
    async with going as own_clock:
        for number, week in enumerate(weeks, start=1):
            await _week(services, week, own_clock, kept)
            if progress is not None:
                progress(number, week.day)
        if own_clock is not None and own_clock.stands:
            await _run_on(services, own_clock)
        await drain(services, timeout_s=_DRAIN_S)
    seconds = round(machine.monotonic() - begun, 1)
    return [
        report_of(file, before[file.path], await outcomes_of(services.ledger, file.lines), seconds)
        for file in files
    ]


def by_week(files: Sequence[ImportFile]) -> Iterator[Week]:
    """The rows of all files week after week. A row that says no day goes with the row before it."""
    began = {
        line.arrival.item.value[file.feed.key_field]: line.day
        for file in files
        if file.kind == "case"
        for line in file.lines
        if line.day is not None and line.arrival.item.value
    }
    weeks: dict[tuple[int, int], dict[int, list[tuple[date, Line]]]] = defaultdict(lambda: defaultdict(list))
    for at, file in enumerate(files):
        last = min((line.day for line in file.lines if line.day), default=date.today())  # noqa: DTZ011
        for line in file.lines:
            last = line.day or last
            day = max(last, began.get(line.names) or last)
            year, number, _ = day.isocalendar()
            weeks[year, number][at].append((day, line))
    for _, rows in sorted(weeks.items()):
        ordered = {at: sorted(its, key=lambda row: (row[0], row[1].line_no)) for at, its in rows.items()}
        yield Week(
            max(day for its in ordered.values() for day, _ in its),
            [(files[at], [line for _, line in its]) for at, its in sorted(ordered.items())],
        )


async def _week(services: Services, week: Week, own_clock: RecordClock | None, kept: Kept | None) -> None:
    if own_clock is not None:
        await own_clock.reach(week.day)
    async with services.ledger.reading() as conn:
        now = await clock.business_now(conn)
    for file, lines in week.rows:
        await keep_lines(
            services.ledger, services.sealing, services.calendar, file.feed, lines, business_now=now
        )
        if kept is not None:
            kept(file, [line for line in lines if not line.rule], now)
    await steps.everything(services)


async def _run_on(services: Services, own_clock: RecordClock) -> None:
    """Let time go on until nothing is observed any more, so that silence closes what it may close."""
    async with services.ledger.reading() as conn:
        today = business_day(await clock.business_now(conn))
        last = await queries.last_observation(conn) or today
    await own_clock.reach(today + timedelta(days=1))
    await steps.everything(services)
    for days in range(1, _REST_DAYS + 1):
        await own_clock.reach(max(last, today) + timedelta(days=days))
        await steps.everything(services)
