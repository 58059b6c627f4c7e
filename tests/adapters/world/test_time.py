"""Everything in a world happens in its time."""

from datetime import date, timedelta

import chinese_calendar

from adapters.sandbox.world.build import World
from adapters.sandbox.world.timeline import ARRIVAL_DAYS, BEGINS, arrival_days, later, works
from config.city import City
from tests.adapters.world.reading import CASES, Versions, moment, newest, whole


def test_the_calendar_is_the_published_one() -> None:
    for step in range(300):
        day = BEGINS + timedelta(days=step)
        assert works(day) == chinese_calendar.is_workday(day), day
    assert BEGINS.weekday() == 0
    assert len(arrival_days()) == ARRIVAL_DAYS
    assert later(date(2026, 4, 30), 1) == date(2026, 5, 6)


def test_every_observation_ends_before_the_world_does(world: World, city: City, versions: Versions) -> None:
    ends = moment(world.world["ends"])
    days = (ends.date() - BEGINS).days
    assert 80 <= days <= 100
    for records in versions.values():
        item, last = city.item(records[0]["item_code"]), newest(records)
        if item and last["completed_at"]:
            assert moment(last["completed_at"]) + timedelta(days=item.observation_days) < ends
    for feed in (world.feed_cases, world.feed_feedback, world.credit_records):
        assert moment(world.world["begins"]) <= moment(feed[0]["at"])
        assert [line["at"] for line in feed] == sorted(line["at"] for line in feed)
        assert moment(feed[-1]["at"]) < ends


def test_answers_come_before_the_observation_ends(world: World, city: City, versions: Versions) -> None:
    for answer in world.answers:
        item = city.item(versions[answer["case_no"]][0]["item_code"])
        assert item is not None
        if answer["record"]["kind"] != "read":
            assert 0 < answer["after_hours"] <= (item.observation_days - 3) * 24


def test_cases_come_at_all_hours_but_mostly_in_office_hours(
    versions: Versions,
) -> None:
    accepted = [moment(records[0]["accepted_at"]) for records in versions.values()]
    odd = [at for at in accepted if at.weekday() > 4 or not 8 <= at.hour < 18]
    assert 0.03 < len(odd) / len(accepted) < 0.15
    assert any(at.weekday() > 4 for at in odd)


def test_decisions_recorded_late_are_too_late_for_the_credit_system(
    world: World,
) -> None:
    late = [
        line["record"]
        for line in world.feed_cases
        if whole(line["record"])
        and line["record"]["decided_on"]
        and later(date.fromisoformat(line["record"]["decided_on"]), 7).isoformat() < line["at"][:10]
        and line["record"]["data_version"] == 2
        and line["record"]["operation"] == "u"
    ]
    assert len({record["case_no"] for record in late}) >= 0.005 * CASES
