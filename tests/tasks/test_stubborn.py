"""One input, one key, one receiver: whatever it is, it stops nothing else, and comes to an end itself."""

import asyncio
import json
from datetime import UTC, datetime

import psycopg
import pytest

from adapters.values import Page
from models.domain.errors import NotDone
from tasks.draining import worked
from tasks.intake import CASES, take_in
from tasks.operators.deciding import CannotDecide, decide, list_quarantine, release
from tasks.operators.rerunning import rerun_case
from tasks.sending.verdicts import LEASE_TOO_SHORT, Verdict, growing_wait, judge
from tasks.steps import (
    admit_cases,
    check_parties,
    recover,
    send_pushes,
    take_in_cases,
)
from tests.tasks.records import case, granted, party, serial

PUSHES = {"method": "POST", "path_regex": "^/v1/pushes"}


def broken_in(cluster, database, table, column, where):
    """Change one sealed byte, as nobody but a superuser can."""
    with psycopg.connect(cluster.url("superuser", database)) as conn:
        conn.execute(
            f"UPDATE {table} SET {column} = set_byte({column}, 20, 255 - get_byte({column}, 20))"
            f" WHERE {where}"
        )


async def test_a_party_the_credit_system_refuses_stops_no_other_look_up(world):
    odd = serial()
    await world.arrive(case(odd, party=party(odd) | {"id_type": "x" * 300}), case(serial()))
    await world.run(admit_cases, check_parties)
    assert await world.value("SELECT count(*) FROM credit_checks") == 1
    assert await world.value("SELECT count(*) FROM cases WHERE needs_credit_check") == 0
    assert await world.column("SELECT key FROM incidents WHERE kind = 'credit_check_refused'") == [
        case(odd)["case_no"]
    ]


@pytest.mark.parametrize("secrecy", [["secret"], {"level": "secret"}, 1, True, ""])
async def test_whatever_does_not_say_open_is_not_stored_and_the_feed_goes_on(world, secrecy):
    await world.arrive(case(serial(), secrecy=secrecy), case(serial()))
    assert await world.value("SELECT count(*) FROM inbox") == 1
    assert await world.value("SELECT count(*) FROM refused_secret") == 1


async def test_a_record_released_and_still_broken_stands_in_front_of_a_person_again(world):
    await world.arrive(case(serial(), status="77"))
    await world.run(admit_cases)
    for _ in range(3):
        (found,) = await list_quarantine(world.services.ledger, limit=9)
        await release(world.services.ledger, str(found.id), by="张工")
        await world.run(admit_cases)
    assert len(await list_quarantine(world.services.ledger, limit=9)) == 1
    assert await world.value("SELECT count(*) FROM quarantine") == 4


async def test_a_record_whose_seal_is_broken_goes_to_a_person_and_the_others_go_on(
    world, cluster, shared_database
):
    await world.arrive(*(case(serial()) for _ in range(5)))
    broken_in(
        cluster,
        shared_database,
        "inbox_raw",
        "raw_sealed",
        "inbox_id = (SELECT id FROM inbox ORDER BY position LIMIT 1)",
    )
    await world.run(admit_cases)
    assert await world.value("SELECT count(*) FROM cases") == 4
    assert await world.column("SELECT rule FROM quarantine") == ["seal_broken"]


async def test_an_effect_whose_seal_is_broken_is_held_and_the_others_go(world, cluster, shared_database):
    await world.arrive(*(case(serial()) for _ in range(5)))
    await world.run(admit_cases)
    broken_in(
        cluster, shared_database, "effect_bodies", "body_sealed", "own_id = (SELECT min(own_id) FROM effects)"
    )
    await world.run(send_pushes, recover)
    found = await world.rows(
        "SELECT state, reason, owner FROM effects WHERE state <> 'accepted' AND channel = 'push'"
    )
    assert [(row["state"], row["reason"], bool(row["owner"])) for row in found] == [
        ("held", "seal_broken", True)
    ]
    told = await world.rows("SELECT event, reason, case_id FROM history WHERE to_state = 'held'")
    assert [(line["event"], line["reason"], line["case_id"] is None) for line in told] == [
        ("held", "seal_broken", False)
    ]
    sent = await world.value("SELECT count(*) FROM effects WHERE channel = 'push' AND state = 'accepted'")
    assert sent == len(world.stored("platform")) > 0

    # nobody asks in vain; once its bytes are mended, it goes
    (own_id,) = await world.column("SELECT own_id FROM effects WHERE state = 'held'")
    number = await world.value("SELECT c.case_no FROM effects e JOIN cases c ON c.id = e.case_id"
                               " WHERE own_id = %s", own_id)  # fmt: skip
    told = await rerun_case(world.services, number)
    assert told.not_asked == (f"{own_id} 没有再试：再试无用：密封内容打不开",)
    assert await world.value("SELECT state FROM effects WHERE own_id = %s", own_id) == "held"
    with pytest.raises(CannotDecide, match="打不开"):
        await decide(world.services.ledger, own_id, by="王五", note_said="试试")
    broken_in(cluster, shared_database, "effect_bodies", "body_sealed", f"own_id = '{own_id}'")  # and back
    told = await rerun_case(world.services, number)
    assert (told.asked, told.accepted, told.not_asked) == (1, 1, ())


async def test_leases_that_came_to_no_call_hold_nobody(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    for _ in range(7):
        await world.change(
            "UPDATE effects SET state = 'leased', lease_token = gen_random_uuid(),"
            " lease_until = now() - interval '1 second' WHERE channel = 'push'"
        )
        await world.run(recover)
    assert set(await world.column("SELECT state FROM effects WHERE channel = 'push'")) == {"planned"}


async def test_a_feed_whose_cursors_go_round_is_left(world):
    async def fetch(cursor):
        await asyncio.sleep(0)
        return Page((), "b" if cursor == "a" else "a", has_more=True)

    taken = await asyncio.wait_for(take_in(world.services.ledger, world.services.sealing, fetch, CASES), 5)
    assert taken.seen == 0


async def test_an_unreadable_feed_is_one_row_for_a_person_and_no_work(world):
    rule = {"match": {"method": "GET", "path_regex": "^/v1/cases"}, "do": {"kind": "html200"}}
    await world.faults("platform", rule)
    for _ in range(3):
        assert not worked(await take_in_cases(world.services))
    assert await world.value("SELECT count(*) FROM quarantine WHERE kind = 'answer'") == 1


async def test_at_once_is_never_sooner_than_a_second(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    await world.faults(
        "platform",
        {"match": PUSHES, "do": {"kind": "status", "status": 429, "code": "throttled", "retry_after": 0}},
    )
    await world.run(send_pushes)
    assert set(await world.column("SELECT attempts FROM effects WHERE channel = 'push'")) == {1}


def test_waits_grow_to_five_minutes_and_stay_there():
    waits = [growing_wait(attempts) for attempts in (1, 2, 3, 9, 10, 1025, 100_000)]
    assert waits == [1, 2, 4, 256, 300, 300, 300]


def test_what_found_too_little_of_its_lease_left_goes_with_the_next_round_however_often_it_was_tried():
    row = {"own_id": "PS", "attempts": 11, "doubtful": False, "content_sha256": ""}
    waits = {
        reason: judge(row, Verdict(error=NotDone("platform", reason)), datetime.now(UTC)).wait_s
        for reason in (LEASE_TOO_SHORT, "not-processed")
    }
    assert waits[LEASE_TOO_SHORT] == 1
    assert waits["not-processed"] > 200


async def test_a_newer_version_planned_while_the_older_is_in_hand_costs_no_outcome(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)
    await asyncio.gather(world.run(send_pushes), world.arrive(granted(number, version=2, content="更正")))
    await world.run(admit_cases, send_pushes, recover)
    stored = [json.dumps(row["content"], ensure_ascii=False) for row in world.stored("platform")]
    assert len(stored) == len(set(stored))
    assert set(await world.column("SELECT state FROM effects WHERE channel = 'push'")) <= {
        "accepted",
        "superseded",
    }
