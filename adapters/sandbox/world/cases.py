"""One case: what was applied for, by whom, where, and how it ended."""

import hashlib
import random
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from adapters.sandbox.world.city import WorldCity
from adapters.sandbox.world.identity import street
from adapters.sandbox.world.parties import Parties, Party
from adapters.sandbox.world.timeline import BEGINS, LENGTH, Span, later, odd_moment, office_moment, written

GRANTED, REFUSED = ("90", "40"), ("90", "50")
NOT_ACCEPTED, WITHDRAWN, TERMINATED = ("97", None), ("98", None), ("99", None)
_ENDS = (GRANTED, REFUSED, NOT_ACCEPTED, WITHDRAWN, TERMINATED)
_SHARES = (0.92, 0.035, 0.02, 0.015, 0.01)
_SLOWEST = 10  # working days from acceptance to completion
_SLOWEST_DAYS = 17  # the same in calendar days, the May holiday among them
_ODD_HOURS = 0.08
_TITLES = {GRANTED: "准予行政许可决定书", REFUSED: "不予行政许可决定书", NOT_ACCEPTED: "不予受理通知书"}


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it went. ``party_fields`` overrides what the record says of the party."""

    case_no: str
    item: dict[str, Any]
    party: Party
    region: str
    place: str
    place_address: str
    accepted: datetime
    completed: datetime
    end: tuple[str, str | None]
    trait: str
    document_number: str
    licence_number: str
    action: str = "issue"
    secrecy: str = "none"
    parent: str | None = None
    late_days: int = 0  # working days between the decision and its record
    party_fields: dict[str, Any] = field(default_factory=dict)

    @property
    def granted(self) -> bool:
        """Whether it ended in a licence."""
        return self.end == GRANTED

    @property
    def observed_until(self) -> datetime:
        """When the item's observation period ends."""
        return self.completed + timedelta(days=self.item.get("observation_days", 0))


class Casebook:
    """Makes cases whose whole life fits into the world's time."""

    def __init__(self, seed: str, city: WorldCity, parties: Parties) -> None:
        self._draw = random.Random(f"{seed}|cases")
        self._city = city
        self._parties = parties
        self._serial = 0
        self._weights = [2.0 + 10 / (1 + place) for place in range(len(city.items))]

    def any_item(self, *, licence: bool = False) -> dict[str, Any]:
        """An item of the list; with ``licence`` one whose grants we report ourselves."""
        pairs = [
            (item, weight)
            for item, weight in zip(self._city.items, self._weights, strict=True)
            if not item.get("members") and (not licence or is_reported(item))
        ]
        return self._draw.choices([item for item, _ in pairs], [weight for _, weight in pairs])[0]

    def case(
        self,
        item: dict[str, Any],
        trait: str,
        *,
        party: Party | None = None,
        span: Span | None = None,
        granted: bool = False,
        place: str | None = None,
        spare_days: int = 0,
    ) -> Case:
        """A case of this item, accepted within ``span``, with ``spare_days`` left at the world's end."""
        draw = self._draw
        self._serial += 1
        accepted = self._acceptance(item, span, spare_days)
        # What is done on the spot is granted.
        end = GRANTED if granted or item.get("instant") else draw.choices(_ENDS, _SHARES)[0]
        completed = self._completion(item, accepted)
        place = place or draw.choice(self._city.places(item) or list(self._city.regions))
        return Case(
            case_no=self._number(item["code"], accepted),
            item=item,
            party=party or self._parties.suited(item["name"], draw),
            region=self._city.home(item),
            place=place,
            place_address=street(draw, self._city.regions.get(place, {"name": "外地"})["name"]),
            accepted=accepted,
            completed=completed,
            end=end,
            trait=trait,
            document_number=f"益审许字〔2026〕{self._serial:06d}号",
            licence_number=f"YY{item['code'][22:27]}{place[:6]}{self._serial:06d}",
        )

    def successor(self, first: Case, action: str) -> Case:
        """A later case of the same party and licence: renew, change or revoke."""
        begins = first.completed.date() + timedelta(days=3)
        case = self.case(
            first.item,
            first.trait,
            party=first.party,
            span=Span(begins, begins + timedelta(days=20)),
            granted=True,
            place=first.place,
        )
        return replace(
            case, licence_number=first.licence_number, place_address=first.place_address, action=action
        )

    def _acceptance(self, item: dict[str, Any], span: Span | None, spare_days: int) -> datetime:
        # What is observed long must come early, or the world would end before its period does.
        latest = LENGTH - _SLOWEST_DAYS - int(item.get("observation_days", 0)) - spare_days
        whole = Span(BEGINS, BEGINS + timedelta(days=max(0, latest)))
        first, last = (span.first, min(span.last, whole.last)) if span else (whole.first, whole.last)
        day = Span(first, max(first, last)).pick(self._draw)
        if self._draw.random() < _ODD_HOURS:
            return odd_moment(self._draw, day)
        return office_moment(self._draw, day)

    def _completion(self, item: dict[str, Any], accepted: datetime) -> datetime:
        if item.get("instant"):
            return accepted + timedelta(minutes=self._draw.randint(5, 40))
        days = self._draw.choices(range(_SLOWEST + 1), (2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 1))[0]
        day = later(later(accepted.date(), -1), 1) if days == 0 else later(accepted.date(), days)
        moment = office_moment(self._draw, day)
        return moment if moment > accepted else accepted + timedelta(minutes=self._draw.randint(20, 90))

    def _number(self, code: str, accepted: datetime) -> str:
        day = accepted.strftime("%Y%m%d")
        if self._draw.random() < 0.2:  # noqa: PLR2004 - a share has the hyphenated form
            return f"{code[2:8]}-{code[19:31]}-{day}-{self._serial:07d}-1-00"
        return f"{code}{day}{self._serial:07d}"


def is_reported(item: dict[str, Any]) -> bool:
    """Whether we report a grant of this item to the credit system."""
    return bool(item["kind"] == "01" and item["mode"] == "live" and item["reporter"] == "us")


def accepted_record(case: Case) -> dict[str, Any]:
    """The case's record when it was accepted: version 1."""
    return {
        "case_no": case.case_no,
        "data_version": 1,
        "operation": "i",
        "changed_at": written(case.accepted),
        "region": case.region,
        "secrecy": case.secrecy,
        "place_of_business": {"region": case.place, "address": case.place_address},
        "item_code": case.item["code"],
        "item_name": case.item["name"],
        "department": case.item["approval_department"],
        "status": "30",
        "result": None,
        "accepted_at": written(case.accepted),
        "completed_at": None,
        "document": None,
        "licence_number": None,
        "licence_action": None,
        "content": None,
        "decided_on": None,
        "valid_from": None,
        "valid_to": None,
        "attachments": [],
        "party": case.party.record() | case.party_fields,
        "credit_check": _credit_check(case),
        "parent_case_no": case.parent,
    }


def completed_record(case: Case) -> dict[str, Any]:
    """The case's record when it was decided: version 2, or 1 for an instant item."""
    status, result = case.end
    instant = bool(case.item.get("instant"))
    decided = case.completed.date()
    record = accepted_record(case) | {
        "data_version": 1 if instant else 2,
        "operation": "i" if instant else "u",
        "changed_at": written(case.completed),
        "status": status,
        "result": result,
        "completed_at": written(case.completed),
    }
    if case.end in _TITLES:
        title = "撤销行政许可决定书" if case.action == "revoke" else _TITLES[case.end]
        record["document"] = {"title": title, "number": case.document_number}
        record["decided_on"] = decided.isoformat()
    if case.granted:
        verb = "撤销" if case.action == "revoke" else "准予"
        record |= {
            "licence_number": case.licence_number,
            "licence_action": case.action,
            "content": f"{verb}{case.item['name']}，经营场所以证载地址为准。",
            "valid_from": decided.isoformat(),
            "valid_to": _until(case, decided),
            "attachments": [_attachment(case, name) for name in ("决定书.pdf", "证照.ofd")],
        }
    return record


def _until(case: Case, decided: date) -> str | None:
    years = (3, 5, 0)[int(case.document_number[-4:-1]) % 3]
    return (decided.replace(year=decided.year + years) - timedelta(days=1)).isoformat() if years else None


def _attachment(case: Case, name: str) -> dict[str, str]:
    return {"name": name, "sha256": hashlib.sha256(f"{case.case_no}/{name}".encode()).hexdigest()}


def _credit_check(case: Case) -> dict[str, str] | None:
    # The platform itself looked up about a third of the parties.
    if hashlib.sha256(case.case_no.encode()).digest()[0] % 3:
        return None
    checked = case.accepted - timedelta(minutes=6)
    return {
        "number": f"XYCX{case.document_number[10:16]}",
        "checked_at": written(checked),
        "grade": case.party.grade,
    }
