"""One case with everything that belongs to it, for a person to read. No sealed column is touched."""

from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn
from models.ledger.queries.by_month import since

_FIRST_SEEN = "(SELECT first_seen_at FROM cases WHERE id = %(case)s)"


async def header(conn: Conn, case_no: str) -> dict[str, Any] | None:
    """The case of this number with its department's name and its licence; None when there is none.

    Where two sources use one number, the one seen first.
    """
    cursor = await conn.execute(
        "SELECT c.*, d.name AS department_name, l.number AS licence_number, l.state AS licence_state,"
        " l.valid_from AS licence_from, l.valid_to AS licence_to FROM cases c"
        " LEFT JOIN departments d ON d.code = c.approval_department"
        " LEFT JOIN licences l ON l.id = c.licence_id WHERE c.case_no = %s ORDER BY c.first_seen_at LIMIT 1",
        (case_no,),
    )
    return await cursor.fetchone()


async def handovers(conn: Conn, case_id: UUID) -> list[dict[str, Any]]:
    """The case's handovers with the names of department and section."""
    cursor = await conn.execute(
        "SELECT h.*, d.name AS department_name, s.name AS section_name FROM handovers h"
        " LEFT JOIN departments d ON d.code = h.department_code LEFT JOIN sections s ON s.id = h.section_id"
        " WHERE h.case_id = %s ORDER BY h.supervision_item, h.section_key",
        (case_id,),
    )
    return await cursor.fetchall()


async def effects(conn: Conn, case_id: UUID) -> list[dict[str, Any]]:
    """What was or is to be done to the outside for the case, in the order planned, with the last answer."""
    cursor = await conn.execute(
        "SELECT e.own_id, e.channel, e.target, e.stage, e.content_version, e.state, e.reason,"
        " e.handover_id, e.attempts, e.planned_at, e.not_before, e.send_after, e.answered_at,"
        " e.answered_business, e.receipt_number, e.receipt_at, e.receipt_account, e.owner, e.due_at,"
        " e.decided_by, e.decided_at, d.name AS department_name, a.outcome, a.answer"
        " FROM effects e LEFT JOIN departments d ON d.code = e.target LEFT JOIN LATERAL ("
        "  SELECT outcome, answer FROM effect_attempts a WHERE a.own_id = e.own_id"
        f"  AND {since('a.leaf', 'e.planned_at')} ORDER BY attempt DESC LIMIT 1) a ON true"
        " WHERE e.case_id = %s ORDER BY e.planned_at, e.own_id",
        (case_id,),
    )
    return await cursor.fetchall()


async def texts(conn: Conn, case_id: UUID) -> list[dict[str, Any]]:
    """The news of the case's pushes, and the text that carries each; never a phone."""
    cursor = await conn.execute(
        "SELECT n.push_own_id, n.stage, n.state AS news_state, n.liaison, n.owner, n.due_at, n.business_at,"
        " d.name AS department_name, s.name AS section_name, t.own_id, t.reference, t.news_count,"
        " t.report_status, e.state, e.reason, e.answered_business FROM sms_news n"
        " LEFT JOIN sections s ON s.id = n.section_id LEFT JOIN departments d ON d.code = s.department_code"
        " LEFT JOIN sms_texts t ON t.own_id = n.sms_own_id LEFT JOIN effects e ON e.own_id = n.sms_own_id"
        " WHERE n.case_id = %s ORDER BY n.business_at, n.push_own_id",
        (case_id,),
    )
    return await cursor.fetchall()


async def feedback(conn: Conn, case_id: UUID) -> list[dict[str, Any]]:
    """The results that came back, with the name of the department that sent each."""
    cursor = await conn.execute(
        "SELECT f.feedback_no, f.kind, f.result, f.abnormal, f.withdrawn, f.happened_on, f.matched_by,"
        " f.rectification_due, COALESCE(d.name, f.department_code) AS department_name FROM feedback f"
        " LEFT JOIN departments d ON d.code = f.department_code"
        " WHERE f.case_id = %s ORDER BY f.happened_on, f.feedback_no",
        (case_id,),
    )
    return await cursor.fetchall()


async def history(conn: Conn, case_id: UUID) -> list[dict[str, Any]]:
    """The case's timeline in the order it was written."""
    cursor = await conn.execute(
        "SELECT entity, entity_id, from_state, event, to_state, reason, actor, at, business_at FROM history"
        f" WHERE case_id = %(case)s AND {since('id', _FIRST_SEEN)} ORDER BY id",
        {"case": case_id},
    )
    return await cursor.fetchall()


async def records(conn: Conn, case_no: str) -> list[dict[str, Any]]:
    """The case records of this number as they came: version, outcome, reason; with quarantine's sentence."""
    cursor = await conn.execute(
        "SELECT i.source, i.record_version, i.outcome, i.reason, i.received_at, q.message, q.owner, q.due_at"
        " FROM inbox i LEFT JOIN quarantine q ON q.inbox_id = i.id AND q.released_at IS NULL"
        " WHERE i.kind = 'case' AND i.record_key = %s ORDER BY i.position",
        (case_no,),
    )
    return await cursor.fetchall()
