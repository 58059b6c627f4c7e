"""What goes to the credit system (信用报送): approvals we report as XK, penalties as CF, in 双公示 fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from config.city import CatalogItem, City
from models.domain.admission import Advance
from models.domain.bodies import Stage
from models.domain.keys import decision_key
from models.domain.lifecycles.case import CaseResult
from models.domain.party_codes import clean_code
from models.domain.record import CaseRecord, FeedbackRecord
from models.domain.shuanggongshi import cf_record, xk_record
from models.domain.workdays import business_day
from models.ledger.bulk import Conn
from models.ledger.queries import credit
from models.ledger.sealing import Sealing
from tasks.planning import Owed, owed_report

_ENDED = frozenset({"revoke", "cancel"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that is owed, and what it is about."""

    owed: Owed
    kind: str
    document_number: str
    case_id: UUID | None = None
    feedback_id: UUID | None = None


def owed_approval(
    sealing: Sealing, city: City, item: CatalogItem, record: CaseRecord, step: Advance, case_id: UUID
) -> Report | None:
    """The approval as an XK record; None for what is not ours to report, or not a granted licence.

    Only granted licences (事项类型 许可) go to credit as approvals.
    """
    told = step.stages.get(Stage.COMPLETION)
    if told is None or step.standing.result is not CaseResult.GRANTED or item.reporter != "us":
        return None
    if not city.statuses.is_licence(item.kind):
        return None
    party, document = record.party, record.document
    number = (document.number if document else None) or record.licence_number or record.case_no
    decided = record.decided_on or business_day(record.completed_at or record.changed_at)
    department = city.department(record.department)
    code = clean_code(party.id_number)
    fields = xk_record(
        party_name=party.name,
        party_kind=party.kind,
        id_type=party.id_type,
        id_number=code,
        document_title=document.title if document else item.name,
        document_number=number,
        content=record.content or item.name,
        decided_on=decided.isoformat(),
        department_name=department.name if department else record.department,
        department_code=record.department,
        legal_person=party.legal_person,
        licence_number=record.licence_number,
        valid_from=record.valid_from.isoformat() if record.valid_from else None,
        valid_to=record.valid_to.isoformat() if record.valid_to else None,
        state="2" if record.licence_action in _ENDED else "1",
    )
    key = decision_key("XK", number, sealing.mark("credit_report", code))
    return Report(
        owed=owed_report("XK", key, fields, case_id), kind="XK", document_number=number, case_id=case_id
    )


def owed_penalty(
    sealing: Sealing, record: FeedbackRecord, case_id: UUID | None, feedback_id: UUID
) -> Report | None:
    """The penalty as a CF record; None where the feedback holds none."""
    if record.kind != "penalty" or not record.penalty:
        return None
    fields = cf_record(record.penalty)
    number = fields.get("CF_WSH") or record.feedback_no
    party = fields.get("CF_XDR_SHXYM") or fields.get("CF_XDR_ZJHM") or fields.get("CF_XDR_MC") or ""
    key = decision_key("CF", number, sealing.mark("credit_report", party))
    return Report(
        owed=owed_report("CF", key, fields, case_id),
        kind="CF",
        document_number=number,
        case_id=case_id,
        feedback_id=feedback_id,
    )


async def remember_reports(conn: Conn, reports: Sequence[Report], planned: Mapping[str, str]) -> None:
    """Note what each newly planned report is about."""
    await credit.add_reports(
        conn,
        [
            credit.NewReport(
                own_id=planned[report.owed.business_key],
                kind=report.kind,
                case_id=report.case_id,
                feedback_id=report.feedback_id,
                document_number=report.document_number,
            )
            for report in reports
            if report.owed.business_key in planned
        ],
    )
