"""The parties of a world: firms, traders and persons, most of whom apply more than once."""

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from adapters.sandbox.world import identity
from adapters.sandbox.world.city import WorldCity

LEGAL, TRADER, PERSON = "法人及非法人组织", "个体工商户", "自然人"
CREDIT_CODE, ID_CARD = "统一社会信用代码", "身份证"
_PERSON_WORDS = ("执业注册", "从业人员", "林木", "自建房")
_TRADER_WORDS = ("食品", "餐", "公共场所", "烟花", "农药", "广告", "小作坊", "药品")


@dataclass(frozen=True, slots=True)
class Party:
    """A party as every record names it; ``known`` is whether the credit system has heard of it."""

    name: str
    kind: str
    id_type: str
    id_number: str
    legal_person: str | None
    contact: str
    phone: str
    address: str
    grade: str
    known: bool = True

    def record(self) -> dict[str, Any]:
        """The party inside a case record."""
        return {
            "name": self.name,
            "kind": self.kind,
            "id_type": self.id_type,
            "id_number": self.id_number,
            "legal_person": self.legal_person,
            "contact": self.contact,
            "phone": self.phone,
            "address": self.address,
        }


class Parties:
    """Hands out parties: from a pool in which a few are seen often, or fresh ones."""

    def __init__(self, seed: str, cases: int, city: WorldCity) -> None:
        self._draw = random.Random(f"{seed}|parties")
        self._regions = [row["name"] for row in city.regions.values() if row["level"] == "county"]
        self._serial = 0
        self.everybody: list[Party] = []
        self._pool = {
            LEGAL: self._many(LEGAL, max(6, cases * 2 // 5)),
            TRADER: self._many(TRADER, max(4, cases // 5)),
            PERSON: self._many(PERSON, max(4, cases // 8)),
        }
        # A long tail: the first parties of each pool come many times, the last hardly ever.
        self._weights = {
            kind: list(accumulate(1 / (place + 4) for place in range(len(pool))))
            for kind, pool in self._pool.items()
        }

    def suited(self, item_name: str, draw: random.Random) -> Party:
        """A party of the kind that applies for such an item."""
        kind = _kind_for(item_name, draw)
        return draw.choices(self._pool[kind], cum_weights=self._weights[kind])[0]

    def fresh(self, kind: str = LEGAL, *, known: bool = True, grade: str = "ordinary") -> Party:
        """Somebody no other case has."""
        party = self._invent(kind, known=known, grade=grade)
        self.everybody.append(party)
        return party

    def _many(self, kind: str, count: int) -> list[Party]:
        # The first three of a pool show the three grades, whatever the shares draw.
        grades = ["ordinary", "bad", "good"]
        found = []
        for place in range(count):
            drawn = self._draw.choices(("good", "ordinary", "bad"), (0.15, 0.79, 0.06))[0]
            found.append(self.fresh(kind, grade=grades[place] if place < len(grades) else drawn))
        return found

    def _invent(self, kind: str, *, known: bool, grade: str) -> Party:
        draw, serial = self._draw, self._serial
        self._serial += 1
        region = draw.choice(self._regions)
        person = identity.person_name(draw)
        contact = person if kind != LEGAL or draw.random() < 0.5 else identity.person_name(draw)  # noqa: PLR2004
        if kind == PERSON:
            name, id_type, number = person, ID_CARD, identity.person_number(serial)
        elif kind == TRADER:
            name, id_type = identity.shop_name(draw, region), CREDIT_CODE
            number = identity.party_code("92", serial)
        else:
            name, id_type = identity.firm_name(draw), CREDIT_CODE
            number = identity.party_code(draw.choices(("91", "52", "N2"), (0.94, 0.04, 0.02))[0], serial)
        return Party(
            name=name,
            kind=kind,
            id_type=id_type,
            id_number=number,
            legal_person=None if kind == PERSON else person,
            contact=contact,
            phone=identity.mobile(10_000_000 + serial),
            address=identity.street(draw, region),
            grade=grade,
            known=known,
        )


def _kind_for(item_name: str, draw: random.Random) -> str:
    if any(word in item_name for word in _PERSON_WORDS):
        return PERSON
    if any(word in item_name for word in _TRADER_WORDS):
        return draw.choices((TRADER, LEGAL), (0.55, 0.45))[0]
    return draw.choices((LEGAL, TRADER), (0.9, 0.1))[0]
