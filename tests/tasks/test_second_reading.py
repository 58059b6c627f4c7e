"""A feed is gone over again: its last pages at once, all that was lately passed now and then."""

import json
from datetime import timedelta

import pytest

from adapters.values import Page, RawItem
from tasks.intake import CASES, take_in
from tests.tasks.records import case, serial

PAGE = 2
NEVER, ALWAYS = timedelta(days=1), timedelta(0)


class Source:
    """A feed by row numbers, of which some become visible late."""

    def __init__(self):
        self.rows = {}
        self.asked = []

    def put(self, *numbers):
        for number in numbers:
            raw = json.dumps(case(serial()), ensure_ascii=False).encode()
            self.rows[number] = RawItem(raw, json.loads(raw))

    async def fetch(self, cursor):
        self.asked.append(cursor)
        after = int(cursor or 0)
        found = sorted(number for number in self.rows if number > after)
        page = found[:PAGE]
        end = str(page[-1]) if page else cursor
        return Page(tuple(self.rows[number] for number in page), end, has_more=len(found) > PAGE)


@pytest.fixture
def source():
    return Source()


async def read(world, source, *, reread_after=NEVER):
    """How many records were new, and the cursor the reading began at."""
    source.asked.clear()
    taken = await take_in(
        world.services.ledger, world.services.sealing, source.fetch, CASES, reread_after=reread_after
    )
    return taken.new, source.asked[0]


async def test_of_a_long_reading_the_last_pages_are_read_again_and_not_all(world, source):
    source.put(*range(1, 8))
    assert await read(world, source) == (7, None)
    source.put(*range(8, 10))
    assert await read(world, source) == (2, "4")
    source.put(10)
    assert await read(world, source) == (1, "7"), "of a short one everything"


async def test_one_that_slips_in_near_the_end_is_found_by_the_next_reading(world, source):
    source.put(1, 2, 4)
    assert (await read(world, source))[0] == 3
    source.put(3)
    assert (await read(world, source))[0] == 1


async def test_one_that_slips_in_anywhere_is_found_by_the_second_long_reading_at_the_latest(world, source):
    source.put(1, 2)
    await read(world, source, reread_after=ALWAYS)
    await read(world, source, reread_after=ALWAYS)
    source.put(*range(4, 12))
    assert (await read(world, source, reread_after=ALWAYS))[0] == 8, "3 is passed by here"
    assert (await read(world, source))[0] == 0
    assert (await read(world, source, reread_after=ALWAYS))[0] == 0, "and once more"
    source.put(3)
    assert (await read(world, source))[0] == 0, "too far back for a short one"
    assert (await read(world, source, reread_after=ALWAYS))[0] == 1


async def test_long_readings_of_a_feed_at_rest_come_to_its_end(world, source):
    source.put(*range(1, 8))
    for _ in range(4):
        _, began = await read(world, source, reread_after=ALWAYS)
    assert began == "7"
