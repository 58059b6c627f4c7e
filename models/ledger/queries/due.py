"""What is due now: one question over partial indexes, so that a round at rest costs one answer."""

from collections.abc import Collection
from datetime import date, datetime

from models.ledger.bulk import Conn


async def due(
    conn: Conn, *, business_now: datetime, today: date, of: Collection[str] | None = None
) -> set[str]:
    """The names of the steps that would find something; ``of`` asks about these only.

    Left out are steps whose question would cost as much as they do: they have their turn unasked.
    """
    asked = [name for name in _QUESTIONS if of is None or name in of]
    if not asked:
        return set()
    question = "SELECT " + ", ".join(f"({_QUESTIONS[name]}) AS {name}" for name in asked)
    cursor = await conn.execute(question.encode(), {"now": business_now, "today": today})
    row = await cursor.fetchone()
    assert row is not None
    return {name for name, found in row.items() if found}


def _waiting(kind: str) -> str:
    return f"EXISTS (SELECT FROM inbox WHERE outcome = 'waiting' AND kind = '{kind}')"


def _to_send(channel: str) -> str:
    return (
        f"EXISTS (SELECT FROM effects WHERE channel = '{channel}' AND state IN ('planned', 'unknown')"
        " AND not_before <= clock_timestamp() AND send_after <= %(now)s)"
    )


_QUESTIONS = {
    "recover": "EXISTS (SELECT FROM effects WHERE lease_token IS NOT NULL"
    " AND lease_until < clock_timestamp())",
    "admit_cases": _waiting("case"),
    "check_parties": "EXISTS (SELECT FROM cases WHERE needs_credit_check)",
    "send_pushes": _to_send("push"),
    "send_recalls": "EXISTS (SELECT FROM handovers WHERE state = 'recalled' AND reason = 'recall_due')"
    " OR " + _to_send("recall"),
    "claim": "EXISTS (SELECT FROM handovers WHERE state = 'pushed')",
    "tell_liaisons": "EXISTS (SELECT FROM sms_news WHERE state = 'waiting') OR " + _to_send("sms"),
    "match_receipts": _waiting("sms_receipt")
    + " OR EXISTS (SELECT FROM effects WHERE channel = 'sms' AND state = 'unknown')",
    "admit_feedback": _waiting("feedback"),
    "send_reports": _to_send("credit_report"),
    "admit_credit_records": _waiting("credit_record"),
    "send_returns": _to_send("return"),
    "verify_arrivals": "EXISTS (SELECT FROM expected_arrivals WHERE state IN ('waiting', 'missing')"
    " AND due_on <= %(today)s)",
    "close_observed": "EXISTS (SELECT FROM handovers WHERE state = 'observing'"
    " AND observe_until <= %(today)s)",
    "settle": "EXISTS (SELECT FROM cases WHERE state = 'completed' AND observe_until <= %(today)s)",
}
ASKED = frozenset(_QUESTIONS)
"""The steps this question knows."""
