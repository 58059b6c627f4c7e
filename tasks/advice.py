"""What a party's credit means at the door: advice with its legal basis; the clerk decides.

Source: reform plan 三(三)5. Only measures in the national list may restrict (国办发〔2020〕49号);
bad faith ends 告知承诺 until it is repaired (国办发〔2020〕42号). It never refuses by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    """The platform's own look-up: it came inside a record, whose leaf has it."""
    return _check(sealing, case_id, "platform", check.number, check.checked_at, check.grade, ())[0]


def our_check(sealing: Sealing, case_id: UUID, answer: PartyCredit) -> NewCheck:
    """Our look-up, as evidence: an answer that came in, with a leaf of its own."""
    marks = tuple(
        {
            "record_no": mark.record_no,
            "category": mark.category,
            "measures": [{"code": measure.code, "basis": measure.basis} for measure in mark.measures],
        }
        for mark in answer.records
    )
    check, body = _check(sealing, case_id, "us", answer.number, answer.checked_at, answer.grade, marks)
    return replace(check, commitment=sealing.commitment(CHECK_FIELD, case_id, check.body_sealed, body))


def _check(
    sealing: Sealing,
    case_id: UUID,
    source: str,
    number: str,
    checked_at: datetime,
    grade: str,
    marks: Sequence[dict[str, Any]],
) -> tuple[NewCheck, bytes]:
    advice, basis = _ADVICE[grade]
    body = canonical({"grade": grade, "records": list(marks)})
    check = NewCheck(
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
    return check, body
