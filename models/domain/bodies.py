"""The exact bytes that leave: composed once, sealed, and sent unchanged on every repeat.

Only the fields in the item's scope leave (接口标准 三(五)8); absent values are left out.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from models.domain.canonical import canonical, content_hash
from models.domain.record import CaseRecord, CreditRecord, FeedbackRecord


class Stage(StrEnum):
    """The two moments of the linkage."""

    ACCEPTANCE = "acceptance"
    COMPLETION = "completion"


STAGE_CHINESE: Mapping[Stage, str] = {Stage.ACCEPTANCE: "受理", Stage.COMPLETION: "办结"}

ALWAYS = frozenset({"item_name", "item_code", "stage"})
AT_ACCEPTANCE = ALWAYS | {
    "party_name",
    "party_kind",
    "party_id_number",
    "legal_person",
    "contact",
    "phone",
    "address",
    "place_region",
    "place_address",
    "accepted_at",
}
SCOPE_FIELDS = AT_ACCEPTANCE | {
    "result",
    "document_title",
    "document_number",
    "licence_number",
    "licence_content",
    "decided_on",
    "valid_from",
    "valid_to",
    "completed_at",
    "attachments",
}
"""Every field name an item's scope may hold."""


def push_content(
    record: CaseRecord, stage: Stage, result: str | None, scope: Collection[str]
) -> dict[str, Any]:
    """What a supervising department gets of a case at this stage: its scope, no more."""
    party, place, document = record.party, record.place_of_business, record.document
    everything: dict[str, Any] = {
        "item_name": record.item_name,
        "item_code": record.item_code,
        "stage": stage.value,
        "result": result,
        "document_title": document.title if document else None,
        "document_number": document.number if document else None,
        "licence_number": record.licence_number,
        "licence_content": record.content,
        "decided_on": record.decided_on,
        "valid_from": record.valid_from,
        "valid_to": record.valid_to,
        "party_name": party.name,
        "party_kind": party.kind,
        "party_id_number": party.id_number,
        "legal_person": party.legal_person,
        "contact": party.contact,
        "phone": party.phone,
        "address": party.address,
        "place_region": place.region,
        "place_address": place.address,
        "accepted_at": record.accepted_at,
        "completed_at": record.completed_at,
        "attachments": [asdict(attachment) for attachment in record.attachments] or None,
    }
    wanted = ALWAYS | frozenset(scope)
    if stage is Stage.ACCEPTANCE:
        wanted &= AT_ACCEPTANCE
    return _present({name: value for name, value in everything.items() if name in wanted})


def feedback_content(record: FeedbackRecord) -> dict[str, Any]:
    """What the approving department gets of a supervision result: what was found and done, no party."""
    return _present(
        {
            "feedback_no": record.feedback_no,
            "version": record.version,
            "operation": record.operation,
            "department": record.department,
            "supervision_item": record.supervision_item,
            "case_no": record.case_no,
            "licence_number": record.licence_number,
            "item_code": record.item_code,
            "kind": record.kind,
            "happened_on": record.happened_on,
            "result": record.result,
            "handling": record.handling,
            "rectification": record.rectification,
            "rectification_due": record.rectification_due,
            "measures": list(record.measures) or None,
            "summary": record.summary,
        }
    )


def credit_record_content(record: CreditRecord) -> dict[str, Any]:
    """What the approval side gets of a credit record: whom it is about and what it allows."""
    return _present(
        {
            "record_no": record.record_no,
            "version": record.version,
            "operation": record.operation,
            "category": record.category,
            "party": asdict(record.party),
            "measures": [asdict(measure) for measure in record.measures] or None,
            "from": record.valid_from,
            "to": record.valid_to,
        }
    )


def envelope(own_id: str, business_key: str, content_version: int, content: Any, **about: Any) -> bytes:
    """The canonical bytes of one request: ids, what it is about, its content and the content's hash."""
    return canonical(
        {
            "own_id": own_id,
            "business_key": business_key,
            "content_version": content_version,
            "content": content,
            "content_sha256": content_hash(content),
            **about,
        }
    )


def report_body(
    own_id: str, business_key: str, content_version: int, kind: str, record: Mapping[str, str]
) -> bytes:
    """The canonical bytes of one credit report inside a batch; kind is XK or CF."""
    return canonical(
        {
            "own_id": own_id,
            "business_key": business_key,
            "kind": kind,
            "content_version": content_version,
            "record": dict(record),
            "content_sha256": content_hash(dict(record)),
        }
    )


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
