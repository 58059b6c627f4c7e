"""What others report to the credit system is never sent by us, and looked for when its days are over."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from models.domain.workdays import business_day
from tasks.steps import admit_cases, send_pushes, send_reports, verify_arrivals
from tests.tasks.records import ARRIVING, NOW, case, granted, serial, withdrawn

DAYS = 7
"""Working days in which others must have reported, by the city's rules."""


@pytest.fixture
def theirs(city):
    """An item whose department reports its licences itself."""
    return next(
        item for item in city.catalog.items.values() if item.reporter == "department" and item.mode == "live"
    )


@pytest.fixture
def by_platform(city):
    """One that the platform reports."""
    return next(
        item for item in city.catalog.items.values() if item.reporter == "platform" and item.mode == "live"
    )


async def completed(world, item, *numbers):
    place = {"item": item.code}
    await world.arrive(*(each for n in numbers for each in (case(n, **place), granted(n, **place))))
    await world.run(admit_cases, send_pushes, send_reports)


def at(day):
    return datetime.combine(day, NOW.timetz())


async def test_it_is_looked_for_after_its_days_and_is_one_incident_for_each_reporter(
    world, theirs, by_platform
):
    numbers = [*ARRIVING, serial(), serial()]
    await completed(world, theirs, *numbers)
    await completed(world, by_platform, serial())
    assert await world.value("SELECT count(*) FROM effects WHERE channel = 'credit_report'") == 0
    due = world.services.calendar.add_working_days(business_day(NOW), DAYS + 1)
    assert set(await world.column("SELECT due_on FROM expected_arrivals")) == {due}
    await world.at(at(due - timedelta(days=1)))
    assert await verify_arrivals(world.services) == {"arrived": 0, "missing": 0}
    await world.at(at(due))
    assert await verify_arrivals(world.services) == {"arrived": 0, "missing": 6}
    assert await verify_arrivals(world.services) == {"arrived": 0, "missing": 0}, "once a day"
    rows = await world.rows("SELECT * FROM incidents ORDER BY key")
    department = theirs.approval_department
    assert [(row["kind"], row["key"], row["count"]) for row in rows] == [
        ("arrival_missing", f"department|XK|{department}", 5),
        ("arrival_missing", "platform|XK", 1),
    ]
    assert all(row["owner"] and row["due_at"] for row in rows)
    assert "政务服务平台" in rows[1]["message"]
    await world.at(at(date(2026, 3, 26)))
    assert await verify_arrivals(world.services) == {"arrived": 3, "missing": 3}
    assert await world.column("SELECT count FROM incidents WHERE closed_at IS NULL ORDER BY key") == [2, 1]
    assert world.stored("credit") == []


async def test_an_incident_closes_when_all_has_come_and_what_is_withdrawn_is_not_missed(world, theirs):
    gone = serial()
    await completed(world, theirs, ARRIVING[0], gone)
    await world.at(at(date(2026, 3, 23)))
    assert (await verify_arrivals(world.services))["missing"] == 2
    await world.arrive(withdrawn(gone, version=3, item=theirs.code))
    await world.run(admit_cases)
    await world.at(at(date(2026, 3, 26)))
    assert await verify_arrivals(world.services) == {"arrived": 1, "missing": 0}
    assert await world.value("SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0
    assert sorted(await world.column("SELECT state FROM expected_arrivals")) == ["arrived", "withdrawn"]


async def test_a_credit_system_that_is_away_stops_nothing(world, theirs):
    await completed(world, theirs, serial())
    await world.at(at(date(2026, 3, 26)))
    await world.faults("credit", {"match": {}, "do": {"kind": "status", "status": 500}})
    assert await verify_arrivals(world.services) == {"away": 1}
    await world.faults("credit")
    assert (await verify_arrivals(world.services))["missing"] == 1


class LeavingOut:
    """A credit system that answers nothing about some documents."""

    def __init__(self, credit, silent):
        self._credit, self._silent = credit, silent

    async def arrivals(self, asked):
        answers = await self._credit.arrivals(asked)
        out = {query.ref for query in asked if query.document_number.startswith(self._silent)}
        return tuple(one for one in answers if one.ref not in out)

    def __getattr__(self, name):
        return getattr(self._credit, name)


async def test_a_hundred_that_they_say_nothing_about_hide_none_of_the_others(world, theirs):
    await completed(world, theirs, ARRIVING[0], serial())
    await world.change(
        "INSERT INTO expected_arrivals (id, kind, document_number, reporter, department, case_id,"
        " due_on, state)"
        " SELECT gen_random_uuid(), kind, 'SILENT' || n, reporter, department, case_id, due_on - 1, state"
        " FROM (SELECT * FROM expected_arrivals LIMIT 1) one, generate_series(1, 150) n"
    )
    await world.at(at(date(2026, 3, 26)))
    silent = replace(world.services, credit=LeavingOut(world.services.credit, "SILENT"))
    assert await verify_arrivals(silent) == {"arrived": 1, "missing": 1}
    assert await verify_arrivals(silent) == {"arrived": 0, "missing": 0}
    assert await world.value("SELECT count(*) FROM expected_arrivals WHERE state = 'waiting'") == 150
    assert await verify_arrivals(world.services) == {"arrived": 0, "missing": 150}
