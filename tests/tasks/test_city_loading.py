"""The city's files brought in again while cases live: rosters that shrink, lists that went on."""

from dataclasses import replace
from datetime import date

import pytest

from flows.cli_findings import FINDINGS, sentence_of
from models.domain.errors import ListNotTaken
from tasks.city_loading import load_city_into
from tasks.steps import admit_cases, send_pushes, tell_liaisons
from tests.tasks.records import case, serial

IN_OFFICE = "SELECT count(*) FROM liaisons WHERE valid_to IS NULL"


async def load(world, people, **changes):
    services = world.services
    city = replace(services.city, catalog=replace(services.city.catalog, **changes))
    await load_city_into(services.ledger, services.sealing, city, people)


async def test_whoever_the_roster_no_longer_names_ended_yesterday(world, people):
    gone, *kept = people
    await load(world, kept)
    rows = await world.rows("SELECT number, valid_to FROM liaisons WHERE valid_to IS NOT NULL")
    assert [(row["number"], row["valid_to"]) for row in rows] == [(gone["id"], date(2026, 3, 9))]
    await load(world, people)
    assert await world.value(IN_OFFICE) == len(people), "named again, in office again"


async def test_an_ended_term_keeps_its_day(world, people):
    ended = people[0] | {"valid_to": "2025-12-31"}
    await load(world, [ended, *people[1:]])
    await load(world, people[1:])
    assert await world.column("SELECT valid_to FROM liaisons WHERE valid_to IS NOT NULL") == [
        date(2025, 12, 31)
    ]


async def test_no_roster_is_not_an_empty_one(world, people):
    await load(world, None)
    assert await world.value(IN_OFFICE) == len(people)
    await load(world, [])
    assert await world.value(IN_OFFICE) == 0


async def test_nobody_is_texted_after_they_left(world):
    await load(world, [])
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    assert len(world.stored("platform")) == 1
    assert world.stored("sms") == []
    assert await world.column("SELECT DISTINCT state FROM sms_news") == ["no_phone"]


async def test_an_older_list_does_not_come_back_under_its_name(world):
    known = world.services.city.catalog.version
    await load(world, None, version="2026-09-01", sha256="1" * 64)
    with pytest.raises(ListNotTaken, match=f"{known} 之后已装入 2026-09-01") as told:
        await load(world, None)
    assert sentence_of(told.value) == (FINDINGS, str(told.value))
    await load(world, None, version="2026-09-01", sha256="1" * 64)
    await load(world, None, version="2026-10-01")
