"""What the world takes from a city's files, read by its own eyes: nothing of ours is imported."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LEVELS = ("city", "county", "township")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a duty leads at one place: the supervising department's code, section and role."""

    department: str
    section: str
    supervision_item: str
    name: str
    role: str
    reply_days: int


class WorldCity:
    """Regions, departments and the list of one city."""

    def __init__(self, folder: Path) -> None:
        catalog = _read(folder / "catalog.toml")
        self.items: list[dict[str, Any]] = catalog["item"]
        self.by_code = {item["code"]: item for item in self.items}
        self.not_applicable: dict[str, str] = {
            code: catalog.get("not_applicable_names", {}).get(code, "其他事项")
            for code in catalog["not_applicable"]
        }
        self.regions = {row["code"]: row for row in _read(folder / "regions.toml")["region"]}
        self.departments = {row["code"]: row for row in _read(folder / "departments.toml")["department"]}
        self._by_place = {
            (row["unit"], row["region"]): row["code"]
            for row in self.departments.values()
            if not row.get("successor")
        }
        self._places: dict[str, tuple[list[str], list[str]]] = {}
        self.centre = next(code for code, row in self.regions.items() if row["level"] == "city")

    def today(self, department: str) -> str:
        """The code of the department that took over in the end."""
        while self.departments[department].get("successor"):
            department = self.departments[department]["successor"]
        return department

    def targets(self, item: dict[str, Any], place: str) -> list[Target | None]:
        """For each duty of the item its target at this place; None where nobody answers for it."""
        return [self._target(duty, place) for duty in item["duty"]]

    def covers(self, item: dict[str, Any], place: str) -> bool:
        """Whether every duty of the item finds its department at this place."""
        return None not in self.targets(item, place)

    def places(self, item: dict[str, Any]) -> list[str]:
        """The regions inside the approving department's own where every duty finds a department."""
        return self._split(item)[0]

    def gaps(self, item: dict[str, Any]) -> list[str]:
        """The regions inside the approving department's own where some duty finds nobody."""
        return self._split(item)[1]

    def home(self, item: dict[str, Any]) -> str:
        """The region of the approving department."""
        return str(self.departments[self.today(item["approval_department"])]["region"])

    def _split(self, item: dict[str, Any]) -> tuple[list[str], list[str]]:
        if item["code"] not in self._places:
            inside = self._inside(item)
            self._places[item["code"]] = (
                [code for code in inside if self.covers(item, code)],
                [code for code in inside if not self.covers(item, code)],
            )
        return self._places[item["code"]]

    def _inside(self, item: dict[str, Any]) -> list[str]:
        home = self.home(item)
        stem = home[:4] if home == self.centre else home
        return [
            code for code, row in self.regions.items() if row["level"] != "city" and code.startswith(stem)
        ]

    def _target(self, duty: dict[str, Any], place: str) -> Target | None:
        if duty.get("department"):
            code: str | None = self.today(duty["department"])
        else:
            region = {"city": self.centre, "county": place[:6], "township": place}[duty["level"]]
            code = self._by_place.get((duty["unit"], region))
        if code is None or (duty.get("level") and self.departments[code]["level"] != duty["level"]):
            return None
        return Target(
            code,
            duty["section"],
            duty["supervision_item"],
            duty["name"],
            duty["role"],
            duty.get("reply_days", 0),
        )


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
