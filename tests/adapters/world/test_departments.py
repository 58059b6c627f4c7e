"""Departments answer in the vocabulary of practice, or lawfully stay silent."""

import re
from collections import Counter
from datetime import timedelta
from typing import Any

from adapters.sandbox.world.build import World
from adapters.sandbox.world.timeline import BEGINS
from config.city import City
from models.domain.party_codes import check_uscc
from tests.adapters.world.reading import Versions, bad_feedback, moment, newest


def test_answers_come_from_the_departments_that_were_asked(
    world: World, city: City, versions: Versions
) -> None:
    for answer in world.answers:
        first = versions[answer["case_no"]][0]
        item = city.item(first["item_code"])
        assert item is not None
        assert answer["stage"] in item.stages
        asked = {
            (duty.supervision_item, heir.code)
            for duty in item.duties
            if (heir := city.route(duty, first["place_of_business"]["region"]))
        }
        assert (answer["supervision_item"], answer["department"]) in asked
        assert answer["record"]["department"] == answer["department"]


def test_departments_speak_the_vocabulary_of_practice(world: World, city: City) -> None:
    words = city.dictionaries.feedback
    records = [answer["record"] for answer in world.answers]
    records += [line["record"] for line in world.feed_feedback if not bad_feedback(line["record"])]
    assert {record["kind"] for record in records} == set(words["kinds"])
    assert {record["result"] for record in records} - {None} == set(words["results"])
    assert {record["handling"] for record in records} - {None} == set(words["handlings"])
    assert {record["rectification"] for record in records} - {None} == set(words["rectifications"])
    assert {word for record in records for word in record["measures"]} <= set(words["measures"])
    inspected = [record for record in records if record["kind"] == "inspection"]
    passed = [record for record in inspected if (record["result"], record["handling"]) == ("符合", "通过")]
    assert 0.5 < len(passed) / len(inspected) < 0.85
    assert len(inspected) < len(world.answers) / 3, "most departments lawfully stay silent"


def test_feedback_comes_as_it_does_in_practice(world: World, city: City, versions: Versions) -> None:
    records = [line["record"] for line in world.feed_feedback]
    assert sum(map(bad_feedback, records)) >= 2
    records = [record for record in records if not bad_feedback(record)]
    licences = {newest(found)["licence_number"] for found in versions.values()}
    assert all(record["licence_number"] in licences for record in records if record["licence_number"])
    assert all(record["case_no"] in versions for record in records if record["case_no"])
    caseless = [record for record in records if not record["case_no"]]
    assert sum(record["kind"] == "policy" for record in caseless) >= 2
    assert any(record["licence_number"] for record in caseless)
    assert any(record["party"] for record in caseless)
    orphans = [
        record
        for record in caseless
        if record["kind"] != "policy" and not (record["licence_number"] or record["party"])
    ]
    assert len(orphans) >= 2
    keys = Counter((record["feedback_no"], record["version"]) for record in records)
    assert max(keys.values()) == 2, "some feedback comes twice"
    assert {record["operation"] for record in records} == {"i", "u", "d"}
    seen: dict[str, int] = {}
    stale = 0
    for record in records:
        stale += seen.get(record["feedback_no"], 0) > record["version"]
        seen[record["feedback_no"]] = record["version"]
    assert stale >= 1
    wrong = late = 0
    for record in records:
        if not record["case_no"]:
            continue
        case = newest(versions[record["case_no"]])
        item = city.item(case["item_code"])
        assert item is not None
        routed = [city.route(duty, case["place_of_business"]["region"]) for duty in item.duties]
        wrong += record["department"] not in {each.code for each in routed if each}
        ends = moment(case["completed_at"]) + timedelta(days=item.observation_days)
        late += moment(record["changed_at"]) > ends
    assert wrong >= 1
    assert late >= 1


def penalties(world: World) -> list[dict[str, Any]]:
    found = [answer["record"] for answer in world.answers] + [line["record"] for line in world.feed_feedback]
    return [record["penalty"] for record in found if record.get("kind") == "penalty"]


def test_most_penalties_can_be_reported_and_some_are_refused(world: World) -> None:
    fine = refused = 0
    for fields in penalties(world):
        assert check_uscc(fields["CF_CFJGDM"]) is None
        broken = (
            "CF_SY" not in fields
            or fields["CF_GSJZQ"] < fields["CF_JDRQ"]
            or fields["CF_CFLB"] == "批评教育"
            or fields["CF_JDRQ"] < BEGINS.isoformat()
        )
        refused += broken
        fine += not broken
        if "罚款" in fields["CF_CFLB"]:
            assert re.fullmatch(r"\d+(\.\d{1,6})?", fields["CF_NR_FK"])
    assert fine > refused >= 1
    numbers = [fields["CF_WSH"] for fields in penalties(world)]
    assert len(set(numbers)) == len(numbers)
