"""Who reports what to the credit system: we send only ours, and see whether the others' has arrived.

Each record type says who reports it (``reporters.toml``; an item of the list may say otherwise). What
the platform or a department reports is never sent by us: so many working days after the decision we
look whether it is there, and what is not stands in one incident for each reporter and record type.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from adapters.credit.port import BATCH_LIMIT, Credit
from adapters.values import ArrivalQuery
from config.city import CatalogItem, City
from models.domain.admission import Advance
from models.domain.bodies import Stage
from models.domain.keys import row_id
from models.domain.lifecycles.case import CaseResult
from models.domain.record import CaseRecord, FeedbackRecord
from models.domain.shuanggongshi import cf_record
from models.domain.workdays import Calendar, business_day
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import arrivals, clock, quarantine
from models.ledger.queries.arrivals import NewExpected
from tasks.in_front import OPERATIONS_DESK, due_at

log = structlog.get_logger(__name__)

MISSING = "arrival_missing"
_KINDS = {"XK": "行政许可", "CF": "行政处罚"}
_VERIFY_DAYS = 7


def expected_approval(
    city: City, calendar: Calendar, item: CatalogItem, record: CaseRecord, step: Advance, case_id: UUID
) -> NewExpected | None:
    """The approval that somebody else reports; None for ours, or for what is no granted licence."""
    if step.stages.get(Stage.COMPLETION) is None or step.standing.result is not CaseResult.GRANTED:
        return None
    if item.reporter == "us" or not city.statuses.is_licence(item.kind):
        return None
    document = record.document
    number = (document.number if document else None) or record.licence_number or record.case_no
    decided = record.decided_on or business_day(record.completed_at or record.changed_at)
    return _expected(city, calendar, "XK", number, item, item.approval_department, case_id, decided)


def expected_penalty(
    city: City, calendar: Calendar, item: CatalogItem, record: FeedbackRecord, case_id: UUID
) -> NewExpected | None:
    """The penalty that somebody else reports; None where the feedback holds none, or it is ours."""
    if record.kind != "penalty" or not record.penalty or item.reporter == "us":
        return None
    number = cf_record(record.penalty).get("CF_WSH") or record.feedback_no
    decided = business_day(record.changed_at)
    return _expected(city, calendar, "CF", number, item, record.department, case_id, decided)


def _expected(
    city: City,
    calendar: Calendar,
    kind: str,
    number: str,
    item: CatalogItem,
    department: str,
    case_id: UUID,
    decided: Any,
) -> NewExpected:
    rule = city.reporters.get(kind)
    days = rule.verify_days if rule else _VERIFY_DAYS
    return NewExpected(
        id=row_id("arrival", kind, number),
        kind=kind,
        document_number=number,
        reporter=item.reporter,
        department=department,
        case_id=case_id,
        # The days are theirs to the last; the next one we look.
        due_on=calendar.add_working_days(decided, days + 1),
    )


async def verify_arrivals(ledger: Ledger, calendar: Calendar, credit: Credit) -> tuple[int, int]:
    """Look for what is due by today, a hundred at a time; how many arrived, how many are missing.

    What is missing is looked for again on the next business day's first round; what their answer leaves
    out, in the next round, and it stands in nobody's way meanwhile.

    Raises:
        NotDone, Unreadable, Refused: the credit system cannot be asked now; what was seen is kept.
    """
    came = gone = left_out = 0
    after = arrivals.FIRST
    while True:
        async with ledger.reading() as conn:
            today = business_day(await clock.business_now(conn))
            rows = await arrivals.due(conn, today, after, BATCH_LIMIT)
        if not rows:
            break
        after = (rows[-1]["due_on"], rows[-1]["id"])
        owed = [row for row in rows if row["owed"]]
        asked = [ArrivalQuery(str(row["id"]), row["kind"], row["document_number"]) for row in owed]
        answers = {one.ref: one.arrived_at for one in (await credit.arrivals(asked) if asked else ())}
        told = [(row["id"], answers[str(row["id"])]) for row in owed if str(row["id"]) in answers]
        found = [(row_id, "missing" if at is None else "arrived", at) for row_id, at in told]
        withdrawn = [(row["id"], "withdrawn", None) for row in rows if not row["owed"]]
        async with ledger.writing() as conn:
            await arrivals.looked(conn, [*found, *withdrawn], again_on=today + timedelta(days=1))
        came += sum(1 for _, state, _ in found if state == "arrived")
        gone += sum(1 for _, state, _ in found if state == "missing")
        left_out += len(owed) - len(told)
    if left_out:
        log.warning("arrivals.left_out", documents=left_out)
    if came or gone:
        async with ledger.writing() as conn:
            await _tell(conn, calendar)
    return came, gone


async def _tell(conn: Conn, calendar: Calendar) -> None:
    now = await clock.business_now(conn)
    rows = await arrivals.missing(conn)
    await quarantine.show_incidents(
        conn,
        [
            quarantine.NewIncident(
                kind=MISSING,
                key=_key(row),
                count=row["n"],
                message=f"应由{_who(row)}报送信用系统的{_KINDS[row['kind']]}信息逾期未到，请督促其报送",
                owner=OPERATIONS_DESK,
                since=now,
                due_at=due_at(calendar, now),
            )
            for row in rows
            if row["n"]
        ],
    )
    await quarantine.close_incidents(conn, MISSING, [_key(row) for row in rows if not row["n"]])


def _key(row: dict[str, Any]) -> str:
    return "|".join(part for part in (row["reporter"], row["kind"], row["code"]) if part)


def _who(row: dict[str, Any]) -> str:
    return "政务服务平台" if row["reporter"] == "platform" else row["name"] or "监管部门"


async def expect(conn: Conn, rows: Sequence[NewExpected | None]) -> None:
    """Remember what should arrive."""
    await arrivals.expect(conn, [row for row in rows if row is not None])
