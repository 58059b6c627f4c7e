"""The shapes of what the platform takes: pushes, recalls, returns."""

from typing import Any

from adapters.sandbox.checks import uscc_fits
from adapters.sandbox.shapes import (
    Anything,
    Error,
    Record,
    Rows,
    Shape,
    Text,
    Whole,
    error,
    faults_in,
    one_of,
)
from adapters.sandbox.wire import canonical, sha256

STAGES = ("acceptance", "completion")
_SHA = Text(64, form="sha256")
_DATE = Text(10, form="date")
_TIME = Text(40, form="time")
_ATTACHMENT = Record({"name": Text(256), "sha256": _SHA}, frozenset({"name", "sha256"}))

CONTENT: dict[str, Shape] = {
    "item_name": Text(200),
    "item_code": Text(64),
    "stage": one_of(*STAGES),
    "result": Text(64),
    "document_title": Text(200),
    "document_number": Text(128),
    "licence_number": Text(128),
    "licence_content": Text(4000),
    "decided_on": _DATE,
    "valid_from": _DATE,
    "valid_to": _DATE,
    "party_name": Text(200),
    "party_kind": one_of("法人及非法人组织", "自然人", "个体工商户"),
    "party_id_number": Text(64),
    "legal_person": Text(64),
    "contact": Text(64),
    "phone": Text(32),
    "address": Text(400),
    "place_region": Text(9, form="region"),
    "place_address": Text(400),
    "accepted_at": _TIME,
    "completed_at": _TIME,
    "attachments": Rows(_ATTACHMENT, 100),
    "withdrawn_reason": Text(500),
}
AT_ACCEPTANCE = frozenset(
    {
        "item_name",
        "item_code",
        "stage",
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
)
_TARGET = Record(
    {
        "department": Text(18, form="uscc"),
        "section": Text(64, nullable=True),
        "supervision_item": Text(14, form="digits14"),
    },
    frozenset({"department", "section", "supervision_item"}),
)
_ENVELOPE: dict[str, Shape] = {
    "own_id": Text(128, form="own_id"),
    "business_key": Text(256),
    "content_version": Whole(),
    "content_sha256": _SHA,
}
PUSH = Record(
    _ENVELOPE
    | {
        "stage": one_of(*STAGES),
        "case_no": Text(64),
        "target": _TARGET,
        "content": Record(CONTENT, frozenset({"stage"})),
    },
    frozenset({*_ENVELOPE, "stage", "case_no", "target", "content"}),
)
_RECALL_CONTENT = Record(
    {
        "case_no": Text(64),
        "reason": Text(500),
        "withdraws": Rows(Text(128, form="own_id"), 100, 1),
    },
    frozenset({"case_no", "reason", "withdraws"}),
)
RECALL = Record(
    _ENVELOPE | {"case_no": Text(64), "target": _TARGET, "content": _RECALL_CONTENT},
    frozenset({*_ENVELOPE, "case_no", "target", "content"}),
)
RETURN = Record(
    _ENVELOPE
    | {
        "kind": one_of("feedback", "credit_record"),
        "department": Text(18),
        "case_no": Text(64, nullable=True),
        "content": Anything(),
    },
    frozenset({*_ENVELOPE, "kind", "department", "content"}),
)
_PARTY = Record(
    {"name": Text(200), "id_type": Text(64, nullable=True), "id_number": Text(64, nullable=True)},
    frozenset({"name"}),
    nullable=True,
)
_MEASURE = Record({"code": Text(64), "basis": Text(1000)}, frozenset({"code"}))
FEEDBACK_CONTENT = Record(
    {
        "feedback_no": Text(64),
        "version": Whole(),
        "operation": one_of("i", "u", "d"),
        "changed_at": _TIME,
        "department": Text(18, form="uscc"),
        "section": Text(64, nullable=True),
        "supervision_item": Text(14, form="digits14", nullable=True),
        "case_no": Text(64, nullable=True),
        "licence_number": Text(128, nullable=True),
        "item_code": Text(64, nullable=True),
        "party": _PARTY,
        "kind": one_of("inspection", "measure", "penalty", "rectification", "policy"),
        "happened_on": Text(10, form="date", nullable=True),
        "result": one_of("符合", "基本符合", "不符合", nullable=True),
        "handling": one_of("通过", "限期整改", "移交执法", nullable=True),
        "rectification": one_of("合格", "继续整改", nullable=True),
        "rectification_due": Text(10, form="date", nullable=True),
        "measures": Rows(Text(200), 20, nullable=True),
        "summary": Text(2000, 0, nullable=True),
        "penalty": Anything(nullable=True),
        "push_receipt": Text(64, nullable=True),
    },
    frozenset({"feedback_no", "kind"}),
)
CREDIT_RECORD_CONTENT = Record(
    {
        "record_no": Text(64),
        "version": Whole(),
        "operation": one_of("entry", "removal", "repair"),
        "changed_at": _TIME,
        "category": Text(64),
        "party": _PARTY,
        "measures": Rows(_MEASURE, 50, nullable=True),
        "from": Text(10, form="date", nullable=True),
        "to": Text(10, form="date", nullable=True),
        "source_own_id": Text(128, nullable=True),
    },
    frozenset({"record_no", "operation"}),
)


def push_errors(body: dict[str, Any]) -> list[Error]:
    """Why this is no push; empty when it is one."""
    found = faults_in(body, PUSH)
    if found:
        return found
    content = body["content"]
    if content["stage"] != body["stage"]:
        found.append(error("content.stage", "stage", "与外层 stage 不一致"))
    if body["stage"] == "acceptance":
        found += [
            error(f"content.{name}", "not-at-this-stage", "受理推送不含该字段")
            for name in sorted(set(content) - AT_ACCEPTANCE)
        ]
    return found + _common(body, body["stage"])


def recall_errors(body: dict[str, Any]) -> list[Error]:
    """Why this is no recall; whether it withdraws what is held is asked elsewhere."""
    found = faults_in(body, RECALL)
    if found:
        return found
    if body["content"]["case_no"] != body["case_no"]:
        found.append(error("content.case_no", "case-number", "与外层 case_no 不一致"))
    return found + _common(body, "recall")


def return_errors(body: dict[str, Any]) -> list[Error]:
    """Why this is no return of feedback or of a credit record."""
    found = faults_in(body, RETURN)
    if found:
        return found
    content = body["content"]
    if body["kind"] == "feedback":
        found += faults_in(content, FEEDBACK_CONTENT, "content")
        key = f"{content.get('feedback_no')}|feedback|{body['department']}"
        if not uscc_fits(body["department"]):
            found.append(error("department", "check-digit", "不是有效的统一社会信用代码"))
    else:
        found += faults_in(content, CREDIT_RECORD_CONTENT, "content")
        key = f"{content.get('record_no')}|credit_record|platform"
        if body["department"] != "platform":
            found.append(error("department", "enum", "信用记录回流应填 platform"))
    return found + _key_and_hash(body, key)


def _common(body: dict[str, Any], stage: str) -> list[Error]:
    target = body["target"]
    found = []
    if not uscc_fits(target["department"]):
        found.append(error("target.department", "check-digit", "不是有效的统一社会信用代码"))
    key = "|".join((body["case_no"], stage, target["department"], target["supervision_item"]))
    return found + _key_and_hash(body, key)


def _key_and_hash(body: dict[str, Any], key: str) -> list[Error]:
    found = []
    if body["business_key"] != key:
        found.append(error("business_key", "business-key", "与报文内容不一致"))
    if body["content_sha256"] != sha256(canonical(body["content"])):
        found.append(error("content_sha256", "content-hash", "与 content 的规范化散列不一致"))
    return found
