"""What cannot be read stands in front of a person, with a Chinese sentence, and spoils nothing."""

import json
from dataclasses import replace

import pytest

from models.ledger.queries import quarantine
from tasks.steps import admit_cases, take_in_cases
from tests.tasks.records import case, serial

MALFORMED = {
    "not-json": lambda record: json.dumps(record).encode()[:-20],
    "missing-field": lambda record: {k: v for k, v in record.items() if k != "item_code"},
    "unknown-status": lambda record: record | {"status": "77"},
    "not-integer": lambda record: record | {"data_version": "1"},
    "control-character": lambda record: record | {"content": "行\u0000"},
    "unknown-value": lambda record: record | {"operation": "x"},
}


@pytest.mark.parametrize("rule", MALFORMED)
async def test_a_malformed_record_is_quarantined_with_a_chinese_sentence_and_spoils_nothing(world, rule):
    broken, other = MALFORMED[rule](case(serial())), case(serial())
    await world.arrive(broken, other)
    await world.run(admit_cases)
    (row,) = await world.rows("SELECT * FROM quarantine")
    assert row["rule"] == rule
    assert any("一" <= sign <= "鿿" for sign in row["message"])
    assert row["owner"]
    assert row["due_at"] > world.now
    assert row["released_at"] is None
    assert await world.column("SELECT case_no FROM cases") == [other["case_no"]]


@pytest.mark.parametrize("field", ["case_no", "item_code", "parent_case_no"])
@pytest.mark.parametrize("number", ["430903198001011233", "43090319800101123X", "13800138000"])
async def test_a_person_s_number_in_place_of_a_matter_s_is_quarantined_and_named_nowhere(
    world, field, number
):
    await world.arrive(case(serial()) | {field: number}, case(serial()) | {"case_no": "430900202607010012"})
    await world.run()
    (row,) = await world.rows("SELECT * FROM quarantine")
    assert "疑似自然人的证件号码或手机号码" in row["message"]
    assert await world.column("SELECT case_no FROM cases") == ["430900202607010012"]
    for table in ("quarantine", "inbox", "incidents", "cases", "handovers", "effects"):
        shown = await world.rows(f"SELECT * FROM {table}")
        assert number not in str(shown), table


async def test_a_record_that_cannot_be_read_is_not_known_by_a_person_s_number_either(world):
    number = "430903198001011233"
    await world.arrive(json.dumps(case(serial()) | {"case_no": number}).encode()[:-20])
    await world.run(take_in_cases, admit_cases)
    (row,) = await world.rows("SELECT * FROM quarantine")
    assert (row["rule"], row["record_key"][:7]) == ("not-json", "疑似个人号码-")
    assert number not in str(await world.rows("SELECT * FROM inbox"))


async def test_a_quarantined_record_is_released_after_correction(world):
    number = serial()
    await world.arrive(case(number, status="77"))
    await world.run(admit_cases)
    statuses = world.services.city.statuses
    table = {**statuses.events, ("platform", "77", ""): "accepted"}
    world.without(statuses=replace(statuses, events=table))
    identity = await world.value("SELECT id FROM quarantine")
    async with world.services.ledger.writing() as conn:
        assert len(await quarantine.release(conn, [identity], "测试员")) == 1
    await world.run(admit_cases)
    assert await world.column("SELECT outcome FROM inbox") == ["admitted"]
    assert await world.column("SELECT released_by FROM quarantine") == ["测试员"]


async def test_an_answer_that_cannot_be_read_is_kept_once_and_stops_only_its_feed(world):
    await world.faults("platform", {"match": {"path_regex": "^/v1/cases"}, "do": {"kind": "half_json"}})
    assert await world.run(take_in_cases, take_in_cases) == {"take_in_cases": {"unreadable": 1}}
    assert await world.value("SELECT count(*) FROM inbox WHERE kind = 'answer'") == 1
    assert await world.value("SELECT count(*) FROM quarantine") == 1
    await world.arrive(case(serial()))
    await world.run()
    assert len(world.stored("platform")) == 1


async def test_a_source_that_is_away_stops_only_its_feed(world):
    away = {"kind": "status", "status": 503, "code": "not-processed"}
    await world.faults("platform", {"match": {"path_regex": "^/v1/cases"}, "do": away})
    assert await world.run(take_in_cases) == {"take_in_cases": {"away": 1}}
    assert await world.value("SELECT count(*) FROM quarantine") == 0
