"""Supervision results as they are kept, and what they answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn, insert
from models.ledger.tables.supervision import Feedback, FeedbackHandover


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeedback:
    """One supervision result and what it was matched by."""

    id: UUID
    source: str
    feedback_no: str
    version: int
    inbox_id: UUID
    department_code: str
    supervision_item: str | None
    case_id: UUID | None
    licence_id: UUID | None
    matched_by: str
    kind: str
    result: str | None
    abnormal: bool
    withdrawn: bool
    happened_on: date
    rectification_due: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One handover that a result answers."""

    feedback_id: UUID
    handover_id: UUID


async def lock_versions(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, int]:
    """The version held of each result, locked."""
    cursor = await conn.execute(
        "SELECT id, version FROM feedback WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (sorted(ids),)
    )
    return {row["id"]: row["version"] for row in await cursor.fetchall()}


async def store(conn: Conn, rows: Sequence[NewFeedback], answered: Sequence[Answered]) -> None:
    """Keep the newest version of each result, and the handovers it answers."""
    await insert(
        conn,
        Feedback,
        rows,
        conflict="(id) DO UPDATE SET version = EXCLUDED.version, inbox_id = EXCLUDED.inbox_id,"
        " kind = EXCLUDED.kind, result = EXCLUDED.result, abnormal = EXCLUDED.abnormal,"
        " withdrawn = EXCLUDED.withdrawn, happened_on = EXCLUDED.happened_on,"
        " rectification_due = EXCLUDED.rectification_due WHERE feedback.version < EXCLUDED.version",
    )
    await insert(conn, FeedbackHandover, answered, conflict="DO NOTHING")


async def of_case(conn: Conn, case_id: UUID) -> list[dict[str, Any]]:
    """The results that came back for a case, the oldest first."""
    cursor = await conn.execute(
        "SELECT feedback_no, department_code, kind, result, abnormal, withdrawn, happened_on, matched_by,"
        " rectification_due, received_at FROM feedback WHERE case_id = %s ORDER BY received_at, feedback_no",
        (case_id,),
    )
    return await cursor.fetchall()
