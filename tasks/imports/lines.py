"""The lines of a department's file on their way into the inbox: a record, or bytes for a person."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.files import SECRET, MappedProblem, MappedRecord, Mapping, read_cases, read_feedback
from adapters.values import RawItem
from models.domain.workdays import Calendar
from models.ledger.connection import Ledger
from models.ledger.queries import importing, inbox
from models.ledger.sealing import Sealing
from tasks.evidence.subjects import sealed_rows
from tasks.in_front import Problem, in_front_of_a_person
from tasks.intake import CASES, FEEDBACK, Arrival, Feed, inbox_row, keep

BATCH = 1000
_READERS = {"case": read_cases, "feedback": read_feedback}
_FEEDS = {"case": CASES, "feedback": FEEDBACK}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a file. ``id`` is its place in the inbox, the same for the same bytes.

    ``names`` is the case that a supervision result says it is about; ``rule`` and ``message`` say why
    a row is for a person, and are empty for a record.
    """

    id: UUID
    line_no: int
    day: date | None
    arrival: Arrival = field(repr=False)
    names: str | None = None
    rule: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file read to its end: its rows in their order, under one feed of one source."""

    path: Path
    mapping: Mapping
    feed: Feed
    lines: Sequence[Line] = field(repr=False)

    @property
    def kind(self) -> str:
        """``case`` or ``feedback``."""
        return self.mapping.kind


def read_file(path: Path, mapping: Mapping, kind: str) -> ImportFile:
    """Every row of the file. Nothing is kept yet, so that a file which breaks off is refused as a whole.

    Raises:
        MappingWrong: the mapping is for another kind, or reads columns the file lacks.
        FileUnreadable: the file cannot be read to its end.
    """
    known = _FEEDS[kind]
    feed = Feed(mapping.source, f"file:{path.name}", kind, known.key_field, known.version_field)
    lines = [
        _record(feed, each) if isinstance(each, MappedRecord) else _problem(feed, each)
        for each in _READERS[kind](path, mapping)
    ]
    return ImportFile(path, mapping, feed, lines)


def _record(feed: Feed, mapped: MappedRecord) -> Line:
    said = {
        feed.key_field: mapped.key,
        feed.version_field: mapped.record[feed.version_field],
        "secrecy": mapped.record.get("secrecy"),
    }
    arrival = Arrival(RawItem(mapped.wire, said), mapped.line_no, mapped.business_date)
    names = mapped.record.get("case_no") if feed.kind == "feedback" else None
    return Line(inbox_row(feed, arrival).id, mapped.line_no, mapped.business_date, arrival, names)


def _problem(feed: Feed, mapped: MappedProblem) -> Line:
    said: Any = {feed.key_field: mapped.key} if mapped.key else None
    arrival = Arrival(RawItem(mapped.raw, said), mapped.line_no, mapped.business_date)
    identity = inbox_row(feed, arrival).id
    return Line(
        identity,
        mapped.line_no,
        mapped.business_date,
        arrival,
        rule=mapped.rule,
        message=mapped.message,
    )


async def keep_lines(
    ledger: Ledger,
    sealing: Sealing,
    calendar: Calendar,
    feed: Feed,
    lines: Sequence[Line],
    *,
    business_now: datetime,
) -> None:
    """Seal and keep these rows: the records wait for admission, the others lie with a person at once."""
    for batch in _batches([line for line in lines if not line.rule]):
        await keep(ledger, sealing, feed, [line.arrival for line in batch])
    for batch in _batches([line for line in lines if line.rule]):
        await _put_in_front(ledger, sealing, calendar, feed, batch, business_now)


def _batches(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    for begin in range(0, len(lines), BATCH):
        yield lines[begin : begin + BATCH]


async def _put_in_front(
    ledger: Ledger,
    sealing: Sealing,
    calendar: Calendar,
    feed: Feed,
    lines: Sequence[Line],
    business_now: datetime,
) -> None:
    secret = [line for line in lines if line.rule == SECRET]
    rows = {line.id: (line, inbox_row(feed, line.arrival)) for line in lines if line.rule != SECRET}
    async with ledger.writing() as conn:
        known = await inbox.known(conn, list(rows))
        fresh = [(line, row) for line, row in rows.values() if row.id not in known]
        new = await inbox.add(
            conn, await sealed_rows(conn, sealing, [(line.arrival, row) for line, row in fresh])
        )
        problems = [
            Problem(
                {
                    "id": row.id,
                    "kind": row.kind,
                    "record_key": row.record_key,
                    "line_no": row.line_no,
                    "attempts": 0,
                },
                line.rule,
                line.message,
            )
            for line, row in fresh
            if row.id in new
        ]
        # One transaction: nobody else's admission takes these rows for records.
        outcomes = await in_front_of_a_person(conn, calendar, problems, business_now=business_now)
        await inbox.close(conn, outcomes)
        indexes = [f"{feed.source}|{inbox_row(feed, line.arrival).record_key}" for line in secret]
        await inbox.count_secret(conn, [sealing.index("secret_case", each) for each in indexes])


async def outcomes_of(ledger: Ledger, lines: Sequence[Line]) -> dict[UUID, tuple[str, str | None]]:
    """(outcome, reason) of those of these rows that the inbox knows."""
    found: dict[UUID, tuple[str, str | None]] = {}
    async with ledger.reading() as conn:
        for batch in _batches(lines):
            found |= await importing.outcomes(conn, [line.id for line in batch])
    return found
