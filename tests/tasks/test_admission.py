"""What becomes of a case's records: versions, withdrawals, unknown items, and what may not be kept."""

import itertools
import json
from dataclasses import replace

import pytest

from tasks.city_loading import load_city_into
from tasks.steps import (
    admit_cases,
    check_parties,
    claim,
    route_waiting,
    send_pushes,
    send_recalls,
    send_reports,
    settle,
    tell_liaisons,
)
from tests.tasks.records import (
    CLINICS,
    FOOD,
    LABOUR,
    NOT_APPLICABLE,
    SILENT,
    TRIAL,
    UNKNOWN,
    case,
    granted,
    serial,
    withdrawn,
)


async def outcomes(world):
    return [
        (row["outcome"], row["reason"])
        for row in await world.rows("SELECT outcome, reason FROM inbox ORDER BY position")
    ]


async def the_case(world):
    (row,) = await world.rows("SELECT * FROM cases")
    return row


async def test_the_same_bytes_arrive_once(world):
    record = case(serial())
    assert (await world.arrive(record, record)).new == 1
    again = await world.arrive(record)
    assert (again.new, again.repeated) == (0, 1)
    await world.run(admit_cases)
    assert await outcomes(world) == [("admitted", None)]


async def test_an_older_version_changes_nothing_whenever_it_comes(world):
    number = serial()
    await world.arrive(granted(number, version=3))
    await world.run(admit_cases)
    await world.arrive(case(number, version=1), case(number, version=2))
    await world.run(admit_cases)
    assert [outcome for outcome, _ in await outcomes(world)] == ["admitted", "stale", "stale"]
    row = await the_case(world)
    assert (row["state"], row["result"], row["data_version"]) == ("completed", "granted", 3)
    assert await world.column("SELECT DISTINCT stage FROM effects WHERE channel = 'push'") == ["completion"]


async def test_records_of_one_batch_are_applied_in_the_order_of_their_versions(world):
    number = serial()
    await world.arrive(granted(number, version=2), case(number, version=1))
    await world.run(admit_cases, send_pushes)
    assert {effect["stage"] for effect in world.stored("platform")} == {"acceptance", "completion"}
    assert (await the_case(world))["data_version"] == 2


async def test_two_contents_under_one_version_stand_in_front_of_a_person(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases)
    await world.arrive(case(number, region="430902"))
    await world.run(admit_cases)
    assert [outcome for outcome, _ in await outcomes(world)] == ["admitted", "quarantined"]
    (row,) = await world.rows("SELECT rule, message, owner, due_at FROM quarantine")
    assert row["rule"] == "version-conflict"
    assert "第1版" in row["message"]
    assert (await the_case(world))["region"] == "430903", "what came first stands"


async def test_a_case_withdrawn_after_its_push_is_recalled(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes, claim)
    await world.arrive(withdrawn(number))
    await world.run(admit_cases, send_pushes, send_recalls)
    assert (await the_case(world))["state"] == "voided"
    push, recall = world.stored("platform")
    assert recall["kind"] == "recall"
    assert recall["content"]["withdraws"] == [push["own_id"]]
    assert await world.column("SELECT state FROM handovers") == ["recalled"]
    await world.run(send_recalls)
    assert len(world.stored("platform")) == 2


async def test_a_case_withdrawn_before_its_push_leaves_no_trace_outside(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases)
    await world.arrive(withdrawn(number))
    await world.run(admit_cases, send_pushes, send_recalls)
    assert world.stored("platform") == []
    assert await world.column("SELECT state FROM effects") == ["superseded"]


async def test_a_withdrawn_and_reinstated_case_is_pushed_again_under_a_new_version(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await world.arrive(withdrawn(number))
    await world.run(admit_cases, send_recalls)
    await world.arrive(case(number, version=3))
    await world.run(admit_cases, send_pushes, claim)
    assert [effect["kind"] for effect in world.stored("platform")] == ["push", "recall", "push"]
    first, _, second = world.stored("platform")
    assert first["content_sha256"] == second["content_sha256"], "it is the same matter again"
    assert (first["content_version"], second["content_version"]) == (1, 2)
    assert (await the_case(world))["state"] == "accepted"
    assert await world.column("SELECT state FROM handovers") == ["claimed"]


async def test_a_recall_waits_until_it_is_known_what_the_department_has(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases)
    lost = {"match": {"path_regex": "^/v1/pushes"}, "do": {"kind": "store_then_reset"}, "times": 1}
    await world.faults("platform", lost)
    await world.run(send_pushes)
    await world.arrive(withdrawn(number))
    await world.run(admit_cases, send_recalls)
    assert [effect["kind"] for effect in world.stored("platform")] == ["push"]
    await world.wait_is_over()
    await world.run(send_pushes, send_recalls)
    assert [effect["kind"] for effect in world.stored("platform")] == ["push", "recall"]


async def test_a_retracted_result_opens_the_case_and_the_next_one_goes_out(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, send_pushes)
    await world.arrive(case(number, version=2))
    await world.run(admit_cases)
    row = await the_case(world)
    assert (row["state"], row["result"], row["licence_id"]) == ("accepted", None, None)
    await world.arrive(granted(number, version=3, content="重新核定的内容"))
    await world.run(admit_cases, send_pushes)
    assert (await the_case(world))["state"] == "completed"
    completions = [effect for effect in world.stored("platform") if effect["stage"] == "completion"]
    assert [effect["content_version"] for effect in completions] == [1, 2]


TOLD = {"accepted": case, "completed": granted, "voided": withdrawn}


@pytest.mark.parametrize("closed", [False, True])
async def test_any_run_of_records_leaves_a_case_where_the_last_one_says(world, closed):
    runs = {serial(): run for length in (2, 3, 4) for run in itertools.product(TOLD, repeat=length)}
    await world.arrive(*(TOLD[run[0]](number, version=1) for number, run in runs.items()))
    await world.run(admit_cases)
    if closed:
        await world.change("UPDATE cases SET state = 'settled', settled_at = now() WHERE state = 'completed'")
    for number, run in runs.items():
        later = [TOLD[kind](number, version=at + 2) for at, kind in enumerate(run[1:])]
        await world.arrive(*later)
    await world.run(admit_cases)
    found = {
        row["case_no"]: row for row in await world.rows("SELECT case_no, state, data_version FROM cases")
    }
    wrong = {
        run: found[case(number)["case_no"]]
        for number, run in runs.items()
        if (found[case(number)["case_no"]]["state"], found[case(number)["case_no"]]["data_version"])
        != (run[-1], len(run))
    }
    assert wrong == {}
    assert await world.value("SELECT count(*) FROM inbox WHERE outcome <> 'admitted'") == 0


async def test_an_unknown_item_parks_as_one_incident_and_is_released_by_the_list(world, people):
    await world.arrive(*(case(serial(), item=UNKNOWN) for _ in range(3)))
    await world.run(admit_cases)
    assert await outcomes(world) == [("parked", f"item:{UNKNOWN}")] * 3
    (incident,) = await world.rows("SELECT kind, key, count, owner, due_at FROM incidents")
    assert (incident["kind"], incident["key"], incident["count"]) == ("unknown_item", UNKNOWN, 3)
    assert incident["owner"]
    services = world.services
    catalog = services.city.catalog
    item = replace(catalog.items[LABOUR], code=UNKNOWN)
    enlarged = replace(catalog, version="2026-03-11", sha256="1" * 64, items={**catalog.items, UNKNOWN: item})
    world.without(catalog=enlarged)
    reopened = await load_city_into(services.ledger, services.sealing, world.services.city, people)
    assert reopened == 3
    assert await world.column("SELECT closed_at IS NOT NULL FROM incidents") == [True]
    await world.run(admit_cases, send_pushes)
    assert await world.column("SELECT DISTINCT item_version FROM cases") == ["2026-03-11"]
    assert len(world.stored("platform")) == 3


async def test_a_case_keeps_the_duties_of_the_list_it_began_with(world, people):
    number = serial()
    await world.arrive(case(number, item=FOOD))
    await world.run(admit_cases, send_pushes)
    services = world.services
    catalog = services.city.catalog
    fewer = replace(catalog.items[FOOD], duties=catalog.items[FOOD].duties[:1])
    world.without(
        catalog=replace(catalog, version="2026-03-11", sha256="2" * 64, items={**catalog.items, FOOD: fewer})
    )
    await load_city_into(services.ledger, services.sealing, world.services.city, people)
    await world.arrive(granted(number, item=FOOD))
    await world.run(admit_cases, send_pushes)
    stages = [effect["stage"] for effect in world.stored("platform")]
    assert sorted(stages) == ["acceptance"] * 2 + ["completion"] * 2


async def test_a_published_list_cannot_be_changed_without_a_new_version(world, people):
    services = world.services
    world.without(catalog=replace(services.city.catalog, sha256="3" * 64))
    with pytest.raises(ValueError, match=services.city.catalog.version):
        await load_city_into(services.ledger, services.sealing, world.services.city, people)


async def test_what_is_not_applicable_is_counted_and_left(world):
    await world.arrive(case(serial(), item=NOT_APPLICABLE))
    await world.run(admit_cases)
    assert await outcomes(world) == [("not_applicable", None)]
    assert await world.value("SELECT count(*) FROM cases") == 0
    assert await world.value("SELECT count(*) FROM incidents") == 0


@pytest.mark.parametrize("secrecy", ["secret", "work_secret", "", 7, "内部"])
async def test_a_secret_case_is_refused_before_it_is_stored(world, cluster, shared_database, secrecy):
    number = serial()
    record = case(number, secrecy=secrecy)
    taken = await world.arrive(record, case(serial()), record | {"data_version": 2})
    assert (taken.secret, taken.new) == (2, 1)
    await world.arrive(record)
    await world.run(admit_cases)
    assert await world.value("SELECT count(*) FROM refused_secret") == 1, "the same case is counted once"
    dump = await world.dump(cluster, shared_database)
    assert case(number)["case_no"] not in dump
    assert record["party"]["name"] not in dump
    assert record["party"]["id_number"] not in dump


async def test_a_secret_case_that_cannot_be_read_is_refused_too(world, cluster, shared_database):
    record = case(serial(), secrecy="secret")
    taken = await world.arrive(json.dumps(record, ensure_ascii=False).encode()[:-1])
    assert (taken.secret, taken.new) == (1, 0)
    assert await world.value("SELECT count(*) FROM inbox") == 0
    assert await world.value("SELECT count(*) FROM refused_secret") == 1
    assert record["case_no"] not in await world.dump(cluster, shared_database)


async def test_stock_from_before_going_live_is_kept_without_a_push_or_a_text(world):
    old = "2026-02-27T09:00:00+08:00"
    await world.arrive(granted(serial(), version=1, accepted_at=old))
    await world.run()
    row = await the_case(world)
    assert (row["mode"], row["state"]) == ("stock", "settled")
    assert await world.value("SELECT count(*) FROM effects") == 0
    assert await world.value("SELECT count(*) FROM handovers") == 0
    assert await world.column("SELECT state FROM licences") == ["valid"]


async def test_a_silent_item_goes_nowhere(world):
    await world.arrive(case(serial(), item=SILENT))
    await world.run(admit_cases, check_parties, send_pushes, tell_liaisons, send_reports)
    assert (await the_case(world))["mode"] == "silent"
    assert await world.value("SELECT count(*) FROM effects") == 0


async def test_an_item_on_trial_is_pushed_but_nobody_is_texted_and_credit_hears_nothing(world):
    await world.arrive(granted(serial(), version=1, item=TRIAL))
    await world.run()
    assert len(world.stored("platform")) == 1
    assert world.stored("sms") == world.stored("credit") == []
    assert await world.value("SELECT count(*) FROM credit_checks") == 0


async def test_two_sections_of_one_department_each_have_their_handover(world):
    await world.arrive(case(serial(), item=CLINICS))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    sections = {effect["section"] for effect in world.stored("platform")}
    assert sections == {"medical", "public"}
    assert len({text["target"] for text in world.stored("sms")}) == 2


async def test_a_place_nobody_answers_for_waits_in_the_dispatching_queue(world):
    await world.arrive(granted(serial(), version=1, item=FOOD, place="430999"))
    await world.run(admit_cases, send_pushes, route_waiting)
    rows = await world.rows("SELECT department_code, owner, due_at, reason FROM handovers")
    assert [row["reason"] for row in rows] == ["no_department"] * 2
    assert all(row["owner"] and row["due_at"] for row in rows)
    assert world.stored("platform") == []
    departments = world.services.city.departments
    market, urban = (
        next(d for d in departments.values() if (d.unit, d.region) == (unit, "430903"))
        for unit in ("market", "urban")
    )
    moved = {d.code: replace(d, region="430999") for d in (market, urban)}
    world.without(departments={**departments, **moved})
    await world.run(route_waiting, send_pushes, claim)
    assert {effect["target"] for effect in world.stored("platform")} == {market.code, urban.code}
    assert {effect["stage"] for effect in world.stored("platform")} == {"completion"}
    rows = await world.rows("SELECT state, owner FROM handovers")
    assert [(row["state"], row["owner"]) for row in rows] == [("observing", None)] * 2


async def test_a_department_that_was_merged_away_is_answered_for_by_its_heir(world):
    departments = world.services.city.departments
    labour = world.services.city.route(world.services.city.item(LABOUR).duties[0], "430903")
    heir = next(d for d in departments.values() if d.level == "city" and d.unit == "civil")
    merged = replace(labour, successor=heir.code)
    duty = replace(world.services.city.item(LABOUR).duties[0], department=labour.code, unit="", level="")
    catalog = world.services.city.catalog
    item = replace(catalog.items[LABOUR], duties=(duty,))
    world.without(
        departments={**departments, labour.code: merged},
        catalog=replace(catalog, items={**catalog.items, LABOUR: item}),
    )
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    assert [effect["target"] for effect in world.stored("platform")] == [heir.code]


async def test_the_platforms_own_look_up_is_evidence_and_is_not_made_again(world):
    check = {"number": "PT-1", "checked_at": "2026-03-10T09:30:00+08:00", "grade": "good"}
    theirs, ours = case(serial(), credit_check=check), case(serial())
    await world.arrive(theirs, ours)
    await world.run(admit_cases, check_parties, check_parties)
    rows = await world.rows(
        "SELECT c.case_no, k.source, k.grade, k.advice, k.basis FROM credit_checks k"
        " JOIN cases c ON c.id = k.case_id"
    )
    found = {row["case_no"]: row for row in rows}
    assert (found[theirs["case_no"]]["source"], found[theirs["case_no"]]["grade"]) == ("platform", "good")
    assert found[ours["case_no"]]["source"] == "us"
    assert all(row["advice"] and row["basis"] for row in rows)
    assert await settle(world.services) == {"settled": 0}
