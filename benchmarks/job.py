"""The reference job: ordinary cases, each accepted, then granted, with one supervising department.

Every case brings two case records, one credit look-up, two pushes, one credit report and its share
of folded texts. Nothing in it goes wrong: faults are measured elsewhere.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.sandbox.world.cases import Case, Casebook, accepted_record, completed_record, is_reported
from adapters.sandbox.world.city import WorldCity
from adapters.sandbox.world.identity import mobile, person_name
from adapters.sandbox.world.parties import Parties
from adapters.sandbox.world.timeline import BEGINS, at, written

ACCEPTED = at(date(2026, 5, 18), 10 * 3600)
"""When every acceptance is in the feed; later than any acceptance of the casebook."""
COMPLETED = at(date(2026, 6, 22), 10 * 3600)
"""When every decision is in the feed. All are of that morning: no observation is over before ``OBSERVED``."""
OBSERVED = at(date(2026, 12, 1), 10 * 3600)
"""When every observation period is over."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job on the disk: the world's folder the simulators play, and how much there is to do."""

    folder: Path
    cases: int

    @property
    def liaisons(self) -> list[dict[str, Any]]:
        """One liaison with a phone for every section."""
        people: list[dict[str, Any]] = json.loads((self.folder / "liaisons.json").read_bytes())
        return people

    @property
    def expected(self) -> dict[str, int]:
        """How many effects of each kind the outside must hold afterwards; texts fold as they may."""
        return {"push": 2 * self.cases, "XK": self.cases}


def make_job(folder: Path, *, cases: int, seed: str, city_dir: Path, only: int | None = None) -> Job:
    """Write the job's files; the same arguments give the same job. ``only`` makes its first so many cases."""
    city = WorldCity(city_dir)
    parties = Parties(seed, cases, city)
    book = Casebook(seed, city, parties)
    items = [item for item in city.items if _is_ordinary(item) and city.places(item)]
    draw = random.Random(seed)  # noqa: S311 - seeded on purpose
    decided = COMPLETED - timedelta(hours=1)
    born = [
        replace(book.case(draw.choice(items), "plain", granted=True), completed=decided) for _ in range(cases)
    ][:only]
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / "feed_cases.jsonl", _feed(born))
    _write_lines(
        folder / "credit_parties.jsonl",
        (
            {"id_number": party.id_number, "grade": party.grade, "records": [], "known": True}
            for party in parties.everybody
        ),
    )
    people = [
        _liaison(number, department["code"], section["id"], draw)
        for number, (department, section) in enumerate(
            (department, section)
            for department in city.departments.values()
            for section in department["section"]
        )
    ]
    (folder / "liaisons.json").write_text(json.dumps(people, ensure_ascii=False), encoding="utf-8")
    world = {
        "seed": seed,
        "cases": len(born),
        "begins": written(ACCEPTED),
        "ends": written(OBSERVED),
        "disorder": 0,  # every page once and in order: the bench measures work, not re-reading
    }
    (folder / "world.json").write_text(json.dumps(world), encoding="utf-8")
    return Job(folder, len(born))


def _is_ordinary(item: dict[str, Any]) -> bool:
    return (
        is_reported(item)
        and len(item["duty"]) == 1
        and set(item["stages"]) == {"acceptance", "completion"}
        and datetime.fromisoformat(item["go_live_at"]) <= at(BEGINS)
        and not item.get("instant")
        and not item.get("urgent")
        and not item.get("members")
    )


def _feed(born: list[Case]) -> Iterator[dict[str, Any]]:
    # No look-up of the platform's own: each is ours to make.
    for moment, record_of in ((ACCEPTED, accepted_record), (COMPLETED, completed_record)):
        for case in born:
            yield {"at": _just_before(moment), "record": record_of(case) | {"credit_check": None}}


def _just_before(moment: datetime) -> str:
    return written(moment - timedelta(seconds=1))


def _liaison(number: int, department: str, section: str, draw: random.Random) -> dict[str, Any]:
    return {
        "id": f"L{number:05d}",
        "department": department,
        "section": section,
        "name": person_name(draw),
        "phone": mobile(number),
        "rank": 1,
        "valid_from": "2025-01-01",
        "valid_to": None,
    }


def _write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
