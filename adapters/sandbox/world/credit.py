"""What the credit system knows: every party with its grade, and the records it makes over time."""

import random
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from adapters.sandbox.world.cases import Case
from adapters.sandbox.world.parties import Party
from adapters.sandbox.world.timeline import BEGINS, later, office_moment, written
from adapters.sandbox.world.versions import Published

_LISTED, _PUNISHED, _PRAISED = "严重失信主体名单", "行政处罚", "守信激励对象"
_MEASURES = {
    _LISTED: [
        {"code": "CJ-07", "basis": "国办发〔2020〕42号"},
        {"code": "CJ-02", "basis": "国办发〔2020〕49号"},
    ],
    _PUNISHED: [{"code": "CJ-11", "basis": "国办发〔2019〕35号"}],
    _PRAISED: [{"code": "JL-01", "basis": "国办发〔2019〕35号"}],
}
_NEVER = 0.2
_SHARE = 0.012  # entries for each case
_FEWEST = 3
_YEAR = timedelta(days=365)


def credit_parties(parties: Iterable[Party], draw: random.Random) -> list[dict[str, Any]]:
    """One line for each party: its grade, the records behind it, and whether it is known at all."""
    found: dict[str, dict[str, Any]] = {}
    for serial, party in enumerate(parties):
        records = []
        if party.grade != "ordinary":
            category = _PRAISED if party.grade == "good" else draw.choice((_LISTED, _PUNISHED))
            since = date(2025, 1, 1) + timedelta(days=draw.randrange(360))
            records.append(_body(f"XYJL2025{serial:06d}", category, since))
        found[party.id_number] = {
            "id_number": party.id_number,
            "name": party.name,
            "grade": party.grade,
            "records": records,
            "known": party.known,
        }
    return list(found.values())


def credit_records(parties: list[Party], cases: int, draw: random.Random) -> list[Published]:
    """Entries spread over the world's time; a third is repaired and a fifth removed later.

    One entry comes twice, and one repair comes before the entry it repairs.
    """
    found: list[Published] = []
    known = [party for party in parties if party.known]
    for serial in range(max(_FEWEST, round(cases * _SHARE))):
        party = draw.choice(known)
        category = draw.choices((_LISTED, _PUNISHED, _PRAISED), (0.25, 0.55, 0.2))[0]
        moment = office_moment(draw, later(BEGINS, draw.randint(1, 40)))
        entry = _body(f"XYJL2026{serial:06d}", category, moment.date()) | {
            "version": 1,
            "operation": "entry",
            "changed_at": written(moment),
            "party": {"name": party.name, "id_type": party.id_type, "id_number": party.id_number},
            "source_own_id": None,
        }
        found.append((moment, entry))
        # The first of a world show each course: repaired, removed, repeated.
        course = draw.choices(("repair", "removal", "stays"), (0.33, 0.2, 0.47))[0]
        course = ("repair", "removal", "stays")[serial] if serial < _FEWEST else course
        if course != "stays":
            when = office_moment(draw, later(moment.date(), draw.randint(3, 12)))
            ended = entry | {"version": 2, "operation": course, "changed_at": written(when), "measures": []}
            ended["to"] = when.date().isoformat()
            found.append((when, ended))
        elif serial == _FEWEST - 1:
            found.append((moment + timedelta(hours=20), entry))
    if cases >= 100:  # noqa: PLR2004 - enough entries to let one pair come in the wrong order
        (first, entry), (second, repair) = found[0], found[1]
        found[0], found[1] = (second, entry), (first, repair)
    return found


def credit_arrivals(cases: Iterable[Case], draw: random.Random) -> list[dict[str, Any]]:
    """What others report of the licences that are not ours to report; one in five never comes."""
    found = []
    owed = [case for case in cases if case.granted and case.item.get("kind") == "01"]
    for serial, case in enumerate(case for case in owed if case.item.get("reporter", "us") != "us"):
        # The first of a world shows one that is missing, the second one that comes.
        missing = (True, False)[serial] if serial < 2 else draw.random() < _NEVER  # noqa: PLR2004
        if not missing:
            moment = office_moment(draw, later(case.completed.date(), draw.randint(1, 5)))
            found.append(
                {
                    "at": written(moment),
                    "kind": "XK",
                    "document_number": case.document_number,
                    "reporter": case.item["reporter"],
                }
            )
    return sorted(found, key=lambda row: (row["at"], row["document_number"]))


def _body(record_no: str, category: str, since: date) -> dict[str, Any]:
    return {
        "record_no": record_no,
        "category": category,
        "measures": _MEASURES[category],
        "from": since.isoformat(),
        "to": (since + _YEAR).isoformat(),
    }
