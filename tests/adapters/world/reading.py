"""How these tests read a world."""

from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
YIYANG = ROOT / "config" / "yiyang"
CASES = 600
Versions = dict[str, list[dict[str, Any]]]


def whole(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and not str(record.get("case_no", "BAD")).startswith("BAD")
        and isinstance(record["party"], dict)
    )


def newest(records: list[dict[str, Any]]) -> dict[str, Any]:
    return max(records, key=lambda record: record["data_version"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def content(record: dict[str, Any], scope: tuple[str, ...]) -> dict[str, Any]:
    """What a department may see, told by this test's own reading of the wire."""
    place, party = record["place_of_business"], record["party"]
    document = record["document"] or {}
    everything = record | {
        "place_region": place["region"],
        "place_address": place["address"],
        "party_name": party["name"],
        "party_kind": party["kind"],
        "party_id_number": party["id_number"],
        **{name: party[name] for name in ("legal_person", "contact", "phone", "address")},
        "licence_content": record["content"],
        "document_title": document.get("title"),
        "document_number": document.get("number"),
    }
    return {name: everything.get(name) for name in scope if name != "stage"}


def bad_feedback(record: dict[str, Any]) -> bool:
    return str(record.get("feedback_no", "BAD")).startswith("BAD")
