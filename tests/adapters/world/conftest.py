"""One world for all of its tests."""

from collections import defaultdict

import pytest

from adapters.sandbox.world.build import World, build
from config.city import City, load_city
from tests.adapters.world.reading import CASES, YIYANG, Versions, whole


@pytest.fixture(scope="package")
def world() -> World:
    return build("5", CASES, YIYANG)


@pytest.fixture(scope="package")
def city() -> City:
    return load_city()


@pytest.fixture(scope="package")
def versions(world: World) -> Versions:
    """Well-formed case records by case number, in the order of the feed."""
    found = defaultdict(list)
    for line in world.feed_cases:
        if whole(line["record"]):
            found[line["record"]["case_no"]].append(line["record"])
    return found
