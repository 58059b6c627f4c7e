"""The fields a mapping may fill: the wire's own records, field by field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "whole", "date", "moment", "texts"]


@dataclass(frozen=True, slots=True)
class Target:
    """One field: the form of its value, and whether a record without it is none."""

    kind: Kind = "text"
    required: bool = False


_TEXT, _MUST = Target(), Target(required=True)
_DATE, _MOMENT = Target("date"), Target("moment")

CASE: Mapping[str, Target] = {
    "case_no": _MUST,
    "data_version": Target("whole", required=True),
    "operation": _MUST,
    "changed_at": Target("moment", required=True),
    "region": _MUST,
    "secrecy": _MUST,
    "place_of_business.region": _MUST,
    "place_of_business.address": _TEXT,
    "item_code": _MUST,
    "item_name": _MUST,
    "department": _MUST,
    "status": _MUST,
    "result": _TEXT,
    "accepted_at": Target("moment", required=True),
    "completed_at": _MOMENT,
    "document.title": _TEXT,
    "document.number": _TEXT,
    "licence_number": _TEXT,
    "licence_action": _TEXT,
    "content": _TEXT,
    "decided_on": _DATE,
    "valid_from": _DATE,
    "valid_to": _DATE,
    "party.name": _MUST,
    "party.kind": _MUST,
    "party.id_type": _MUST,
    "party.id_number": _MUST,
    "party.legal_person": _TEXT,
    "party.contact": _TEXT,
    "party.phone": _TEXT,
    "party.address": _TEXT,
    "parent_case_no": _TEXT,
}
FEEDBACK: Mapping[str, Target] = {
    "feedback_no": _MUST,
    "version": Target("whole", required=True),
    "operation": _MUST,
    "changed_at": Target("moment", required=True),
    "department": _MUST,
    "section": _TEXT,
    "supervision_item": _TEXT,
    "case_no": _TEXT,
    "licence_number": _TEXT,
    "item_code": _TEXT,
    "party.name": _TEXT,
    "party.id_number": _TEXT,
    "kind": _MUST,
    "push_receipt": _TEXT,
    "happened_on": Target("date", required=True),
    "result": _TEXT,
    "handling": _TEXT,
    "rectification": _TEXT,
    "rectification_due": _DATE,
    "measures": Target("texts"),
    "summary": _TEXT,
}
TARGETS: Mapping[str, Mapping[str, Target]] = {"case": CASE, "feedback": FEEDBACK}
KEYS: Mapping[str, str] = {"case": "case_no", "feedback": "feedback_no"}
EMPTY: Mapping[str, Mapping[str, object]] = {
    "case": {"attachments": [], "credit_check": None},
    "feedback": {"penalty": None},
}
"""What no mapping fills, and every record holds."""
OPTIONAL_GROUPS: Mapping[str, frozenset[str]] = {
    "case": frozenset({"document"}),
    "feedback": frozenset({"party"}),
}
"""Objects that are absent as a whole when all their fields are."""
PENALTY = "penalty."
"""Feedback may also fill ``penalty.CF_…``: 双公示 fields, by their own codes."""


def target_of(kind: str, name: str) -> Target | None:
    """The target under this name; None when the record has no such field."""
    if kind == "feedback" and name.startswith(f"{PENALTY}CF_") and name.isascii():
        return _TEXT
    return TARGETS[kind].get(name)
