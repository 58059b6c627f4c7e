"""Cases, licences and handovers: read for a decision, listed for a step."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """A case as its first record tells it."""

    id: UUID
    source: str
    case_no: str
    data_version: int
    inbox_id: UUID
    state: str
    reason: str | None
    result: str | None
    item_code: str
    item_version: str
    item_name: str
    mode: str
    region: str
    place_region: str
    approval_department: str
    accepted_at: datetime
    completed_at: datetime | None
    observe_until: date | None
    party_index: bytes
    licence_id: UUID | None
    parent_case_no: str | None
    needs_credit_check: bool
    row_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLicence:
    """A licence as the case that brought it tells it."""

    id: UUID
    party_index: bytes
    number: str
    state: str
    reason: str | None
    item_code: str
    case_id: UUID
    valid_from: date | None
    valid_to: date | None
    row_version: int = 1


async def lock_by_id(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """The cases, locked in one order until the transaction ends."""
    cursor = await conn.execute(
        "SELECT c.*, i.sha256 AS record_sha256 FROM cases c JOIN inbox i ON i.id = c.inbox_id"
        " WHERE c.id = ANY(%s) ORDER BY c.id FOR UPDATE OF c",
        (sorted(ids),),
    )
    return {row["id"]: row for row in await cursor.fetchall()}


async def lock_licences(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """The licences, locked in one order until the transaction ends."""
    cursor = await conn.execute(
        "SELECT id, state, row_version, case_id FROM licences WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
        (sorted(ids),),
    )
    return {row["id"]: row for row in await cursor.fetchall()}


async def reported(conn: Conn, case_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """What the credit system holds of these cases, or may hold: each report in its newest content."""
    cursor = await conn.execute(
        "SELECT DISTINCT ON (e.business_key) e.own_id, e.case_id, e.stage, r.document_number FROM effects e"
        " JOIN credit_reports r ON r.own_id = e.own_id WHERE e.case_id = ANY(%s)"
        " AND e.channel = 'credit_report' AND e.state IN ('intent', 'unknown', 'accepted')"
        " ORDER BY e.business_key, e.content_version DESC",
        (list(case_ids),),
    )
    return await cursor.fetchall()


async def to_settle(
    conn: Conn, today: date, limit: int, after: tuple[date, UUID] | None
) -> list[dict[str, Any]]:
    """Completed cases with nothing open: the loop is closed.

    Every handover is closed or recalled, every effect is done or was decided by a person, and no
    news waits. ``after`` continues behind the last (observe_until, id) of the call before.
    """
    cursor = await conn.execute(
        """
        SELECT c.id, c.state, c.row_version, c.observe_until FROM cases c
        WHERE c.state = 'completed' AND c.observe_until <= %(today)s AND NOT c.needs_credit_check
          AND (%(day)s::date IS NULL OR (c.observe_until, c.id) > (%(day)s::date, %(id)s::uuid))
          AND NOT EXISTS (SELECT FROM handovers h WHERE h.case_id = c.id
                          AND h.state NOT IN ('closed', 'recalled'))
          AND NOT EXISTS (SELECT FROM effects e WHERE e.case_id = c.id AND e.decided_at IS NULL
                          AND e.state NOT IN ('accepted', 'delivered', 'undelivered', 'superseded'))
          AND NOT EXISTS (SELECT FROM sms_news n LEFT JOIN effects t ON t.own_id = n.sms_own_id
                          WHERE n.case_id = c.id AND (t.own_id IS NULL OR t.decided_at IS NULL
                          AND t.state NOT IN ('accepted', 'delivered', 'undelivered')))
        ORDER BY c.observe_until, c.id LIMIT %(limit)s
        """,
        {
            "today": today,
            "limit": limit,
            "day": after[0] if after else None,
            "id": after[1] if after else None,
        },
    )
    return await cursor.fetchall()


async def to_check(
    conn: Conn, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[dict[str, Any]]:
    """Cases whose party was not looked up yet, with their sealed record, the oldest first.

    ``after`` continues behind the last (first_seen_at, id) of the call before.
    """
    cursor = await conn.execute(
        "SELECT c.id, c.case_no, c.first_seen_at, c.inbox_id, i.raw_sealed FROM cases c"
        " JOIN inbox_raw i ON i.inbox_id = c.inbox_id WHERE c.needs_credit_check"
        " AND (%(at)s::timestamptz IS NULL OR (c.first_seen_at, c.id) > (%(at)s, %(id)s::uuid))"
        " ORDER BY c.first_seen_at, c.id LIMIT %(limit)s",
        {"at": after[0] if after else None, "id": after[1] if after else None, "limit": limit},
    )
    return await cursor.fetchall()


async def find(conn: Conn, numbers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The cases of these numbers, whatever their source."""
    cursor = await conn.execute("SELECT * FROM cases WHERE case_no = ANY(%s)", (list(numbers),))
    return {row["case_no"]: row for row in await cursor.fetchall()}


async def number_of(conn: Conn, case_id: UUID) -> str | None:
    """The case's number; None where there is no such case."""
    cursor = await conn.execute("SELECT case_no FROM cases WHERE id = %s", (case_id,))
    row = await cursor.fetchone()
    return None if row is None else row["case_no"]


async def by_licence_number(conn: Conn, numbers: Sequence[str]) -> list[dict[str, Any]]:
    """Licences of these numbers with the cases that stand behind them, the newest first."""
    cursor = await conn.execute(
        "SELECT l.id AS licence_id, l.party_index AS licence_party, l.number, l.state AS licence_state,"
        " l.row_version AS licence_version, c.* FROM licences l JOIN cases c ON c.id = l.case_id"
        " WHERE l.number = ANY(%s)"
        " ORDER BY c.accepted_at DESC",
        (list(numbers),),
    )
    return await cursor.fetchall()


async def by_party(conn: Conn, indexes: Sequence[bytes]) -> list[dict[str, Any]]:
    """The cases of these parties, the newest first."""
    cursor = await conn.execute(
        "SELECT * FROM cases WHERE party_index = ANY(%s) ORDER BY accepted_at DESC", (list(indexes),)
    )
    return await cursor.fetchall()
