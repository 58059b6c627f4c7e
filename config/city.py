"""One city: who approves, who supervises, by which list. A second city is a second folder."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.city_checks import check_catalog, check_departments, check_regions, heirs
from config.city_files import read_catalog, read_departments, read_regions
from config.city_reading import CityFilesWrong, read_file
from config.city_types import (
    Advice,
    Catalog,
    CatalogItem,
    Department,
    Dictionaries,
    Document,
    Duty,
    Publication,
    Region,
    Reporter,
    Section,
    StatusTable,
)
from config.city_words import (
    read_dictionaries,
    read_publications,
    read_reporters,
    read_statuses,
    read_templates,
)

__all__ = [
    "Advice",
    "Catalog",
    "CatalogItem",
    "City",
    "CityFilesWrong",
    "Department",
    "Dictionaries",
    "Document",
    "Duty",
    "Publication",
    "Region",
    "Reporter",
    "Section",
    "StatusTable",
    "load_city",
]

_COUNTY_DIGITS = 6
_TOWNSHIP_DIGITS = 9


@dataclass(frozen=True, slots=True)
class City:
    """A checked city. Every code that one of its values names is known to the others.

    ``folder`` holds its files; ``centre`` is the city's own region code; ``templates`` are SMS
    texts by key ("one", "digest", …).
    """

    name: str
    folder: Path
    centre: str
    regions: Mapping[str, Region]
    departments: Mapping[str, Department]
    catalog: Catalog
    statuses: StatusTable
    templates: Mapping[str, str]
    publications: tuple[Publication, ...]
    reporters: Mapping[str, Reporter]
    dictionaries: Dictionaries

    def item(self, code: str) -> CatalogItem | None:
        """The item of the list, or None: an unknown code is parked for a person, never guessed."""
        return self.catalog.items.get(code)

    def is_not_applicable(self, code: str) -> bool:
        """Whether the item is declared 不适用: counted, and left."""
        return code in self.catalog.not_applicable

    def department(self, code: str) -> Department | None:
        """The department of this code as it was, even if another took over; or None."""
        return self.departments.get(code)

    def successor_of(self, code: str) -> Department | None:
        """The department that answers today: itself, or the end of its chain of successors."""
        return heirs(code, self.departments)

    def region(self, code: str) -> Region | None:
        """The region, or None for one outside the table."""
        return self.regions.get(code)

    def route(self, duty: Duty, place_region: str) -> Department | None:
        """The department that answers for a duty at this place of business, today.

        A fixed department, else the one with the duty's unit in the place's region at the duty's
        level (township: nine digits; county: the first six; city: this city). None sends the
        handover to the dispatching queue.
        """
        if duty.department:
            return self.successor_of(duty.department)
        region = self._region_at(place_region, duty.level)
        return next(
            (
                each
                for each in self.departments.values()
                if each.unit == duty.unit
                and each.region == region
                and each.level == duty.level
                and not each.successor
            ),
            None,
        )

    def _region_at(self, place: str, level: str) -> str | None:
        if level == "city":
            return self.centre
        digits = _TOWNSHIP_DIGITS if level == "township" else _COUNTY_DIGITS
        return place[:digits] if len(place) >= digits else None


def load_city(name: str = "yiyang", root: Path | None = None) -> City:
    """The city in ``root``/``name`` (``root`` is this package's folder unless given), checked.

    Raises:
        CityFilesWrong: naming every problem of every file at once, in Chinese.
    """
    folder = (root or Path(__file__).parent) / name
    if not folder.is_dir():
        raise CityFilesWrong((f"没有城市配置目录 {name}",))
    problems: list[str] = []
    regions = read_regions(read_file(folder / "regions.toml", problems))
    departments = read_departments(read_file(folder / "departments.toml", problems))
    listing = folder / "catalog.toml"
    digest = hashlib.sha256(listing.read_bytes()).hexdigest() if listing.is_file() else ""
    catalog = read_catalog(read_file(listing, problems), digest)
    statuses = read_statuses(read_file(folder / "status_codes.toml", problems))
    templates = read_templates(read_file(folder / "templates.toml", problems))
    publications = read_publications(read_file(folder / "calendar.toml", problems))
    reporters = read_reporters(read_file(folder / "reporters.toml", problems))
    dictionaries = read_dictionaries(read_file(folder / "dictionaries.toml", problems))
    problems += check_regions(regions)
    problems += check_departments(departments, regions)
    problems += check_catalog(catalog, departments, statuses)
    if problems:
        raise CityFilesWrong(tuple(problems))
    return City(
        name=name,
        folder=folder,
        centre=next(code for code, region in regions.items() if region.level == "city"),
        regions=regions,
        departments=departments,
        catalog=catalog,
        statuses=statuses,
        templates=templates,
        publications=publications,
        reporters=reporters,
        dictionaries=dictionaries,
    )
