"""What a person decided stands in no case's way."""

from datetime import timedelta

import pytest

from tasks.operators.deciding import decide
from tasks.steps import admit_cases, claim, send_pushes, tell_liaisons
from tests.tasks.records import NOW, case, granted, serial

PUSHES = {"method": "POST", "path_regex": "^/v1/pushes"}
TEXTS = {"method": "POST", "path_regex": "^/sms"}
NO = {"match": PUSHES, "do": {"kind": "status", "status": 422, "code": "rule-broken"}}


async def refused_push(world, stage="completion"):
    return await world.value(
        "SELECT own_id FROM effects WHERE channel = 'push' AND stage = %s AND state = 'refused'", stage
    )


async def decided(world, own_id):
    await decide(world.services.ledger, own_id, by="甲", note_said="不再送")


async def a_year_later(world):
    await world.run()  # the report has seven working days
    await world.at(NOW + timedelta(days=400))
    await world.run()


@pytest.mark.parametrize("result", ["40", "50"])
async def test_a_case_settles_whose_only_push_was_refused_and_decided(world, result):
    await world.faults("platform", NO)
    await world.arrive(granted(serial(), version=1, result=result))
    await world.run(admit_cases, send_pushes)
    await decided(world, await refused_push(world))
    assert await world.rows("SELECT state, reason FROM handovers") == [
        {"state": "closed", "reason": "decided"}
    ]
    await a_year_later(world)
    assert await world.value("SELECT state FROM cases") == "settled"
    line = "SELECT from_state, to_state, actor FROM history WHERE entity = 'handover' AND event = 'decided'"
    assert [tuple(row.values()) for row in await world.rows(line)] == [("planned", "closed", "甲")]


async def test_a_department_that_knows_of_the_acceptance_is_released_too(world):
    number = serial()
    await world.arrive(case(number))
    await world.run()
    await world.faults("platform", NO)
    await world.arrive(granted(number, version=2))
    await world.run(admit_cases, send_pushes)
    assert await world.value("SELECT state FROM handovers") == "claimed"
    await decided(world, await refused_push(world))
    await a_year_later(world)
    assert await world.value("SELECT state FROM cases") == "settled"


async def test_a_decided_acceptance_leaves_the_handover_to_its_completion(world):
    number = serial()
    await world.faults("platform", NO)
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await decided(world, await refused_push(world, "acceptance"))
    assert await world.value("SELECT state FROM handovers") == "planned"
    await world.faults("platform")
    await world.arrive(granted(number, version=2))
    await world.run()
    assert await world.value("SELECT state FROM handovers") == "observing"


async def test_newer_content_that_arrives_opens_it_again(world):
    number = serial()
    await world.faults("platform", NO)
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, send_pushes)
    await decided(world, await refused_push(world))
    await world.faults("platform")
    await world.arrive(granted(number, version=2, content="另一份许可内容"))
    await world.run(admit_cases, send_pushes, claim)
    assert await world.value("SELECT state FROM handovers") == "observing"
    await a_year_later(world)
    assert await world.value("SELECT state FROM cases") == "settled"


@pytest.mark.parametrize("state", ["refused", "held"])
async def test_a_decided_text_does_not_keep_its_case(world, state):
    await world.arrive(granted(serial(), version=1))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    await world.change(
        "UPDATE effects SET state = %s, owner = 'x', due_at = now() WHERE channel = 'sms'", state
    )
    text = await world.value("SELECT own_id FROM effects WHERE channel = 'sms'")
    await decided(world, text)
    await a_year_later(world)
    assert await world.value("SELECT state FROM cases") == "settled"
