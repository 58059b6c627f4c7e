"""What the credit system was told and is true no more: a person corrects it there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models.domain.workdays import Calendar
from models.ledger.bulk import Conn
from models.ledger.queries import quarantine
from tasks.in_front import OPERATIONS_DESK, due_at

CREDIT_TO_CORRECT = "credit_to_correct"


async def credit_to_correct(
    conn: Conn, calendar: Calendar, reports: Sequence[tuple[dict[str, Any], str]], *, business_now: datetime
) -> None:
    """One incident a report, with its owner: what was withdrawn at its source after it was reported.

    Each report has own_id, stage and document_number.
    """
    due = due_at(calendar, business_now)
    await quarantine.open_incidents(
        conn,
        [
            quarantine.NewIncident(
                kind=CREDIT_TO_CORRECT,
                key=row["own_id"],
                count=1,
                message=f"源头已撤回，而信用系统已收到文书{row['document_number']}（{row['stage']}），请办理更正",
                owner=owner or OPERATIONS_DESK,
                since=business_now,
                due_at=due,
            )
            for row, owner in reports
        ],
    )
