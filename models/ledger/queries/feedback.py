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
    """Keep the newest version of each result, and the handovers it answers.

    What an earlier version answered stays written; a link counts while it leads to the result's case.
    """
    await insert(
        conn,
        Feedback,
        rows,
        conflict="(id) DO UPDATE SET version = EXCLUDED.version, inbox_id = EXCLUDED.inbox_id,"
        " department_code = EXCLUDED.department_code, supervision_item = EXCLUDED.supervision_item,"
        " case_id = EXCLUDED.case_id, licence_id = EXCLUDED.licence_id, matched_by = EXCLUDED.matched_by,"
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


async def withdraw_planned(conn: Conn, ids: Sequence[UUID], return_keys: Sequence[str]) -> None:
    """Nothing of these withdrawn results that has not left will leave."""
    await conn.execute(
        "UPDATE effects e SET state = 'superseded', reason = 'withdrawn_at_source' WHERE e.state = 'planned'"
        " AND (e.own_id IN (SELECT own_id FROM credit_reports WHERE feedback_id = ANY(%s))"
        " OR e.channel = 'return' AND e.business_key = ANY(%s))",
        (list(ids), list(return_keys)),
    )


async def reported(conn: Conn, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """What the credit system holds of these results, or may hold: each report in its newest content."""
    cursor = await conn.execute(
        "SELECT DISTINCT ON (e.business_key) e.own_id, e.stage, r.document_number FROM effects e"
        " JOIN credit_reports r ON r.own_id = e.own_id WHERE r.feedback_id = ANY(%s)"
        " AND e.channel = 'credit_report' AND e.state IN ('intent', 'unknown', 'accepted')"
        " ORDER BY e.business_key, e.content_version DESC",
        (list(ids),),
    )
    return await cursor.fetchall()


async def reopen_found(conn: Conn, reason_prefix: str, released_by: str) -> int:
    """Let the results wait again that came before the cases they name, now that those are here.

    Their inbox reason is the prefix and the case number. Answers how many wait.
    """
    cursor = await conn.execute(
        "WITH released AS (UPDATE quarantine q SET released_at = now(), released_by = %(by)s"
        " FROM inbox i JOIN cases c ON c.case_no = substr(i.reason, length(%(prefix)s::text) + 1)"
        " WHERE starts_with(i.reason, %(prefix)s) AND q.released_at IS NULL"
        " AND q.kind = 'feedback' AND q.rule = 'orphan' AND i.id = q.inbox_id"
        " RETURNING q.inbox_id)"
        " UPDATE inbox i SET outcome = 'waiting', reason = NULL FROM released r WHERE i.id = r.inbox_id",
        {"by": released_by, "prefix": reason_prefix},
    )
    return cursor.rowcount
