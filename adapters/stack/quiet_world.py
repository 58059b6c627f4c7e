"""A simulated world that begins nothing by itself: what happens comes from files."""

import json
from datetime import date
from pathlib import Path

_SPOKEN = ("feed_cases", "answers", "feed_feedback", "credit_parties", "credit_records")


def make_quiet(world: Path, since: date) -> None:
    """Empties what the systems would say of their own; the liaisons are in office from ``since``.

    Nobody is known to the credit system beforehand, and whoever is asked for is ordinary there.
    """
    for name in _SPOKEN:
        (world / f"{name}.jsonl").write_text("", encoding="utf-8")
    path = world / "liaisons.json"
    people = json.loads(path.read_text(encoding="utf-8"))
    first = min(person["valid_from"] for person in people)
    for person in people:
        # Who followed somebody keeps the day: two are not in office at once.
        if person["valid_from"] == first:
            person["valid_from"] = since.isoformat()
    path.write_text(json.dumps(people, ensure_ascii=False, indent=1), encoding="utf-8")
    told = json.loads((world / "world.json").read_text(encoding="utf-8"))
    begins = f"{since.isoformat()}T08:00:00+08:00"
    told |= {"begins": begins, "ends": None, "seeded": {}, "disorder": 0}
    (world / "world.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
