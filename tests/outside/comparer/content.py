"""What a push may hold of a record: the fields in the item's scope, each with the forms it may take."""

import json
from typing import Any

from comparer.codes import plain
from comparer.evidence import instant

ALWAYS = frozenset({"item_name", "item_code", "stage"})
AT_ACCEPTANCE = ALWAYS | {
    "party_name", "party_kind", "party_id_number", "legal_person", "contact", "phone", "address",
    "place_region", "place_address", "accepted_at",
}  # fmt: skip
RESULTS = {
    "40": {"40", "granted", "准予许可", "准予"},
    "50": {"50", "refused", "不予许可", "不予"},
    "": {"refused", "withdrawn", "terminated", "不予受理", "撤销", "申请人撤回", "异常办结", "撤回"},
}
STAGE_NAMES = {"acceptance": {"acceptance", "受理"}, "completion": {"completion", "办结"}}


class Expected:
    """The contents one record allows at one stage: required fields, allowed fields, allowed forms."""

    def __init__(self, record: dict[str, Any], stage: str, item: dict[str, Any]) -> None:
        scope = frozenset(str(name) for name in item.get("scope", []))
        if stage == "acceptance":
            scope &= AT_ACCEPTANCE
        forms = {name: found for name, found in _forms(record, stage, item).items() if found}
        self.required: dict[str, set[str]] = {name: forms[name] for name in scope if name in forms}
        self.optional = {name: forms[name] for name in ALWAYS if name in forms and name not in scope}
        if "result" in self.required and not record.get("result"):
            self.optional["result"] = self.required.pop("result")
        self.reasons = "withdrawn_reason" in scope

    def wrong(self, content: Any) -> str:
        """The first field that is missing, out of scope, or not the record's; empty when it fits."""
        if not isinstance(content, dict):
            return "content"
        held = {str(name): value for name, value in content.items() if value not in (None, "", [])}
        missing = [name for name in self.required if name not in held]
        if missing:
            return missing[0]
        for name, value in held.items():
            if name == "withdrawn_reason" and self.reasons:
                continue
            allowed = self.required.get(name) or self.optional.get(name)
            if allowed is None or not (_texts(value) & allowed):
                return name
        return ""


def _forms(record: dict[str, Any], stage: str, item: dict[str, Any]) -> dict[str, set[str]]:
    party = record.get("party") or {}
    place = record.get("place_of_business") or {}
    document = record.get("document") or {}
    fields = {
        "item_code": record.get("item_code"),
        "document_title": document.get("title"),
        "document_number": document.get("number"),
        "licence_number": record.get("licence_number"),
        "licence_content": record.get("content"),
        "decided_on": record.get("decided_on"),
        "valid_from": record.get("valid_from"),
        "valid_to": record.get("valid_to"),
        "party_name": party.get("name"),
        "party_kind": party.get("kind"),
        "party_id_number": party.get("id_number"),
        "legal_person": party.get("legal_person"),
        "contact": party.get("contact"),
        "phone": party.get("phone"),
        "address": party.get("address"),
        "place_region": place.get("region"),
        "place_address": place.get("address"),
        "accepted_at": record.get("accepted_at"),
        "completed_at": record.get("completed_at"),
        "attachments": record.get("attachments"),
    }
    forms = {name: _texts(value) for name, value in fields.items()}
    forms["item_name"] = _texts(record.get("item_name")) | _texts(item.get("name"))
    forms["party_id_number"] |= {plain(party["id_number"])} if party.get("id_number") else set()
    forms["stage"] = STAGE_NAMES[stage]
    forms["result"] = RESULTS.get(str(record.get("result") or ""), _texts(record.get("result")))
    return forms


def _texts(value: Any) -> set[str]:
    """The value as text; a moment also as its instant, so that the offset it is written in is free."""
    if value in (None, "", []):
        return set()
    if not isinstance(value, str):
        return {json.dumps(value, ensure_ascii=True, sort_keys=True)}
    moment = instant(value) if "T" in value else None
    return {value, f"@{moment.timestamp()}"} if moment else {value}
