"""Invented records, as plain as they can be."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from models.domain.record import CaseRecord, CreditParty, CreditRecord, FeedbackRecord, Party, Place

AT = datetime(2026, 3, 13, 1, tzinfo=UTC)

CASE = CaseRecord(
    case_no="C-1",
    data_version=1,
    operation="i",
    changed_at=AT,
    region="430902",
    secrecy="none",
    place_of_business=Place(region="430902", address="某路 1 号"),
    item_code="11511301008778183N3442199806003",
    item_name="食品经营许可",
    department="11511301008778183N",
    status="30",
    accepted_at=AT,
    party=Party(
        name="某某公司", kind="法人及非法人组织", id_type="统一社会信用代码", id_number="91230500MA1B3N1N2M"
    ),
)
FEEDBACK = FeedbackRecord(
    feedback_no="F-1",
    version=1,
    operation="i",
    changed_at=AT,
    department="11511301008778183N",
    kind="inspection",
    happened_on=AT.date(),
)
CREDIT = CreditRecord(
    record_no="R-1",
    version=1,
    operation="entry",
    changed_at=AT,
    category="行政处罚",
    party=CreditParty(name="某某公司", id_type="统一社会信用代码", id_number="91230500MA1B3N1N2M"),
)


def case(**changes: Any) -> CaseRecord:
    """The plain case, changed."""
    return replace(CASE, **changes)
