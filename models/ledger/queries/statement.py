"""What we say ourselves: every effect, case, news, quarantine, incident and open handover, page by page."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from models.ledger.bulk import Conn

_QUESTIONS: Mapping[str, str] = {
    "effect": """
        SELECT e.own_id, e.channel, e.target, e.business_key, e.stage, c.case_no, e.content_version,
            e.content_sha256, e.state, e.reason, e.receipt_number AS receipt, e.owner, e.due_at
        FROM effects e LEFT JOIN cases c ON c.id = e.case_id ORDER BY e.own_id""",
    "case": "SELECT case_no, state, result, mode, data_version FROM cases ORDER BY case_no",
    "news": """
        SELECT n.push_own_id, n.liaison, n.sms_own_id, n.state, e.receipt_number AS receipt,
            e.content_sha256 AS sms_sha256, n.owner, n.due_at, n.business_at
        FROM sms_news n LEFT JOIN effects e ON e.own_id = n.sms_own_id ORDER BY n.push_own_id""",
    "quarantine": """
        SELECT kind AS record_kind, record_key, line_no, rule, owner, due_at FROM quarantine
        WHERE released_at IS NULL ORDER BY id""",
    "incident": "SELECT kind AS incident, key, count, owner, due_at FROM incidents WHERE closed_at IS NULL",
    "handover": """
        SELECT c.case_no, h.supervision_item, h.state, h.reason, h.owner, h.due_at
        FROM handovers h JOIN cases c ON c.id = h.case_id WHERE h.owner IS NOT NULL ORDER BY h.id""",
    "count": """
        SELECT 'cases_secret' AS name, count(*) AS value FROM refused_secret
        UNION ALL SELECT 'cases_not_applicable', count(DISTINCT record_key) FROM inbox
        WHERE kind = 'case' AND outcome = 'not_applicable'""",
}
_PAGE = 1000


async def lines(conn: Conn) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Every (kind, row), read through a cursor of the server: a long ledger takes no memory here."""
    for kind, question in _QUESTIONS.items():
        async with conn.cursor(name=f"statement_{kind}") as cursor:
            cursor.itersize = _PAGE
            await cursor.execute(question.encode())
            async for row in cursor:
                yield kind, row
