"""The city's own lists, read afresh from its TOML files: items, duties, departments, liaisons."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from comparer.evidence import UnreadableEvidence, instant, toml

STAGES = {"30": "acceptance", "90": "completion", "97": "completion", "98": "completion", "99": "completion"}


@dataclass(frozen=True)
class Liaison:
    """One dated liaison of a section; the phone may be missing."""

    liaison_id: str
    department: str
    section: str
    phone: str


@dataclass(frozen=True)
class Route:
    """Where a duty leads. ``department`` None is the dispatching queue; ``sure`` False when the
    place of business lies beyond what the lists say, so that the queue is right as well."""

    department: str | None
    sure: bool


@dataclass
class City:
    """A city's configuration, as far as it decides what is owed."""

    departments: dict[str, dict[str, Any]]
    regions: dict[str, dict[str, Any]]
    items: dict[str, dict[str, Any]]
    not_applicable: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    stages: dict[str, str]
    liaisons: dict[str, Liaison]
    public_words: list[str] = field(default_factory=list)

    def successor(self, code: str) -> str:
        """The department that answers today for this one."""
        seen = set()
        while code not in seen:
            seen.add(code)
            code = self.departments.get(code, {}).get("successor") or code
        return code

    def route(self, duty: dict[str, Any], record: dict[str, Any]) -> Route:
        """The department a duty of this record goes to: fixed, else by unit and place of business."""
        if duty.get("department"):
            department = self.successor(str(duty["department"]))
            return Route(department, self._has(department, duty.get("section")))
        place = record.get("place_of_business")
        region = place.get("region") if isinstance(place, dict) else None
        sure = isinstance(region, str) and region in self.regions
        wanted = self._region_at(str(duty.get("level")), region if isinstance(region, str) else "")
        found = {
            self.successor(code)
            for code, department in self.departments.items()
            if department.get("unit") == duty.get("unit") and wanted and department.get("region") == wanted
        }
        if not found:
            return Route(None, sure)
        if len(found) > 1:
            supervising = {c for c in found if self.departments[c].get("role") != "approval"}
            found = supervising or found
        department = min(found)
        return Route(department, sure and len(found) == 1 and self._has(department, duty.get("section")))

    def _has(self, department: str, section: Any) -> bool:
        names = self.departments.get(department, {}).get("section", [])
        return any(str(section) in {str(one.get("id")), str(one.get("name"))} for one in names)

    def sections_of(self, department: str, named: Any) -> frozenset[str]:
        """Every way to name one section of a department: its id and its name."""
        for section in self.departments.get(department, {}).get("section", []):
            names = {str(section.get("id")), str(section.get("name"))}
            if str(named) in names:
                return frozenset(names)
        return frozenset({str(named)})

    def liaisons_of(self, department: str, section: Any) -> list[Liaison]:
        """The liaisons of a section, or of the whole department when the section has none."""
        names = self.sections_of(department, section)
        here = [one for one in self.liaisons.values() if self.successor(one.department) == department]
        return [one for one in here if one.section in names] or here

    def _region_at(self, level: str, region: str) -> str:
        if level == "township":
            return region if len(region) == len("430902001") else ""
        if level == "county":
            return region[:6]
        cities = [code for code, row in self.regions.items() if row.get("level") == "city"]
        return cities[0] if cities else region[:4] + "00"


def went_live(item: dict[str, Any], accepted_at: Any) -> bool:
    """False for stock: a case accepted before its item's go-live moment."""
    start, moment = instant(item.get("go_live_at")), instant(accepted_at)
    if isinstance(item.get("go_live_at"), datetime):
        start = instant(item["go_live_at"])
    return start is None or moment is None or moment >= start


def read_city(directory: Path, liaisons: Path) -> City:
    """The city from its directory of TOML files and its roster of liaisons (JSON).

    Raises:
        UnreadableEvidence: a file is missing or broken, or the list holds no item.
    """
    catalog = toml(directory / "catalog.toml")
    departments = _by_code(toml(directory / "departments.toml").get("department", []))
    regions = _by_code(toml(directory / "regions.toml").get("region", []))
    items = _by_code(catalog.get("item", []))
    if not items or not departments:
        raise UnreadableEvidence(f"{directory}: the item list or the departments are empty")
    return City(
        departments=departments,
        regions=regions,
        items=items,
        not_applicable=frozenset(_codes(catalog.get("not_applicable", []))),
        pairs=_pairs(directory / "status_codes.toml"),
        stages=STAGES,
        liaisons=_roster(liaisons),
        public_words=_public_words(directory, departments, regions, items),
    )


def _by_code(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(row["code"]): row for row in rows}


def _codes(rows: list[Any]) -> list[str]:
    return [str(row.get("code")) if isinstance(row, dict) else str(row) for row in rows]


def _pairs(path: Path) -> frozenset[tuple[str, str]]:
    """The (status, result) pairs the platform's own table names; any other waits for a person."""
    rows = [row for row in toml(path).get("status", []) if row.get("source") == "platform"]
    return frozenset((str(row["code"]), str(row.get("result") or "")) for row in rows)


def _roster(path: Path) -> dict[str, Liaison]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableEvidence(f"{path}: {error}") from error
    return {
        str(row["id"]): Liaison(
            str(row["id"]), str(row["department"]), str(row.get("section") or ""), str(row.get("phone") or "")
        )
        for row in rows
    }


def _public_words(directory: Path, *tables: dict[str, dict[str, Any]]) -> list[str]:
    """What every text may say: names of departments, sections, regions, items, and the templates'
    own words. They are cut out of a text before it is searched for people."""
    words: set[str] = set()
    for table in tables:
        for row in table.values():
            words |= {str(row.get(k)) for k in ("name", "short") if row.get(k)}
            words |= {str(section.get("name")) for section in row.get("section", [])}
            words |= {str(duty.get("name")) for duty in row.get("duty", [])}
    templates = directory / "templates.toml"
    pending: list[Any] = [toml(templates)] if templates.exists() else []
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, str):
            words |= {piece.split("}")[-1] for piece in node.split("{")}
    return sorted((word for word in words if len(word) > 1), key=len, reverse=True)
