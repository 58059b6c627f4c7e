"""A whole world, from a seed, a number of cases and a city's files."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.sandbox.world.answers import Departments
from adapters.sandbox.world.cases import Case
from adapters.sandbox.world.city import WorldCity
from adapters.sandbox.world.credit import credit_arrivals, credit_parties, credit_records
from adapters.sandbox.world.liaisons import liaisons
from adapters.sandbox.world.loose_feedback import LooseFeedback
from adapters.sandbox.world.malformed import malformed
from adapters.sandbox.world.population import Population
from adapters.sandbox.world.timeline import BEGINS, at, written
from adapters.sandbox.world.versions import Published, published

_MORNING = 8 * 3600
_EVENING = 18 * 3600
_REST_DAYS = 2  # after the last thing that happens


@dataclass(frozen=True, slots=True)
class World:
    """What the simulators play; each field is one file of the world's folder."""

    world: dict[str, Any]
    feed_cases: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    feed_feedback: list[dict[str, Any]]
    credit_parties: list[dict[str, Any]]
    credit_records: list[dict[str, Any]]
    credit_arrivals: list[dict[str, Any]]
    liaisons: list[dict[str, Any]]


def build(seed: str, cases: int, city_dir: Path) -> World:
    """The world of this seed; the same arguments give the same world.

    Raises:
        OSError, tomllib.TOMLDecodeError: the city's files cannot be read.
    """
    city = WorldCity(city_dir)
    population = Population(seed, cases, city)
    born = population.cases()
    departments = Departments(seed, city)
    draw = random.Random(f"{seed}|versions")
    feed = [line for case in born for line in published(case, draw)]
    feed += malformed(born, random.Random(f"{seed}|malformed"))
    answers = [answer for case in born for answer in departments.answers(case)]
    loose = LooseFeedback(seed, city, departments, born).records()
    credit = random.Random(f"{seed}|credit")
    parties = population.parties.everybody
    entries = credit_records(parties, cases, credit)
    ends = _ends(born, [moment for moment, _ in (*feed, *loose, *entries)])
    targets = [target for case in born for target in city.targets(case.item, case.place) if target]
    return World(
        world={
            "seed": seed,
            "cases": cases,
            "begins": written(at(BEGINS, _MORNING)),
            "ends": written(ends),
            "seeded": dict(sorted(Counter(case.trait for case in born).items())),
        },
        feed_cases=_lines(feed),
        answers=answers,
        feed_feedback=_lines(loose),
        credit_parties=credit_parties(parties, credit),
        credit_records=_lines(entries),
        credit_arrivals=credit_arrivals(born, random.Random(f"{seed}|arrivals")),
        liaisons=liaisons(seed, city, targets),
    )


def _ends(born: Iterable[Case], moments: Iterable[datetime]) -> datetime:
    last = max([*(case.observed_until for case in born), *moments])
    return at((last + timedelta(days=_REST_DAYS)).date(), _EVENING)


def _lines(feed: Iterable[Published]) -> list[dict[str, Any]]:
    # Sorted by time alone: what comes at one moment keeps the order it was made in.
    return [{"at": written(moment), "record": record} for moment, record in sorted(feed, key=lambda x: x[0])]
