"""Credit: look-ups at the door, what each report is about, and the records that came back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn, insert
from models.ledger.literals import literal
from models.ledger.queries.evidence import LOOK_UP, keep_look_ups
from models.ledger.tables.credit import CreditCheck, CreditRecord, CreditReport


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCheck:
    """A look-up kept as evidence; ``body_sealed`` is the answer as it was understood.

    ``commitment`` binds us to it where it was ours and is a leaf of its own.
    """

    case_id: UUID
    source: str
    number: str
    checked_at: datetime
    grade: str
    advice: str
    basis: str
    records: int
    body_sealed: bytes
    commitment: bytes | None = None


_CHECK = tuple(name for name in NewCheck.__slots__ if name != "commitment")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReport:
    """What a planned report is about."""

    own_id: str
    kind: str
    case_id: UUID | None
    feedback_id: UUID | None
    document_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A record the credit system returned."""

    record_no: str
    version: int
    operation: str
    inbox_id: UUID
    party_index: bytes
    category: str
    valid_from: date | None
    valid_to: date | None
    active: bool


async def add_checks(conn: Conn, rows: Sequence[NewCheck]) -> None:
    """Keep the look-ups, ours with their leaves; a case's first one stays, and it needs none any more."""
    if not rows:
        return
    theirs = [row for row in rows if row.commitment is None]
    await insert(conn, CreditCheck, theirs, conflict="(case_id) DO NOTHING", only=_CHECK)
    ours = [[getattr(row, name) for name in LOOK_UP] for row in rows if row.commitment is not None]
    await keep_look_ups(conn, ours)
    await conn.execute(
        "UPDATE cases SET needs_credit_check = false WHERE id = ANY(%s::uuid[]) AND needs_credit_check",
        (literal(row.case_id for row in rows),),
    )


async def without_check(conn: Conn, case_ids: Sequence[UUID]) -> None:
    """These cases wait for no look-up any more: a person makes it."""
    await conn.execute("UPDATE cases SET needs_credit_check = false WHERE id = ANY(%s)", (list(case_ids),))


async def add_reports(conn: Conn, rows: Sequence[NewReport]) -> None:
    """Note what the reports are about."""
    await insert(conn, CreditReport, rows, conflict="(own_id) DO NOTHING")


async def record_versions(conn: Conn, numbers: Sequence[str]) -> dict[str, int]:
    """The version held of each record."""
    cursor = await conn.execute(
        "SELECT record_no, version FROM credit_records WHERE record_no = ANY(%s) FOR UPDATE", (list(numbers),)
    )
    return {row["record_no"]: row["version"] for row in await cursor.fetchall()}


async def store_records(conn: Conn, rows: Sequence[NewRecord]) -> None:
    """Keep the newest version of each record."""
    await insert(
        conn,
        CreditRecord,
        rows,
        conflict="(record_no) DO UPDATE SET version = EXCLUDED.version, operation = EXCLUDED.operation,"
        " inbox_id = EXCLUDED.inbox_id, category = EXCLUDED.category, active = EXCLUDED.active,"
        " party_index = EXCLUDED.party_index, valid_from = EXCLUDED.valid_from,"
        " valid_to = EXCLUDED.valid_to WHERE credit_records.version < EXCLUDED.version",
    )


async def checks_of(conn: Conn, case_id: UUID) -> list[dict[str, Any]]:
    """The look-up of a case, if one was made."""
    cursor = await conn.execute(
        "SELECT source, number, checked_at, grade, advice, basis, records FROM credit_checks"
        " WHERE case_id = %s",
        (case_id,),
    )
    return await cursor.fetchall()
