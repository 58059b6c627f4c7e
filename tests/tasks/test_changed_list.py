"""The list changes while cases live: an item removed, or declared not applicable, drops nothing of theirs."""

from dataclasses import replace

import pytest

from tasks.city_loading import load_city_into
from tasks.steps import admit_cases, admit_feedback, send_pushes, send_recalls
from tests.tasks.records import LABOUR, case, feedback, granted, serial, withdrawn
from tests.tasks.test_feedback import penalty


async def leaves_the_list(world, people, code, *, not_applicable=False):
    """A new version of the list is loaded that has this item no more."""
    catalog = world.services.city.catalog
    items = {key: item for key, item in catalog.items.items() if key != code}
    declared = {**catalog.not_applicable, **({code: "不再联动"} if not_applicable else {})}
    world.without(
        catalog=replace(catalog, version="2026-03-11", sha256="4" * 64, items=items, not_applicable=declared)
    )
    await load_city_into(world.services.ledger, world.services.sealing, world.services.city, people)


@pytest.mark.parametrize("not_applicable", [False, True])
async def test_the_completion_of_a_living_case_is_still_pushed(world, people, not_applicable):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await leaves_the_list(world, people, LABOUR, not_applicable=not_applicable)
    await world.arrive(granted(number))
    await world.run(admit_cases, send_pushes)
    assert await world.column("SELECT state FROM cases") == ["completed"]
    assert [effect["stage"] for effect in world.stored("platform")] == ["acceptance", "completion"]


@pytest.mark.parametrize("not_applicable", [False, True])
async def test_a_living_case_is_still_recalled(world, people, not_applicable):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await leaves_the_list(world, people, LABOUR, not_applicable=not_applicable)
    await world.arrive(withdrawn(number))
    await world.run(admit_cases, send_recalls)
    assert [effect["kind"] for effect in world.stored("platform")] == ["push", "recall"]


async def test_a_new_case_of_the_removed_item_is_parked(world, people):
    await leaves_the_list(world, people, LABOUR)
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    assert await world.column("SELECT outcome FROM inbox") == ["parked"]


async def test_a_penalty_somebody_else_reports_stays_theirs(world, people):
    number = serial()
    items = world.services.city.catalog.items
    code = next(c for c, item in items.items() if item.reporter == "department" and item.mode == "live")
    await world.arrive(granted(number, version=1, item=code))
    await world.run(admit_cases, send_pushes)
    department = await world.value("SELECT department_code FROM handovers LIMIT 1")
    await leaves_the_list(world, people, code)
    await world.report(feedback(number, department, kind="penalty", penalty=penalty(number)))
    await world.run(admit_feedback)
    assert await world.column("SELECT kind FROM feedback") == ["penalty"]
    assert await world.value("SELECT count(*) FROM effects WHERE channel = 'credit_report'") == 0
