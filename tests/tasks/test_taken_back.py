"""What was true and is true no more: it does not leave, and what the credit system has, a person corrects."""

from dataclasses import replace
from datetime import timedelta

import pytest_asyncio

from tasks.steps import (
    admit_cases,
    admit_feedback,
    check_parties,
    claim,
    send_pushes,
    send_recalls,
    send_reports,
    send_returns,
)
from tests.tasks.records import LABOUR, NOW, case, feedback, granted, serial, withdrawn
from tests.tasks.test_feedback import penalty

RECALLS = {"method": "POST", "path_regex": "recall"}
BUSY = {"kind": "status", "status": 503, "code": "not-processed"}


@pytest_asyncio.fixture(loop_scope="session")
async def labour(world):
    """The labour department's code."""
    city = world.services.city
    return city.route(city.item(LABOUR).duties[0], "430903").code


async def incidents(world):
    rows = await world.rows("SELECT kind, key, owner, due_at FROM incidents WHERE closed_at IS NULL")
    assert all(row["owner"] and row["due_at"] for row in rows)
    return [(row["kind"], row["key"]) for row in rows]


async def report_id(world, kind):
    return await world.value(
        "SELECT own_id FROM effects WHERE channel = 'credit_report' AND stage = %s", kind
    )


async def test_a_result_that_was_taken_back_before_it_left_stays(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await world.arrive(granted(number))
    await world.run(admit_cases)
    await world.arrive(case(number, version=3))
    await world.run(admit_cases, send_pushes, send_reports)
    assert [effect["stage"] for effect in world.stored("platform")] == ["acceptance"]
    assert world.stored("credit") == []
    assert await incidents(world) == []
    await world.arrive(granted(number, version=4))
    await world.run(admit_cases, send_pushes, send_reports)
    assert [effect["stage"] for effect in world.stored("platform")] == ["acceptance", "completion"]
    assert len(world.stored("credit")) == 1


async def test_a_reported_approval_that_was_withdrawn_is_a_persons_to_correct(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, send_pushes, send_reports)
    await world.arrive(withdrawn(number))
    await world.run(admit_cases)
    assert await incidents(world) == [("credit_to_correct", await report_id(world, "XK"))]
    assert await world.column("SELECT state FROM licences") == ["withdrawn"]


async def test_a_correction_to_refused_ends_the_licence_and_what_is_reported(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, send_pushes, send_reports)
    await world.arrive(granted(number, version=2, result="50", licence_number=None, licence_action=None))
    await world.run(admit_cases)
    assert await incidents(world) == [("credit_to_correct", await report_id(world, "XK"))]
    assert await world.column("SELECT state FROM licences") == ["withdrawn"]


async def test_a_withdrawn_penalty_that_has_not_left_stays(world, labour):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, send_pushes)
    said = {"kind": "penalty", "penalty": penalty(number)}
    await world.report(feedback(number, labour, **said))
    await world.run(admit_feedback)
    await world.report(feedback(number, labour, version=2, operation="d", **said))
    await world.run(admit_feedback, send_returns)
    assert await world.column("SELECT state FROM effects WHERE stage = 'CF'") == ["superseded"]
    states = await world.column("SELECT state FROM effects WHERE channel = 'return' ORDER BY content_version")
    assert states == ["superseded", "accepted"]
    assert await incidents(world) == []


async def test_a_reported_penalty_that_was_withdrawn_is_a_persons_to_correct(world, labour):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, send_pushes)
    said = {"kind": "penalty", "penalty": penalty(number)}
    await world.report(feedback(number, labour, **said))
    await world.run(admit_feedback)
    await world.change("UPDATE effects SET state = 'accepted' WHERE stage = 'CF'")
    await world.report(feedback(number, labour, version=2, operation="d", **said))
    await world.run(admit_feedback)
    assert await incidents(world) == [("credit_to_correct", await report_id(world, "CF"))]


async def test_withdrawn_and_reinstated_in_one_batch_is_not_told_twice(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await world.arrive(withdrawn(number), case(number, version=3))
    await world.run(admit_cases, send_recalls, send_pushes)
    assert len(world.stored("platform")) == 1


async def test_a_recall_that_has_not_left_gives_way_to_the_reinstated_case(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await world.arrive(withdrawn(number))
    await world.faults("platform", {"match": RECALLS, "do": BUSY})
    await world.run(admit_cases, send_recalls)
    await world.arrive(case(number, version=3))
    await world.run(admit_cases, send_pushes)
    await world.faults("platform")
    await world.wait_is_over()
    await world.run(send_recalls)
    assert [effect["kind"] for effect in world.stored("platform")] == ["push", "push"]
    await world.arrive(withdrawn(number, version=4))
    await world.run(admit_cases, send_recalls)
    assert [effect["kind"] for effect in world.stored("platform")] == ["push", "push", "recall"]


async def test_each_push_goes_to_the_department_that_answers_then(world, labour):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes, claim)
    departments = world.services.city.departments
    heir = next(d for d in departments.values() if d.level == "city" and d.unit == "civil")
    merged = replace(departments[labour], successor=heir.code)
    world.without(departments={**departments, labour: merged})
    await world.arrive(granted(number))
    await world.run(admit_cases, send_pushes)
    assert [effect["target"] for effect in world.stored("platform")] == [labour, heir.code]
    (row,) = await world.rows("SELECT department_code, section_id, owner FROM handovers")
    assert row["department_code"] == heir.code
    assert row["section_id"] is not None or row["owner"]
    assert "department_replaced" in await world.column("SELECT reason FROM history WHERE event = 'revised'")


async def test_a_correction_to_refused_ends_the_observation_at_once(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, check_parties, send_pushes, claim)
    assert await world.column("SELECT state FROM handovers") == ["observing"]
    await world.arrive(granted(number, version=2, result="50", licence_number=None, licence_action=None))
    await world.at(NOW + timedelta(days=2))
    await world.run()
    assert await world.column("SELECT state FROM handovers") == ["closed"]
    assert await world.column("SELECT observe_until FROM handovers") == [NOW.date()]


async def test_the_day_of_a_decision_is_the_business_day(world):
    number = serial()
    nothing = {"document": None, "licence_number": None, "licence_action": None, "decided_on": None}
    await world.arrive(granted(number, version=1, completed_at="2026-03-09T18:00:00+00:00", **nothing))
    await world.run(admit_cases, send_reports)
    (stored,) = world.stored("credit")
    assert stored["content"]["XK_JDRQ"].replace("/", "-") == "2026-03-10"
    assert stored["content"]["XK_WSH"] == case(number)["case_no"]
