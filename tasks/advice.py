"""What a party's credit means at the door: advice with its legal basis; the clerk decides.

Source: reform plan 三(三)5. Only measures in the national list may restrict (国办发〔2020〕49号);
bad faith ends 告知承诺 until it is repaired (国办发〔2020〕42号). It never refuses by itself.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.values import PartyCredit
from models.domain.canonical import canonical
from models.domain.record import PlatformCreditCheck
from models.ledger.queries.credit import NewCheck
from models.ledger.sealing import Sealing

CHECK_FIELD = "credit_checks.body"

_ADVICE: Mapping[str, tuple[str, str]] = {
    "good": ("可走绿色通道，可容缺受理、告知承诺", "《实施方案》三（三）5"),
    "ordinary": ("按一般程序办理", "《实施方案》三（三）5"),
    "bad": ("建议不适用容缺受理、告知承诺，由经办人决定", "国办发〔2020〕42号"),
}


def platform_check(sealing: Sealing, case_id: UUID, check: PlatformCreditCheck) -> NewCheck:
    """The platform's own look-up, as evidence."""
    return _check(sealing, case_id, "platform", check.number, check.checked_at, check.grade, ())


def our_check(sealing: Sealing, case_id: UUID, answer: PartyCredit) -> NewCheck:
    """Our look-up, as evidence."""
    marks = tuple(
        {
            "record_no": mark.record_no,
            "category": mark.category,
            "measures": [{"code": measure.code, "basis": measure.basis} for measure in mark.measures],
        }
        for mark in answer.records
    )
    return _check(sealing, case_id, "us", answer.number, answer.checked_at, answer.grade, marks)


def _check(
    sealing: Sealing,
    case_id: UUID,
    source: str,
    number: str,
    checked_at: datetime,
    grade: str,
    marks: Sequence[dict[str, Any]],
) -> NewCheck:
    advice, basis = _ADVICE[grade]
    body = canonical({"grade": grade, "records": list(marks)})
    return NewCheck(
        case_id=case_id,
        source=source,
        number=number,
        checked_at=checked_at,
        grade=grade,
        advice=advice,
        basis=basis,
        records=len(marks),
        body_sealed=sealing.seal(CHECK_FIELD, case_id, body),
    )
