"""The cases of a world: every planned trait made into one or several of them."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from adapters.sandbox.world.cases import Case, Casebook
from adapters.sandbox.world.city import WorldCity
from adapters.sandbox.world.parties import LEGAL, PERSON, Parties
from adapters.sandbox.world.shares import FULL, plan
from adapters.sandbox.world.timeline import BEGINS, Span

_OUTSIDE = "430111"  # a district of another city
_UNKNOWN_ITEMS = ("未入清单的备案事项", "未入清单的许可事项")
_LATE_SPARE = 20  # calendar days that a decision may take to be recorded
_COMPOSITE_PARTS = 3


class Population:
    """Makes the cases of one world."""

    def __init__(self, seed: str, cases: int, city: WorldCity) -> None:
        self.city = city
        self.parties = Parties(seed, cases, city)
        self._draw = random.Random(f"{seed}|population")
        self._book = Casebook(seed, city, self.parties)
        self._steps = plan(cases, self._draw)
        self._plain = self._plain_items(cases)
        self._makers: dict[str, Callable[[str], list[Case]]] = {
            "plain": self._ordinary,
            "not_applicable": self._not_applicable,
            "unknown_item": self._unknown_item,
            "secret": self._secret,
            "work_secret": self._secret,
            "broken_credit_code": self._organization,
            "dirty_code": self._organization,
            "broken_id_number": self._person,
            "late_decision": self._late,
            "unknown_subject": self._unknown_subject,
            "uncovered_place": self._uncovered,
            "withdrawn_before_result": self._slow,
            "renewal": self._renewed,
            "revocation": self._revoked,
            "duplicate_number": self._doubled_number,
            "composite": self._composite,
        }
        self._unknown = 0
        self._renewals = 0

    def cases(self) -> list[Case]:
        """All cases, in the order they were drawn."""
        return [case for trait in self._steps for case in self._makers.get(trait, self._granted)(trait)]

    def _plain_items(self, cases: int) -> Iterator[dict[str, Any]]:
        # A full world shows every item; those that go live later once before and once after.
        if cases >= FULL:
            for item in self.city.items:
                if not item.get("members"):
                    yield item
                    if item["go_live_at"][:10] > BEGINS.isoformat():
                        yield item
        while True:
            yield self._book.any_item()

    def _ordinary(self, trait: str) -> list[Case]:
        item = next(self._plain)
        live = date.fromisoformat(item["go_live_at"][:10])
        span = None
        if live > BEGINS:
            self._renewals += 1
            far = timedelta(days=14)
            span = Span(BEGINS, live - timedelta(days=1)) if self._renewals % 2 else Span(live, live + far)
        return [self._book.case(item, trait, span=span)]

    def _granted(self, trait: str) -> list[Case]:
        return [self._book.case(self._book.any_item(licence=True), trait, granted=True, spare_days=6)]

    def _slow(self, trait: str) -> list[Case]:
        item = self._book.any_item(licence=True)
        while item.get("instant"):
            item = self._book.any_item(licence=True)
        return [self._book.case(item, trait, granted=True)]

    def _not_applicable(self, trait: str) -> list[Case]:
        code = self._draw.choice(sorted(self.city.not_applicable))
        return [self._book.case(self._bare(code, self.city.not_applicable[code]), trait, granted=True)]

    def _unknown_item(self, trait: str) -> list[Case]:
        turn = self._unknown % len(_UNKNOWN_ITEMS)
        self._unknown += 1
        agency = self.city.items[0]["approval_department"]
        code = f"{agency}4{turn:01d}20998{turn:03d}000"
        return [self._book.case(self._bare(code, _UNKNOWN_ITEMS[turn]), trait, granted=True)]

    def _bare(self, code: str, name: str) -> dict[str, Any]:
        """An item that is not on the list, as far as the source's record shows it."""
        return {"code": code, "name": name, "approval_department": code[:18], "duty": [], "scope": []}

    def _secret(self, trait: str) -> list[Case]:
        return [replace(case, secrecy=trait) for case in self._granted(trait)]

    def _organization(self, trait: str) -> list[Case]:
        item = self._book.any_item(licence=True)
        return [self._book.case(item, trait, party=self.parties.fresh(LEGAL), granted=True)]

    def _person(self, trait: str) -> list[Case]:
        item = self._book.any_item(licence=True)
        return [self._book.case(item, trait, party=self.parties.fresh(PERSON), granted=True)]

    def _unknown_subject(self, trait: str) -> list[Case]:
        item = self._book.any_item(licence=True)
        return [self._book.case(item, trait, party=self.parties.fresh(LEGAL, known=False), granted=True)]

    def _late(self, trait: str) -> list[Case]:
        item = self._book.any_item(licence=True)
        case = self._book.case(item, trait, granted=True, spare_days=_LATE_SPARE)
        return [replace(case, late_days=self._draw.randint(9, 12))]

    def _uncovered(self, trait: str) -> list[Case]:
        routed = [
            item
            for item in self.city.items
            if item["mode"] == "live"
            and any(duty.get("level") in {"county", "township"} for duty in item["duty"])
        ]
        item = self._draw.choice(routed)
        place = self._draw.choice([*self.city.gaps(item), _OUTSIDE])
        return [self._book.case(item, trait, place=place, granted=True)]

    def _renewed(self, trait: str) -> list[Case]:
        first = self._early(trait)
        self._renewals += 1
        return [first, self._book.successor(first, "change" if self._renewals % 3 == 0 else "renew")]

    def _revoked(self, trait: str) -> list[Case]:
        first = self._early(trait)
        return [first, self._book.successor(first, "revoke")]

    def _early(self, trait: str) -> Case:
        item = self._book.any_item(licence=True)
        span = Span(BEGINS, BEGINS + timedelta(days=9))
        return self._book.case(item, trait, span=span, granted=True)

    def _doubled_number(self, trait: str) -> list[Case]:
        """Two parties under one document number: the credit system refuses the second."""
        item = self._book.any_item(licence=True)
        first, second = (
            self._book.case(item, trait, party=self.parties.fresh(LEGAL), granted=True) for _ in range(2)
        )
        return [first, replace(second, document_number=first.document_number)]

    def _composite(self, trait: str) -> list[Case]:
        """One matter (一件事) and the cases it is made of."""
        matters = [item for item in self.city.items if item.get("members")]
        if not matters:
            return [self._granted(trait)[0] for _ in range(_COMPOSITE_PARTS + 1)]
        matter = self._draw.choice(matters)
        whole = self._book.case(matter, trait, granted=True, spare_days=8)
        codes = (matter["members"] * _COMPOSITE_PARTS)[:_COMPOSITE_PARTS]
        span = Span(whole.accepted.date(), whole.accepted.date() + timedelta(days=3))
        parts = []
        for code in codes:
            item = self.city.by_code[code]
            place = whole.place if self.city.covers(item, whole.place) else None
            part = self._book.case(item, trait, party=whole.party, span=span, granted=True, place=place)
            parts.append(replace(part, parent=whole.case_no))
        return [whole, *parts]
