"""Several workers at once: each effect goes once, in order, and a lost lease changes nothing."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from models.ledger.connection import LedgerSaidNo
from models.ledger.queries import effects, leasing
from models.ledger.queries.leasing import Hold
from tasks.sending.dispatch import send_due
from tasks.sending.lines import push_line
from tasks.steps import admit_cases, recover, send_pushes
from tests.tasks.records import FOOD, NOW, case, granted, party, serial


def line(world, **changes):
    services = world.services
    return replace(push_line(services.platform, services.city, services.settings), **changes)


async def send(world, worker, **changes):
    services = world.services
    return await send_due(
        services.ledger,
        services.sealing,
        services.calendar,
        line(world, **changes),
        worker=worker,
        guard=services.guard,
    )


async def test_two_workers_at_once_send_each_effect_once(world):
    await world.arrive(*(case(serial(), item=FOOD) for _ in range(30)))
    await world.run(admit_cases)
    sent = await asyncio.gather(*(send(world, f"w{n}", batch=7) for n in range(2) for _ in range(6)))
    # who asks while others are just being leased theirs may find nothing, and asks again
    sent.append(await send(world, "w0", batch=60))
    assert sum(each.total for each in sent) == 60
    assert len(world.stored("platform")) == 60
    assert await world.column("SELECT DISTINCT attempts FROM effects") == [1]
    assert set(await world.column("SELECT DISTINCT worker FROM effect_attempts")) == {"w0", "w1"}


async def test_two_processes_admitting_at_once_write_each_case_once(world):
    numbers = [serial() for _ in range(20)]
    for number in numbers:
        await world.arrive(case(number), granted(number))
    await asyncio.gather(*(admit_cases(world.services) for _ in range(4)))
    assert await world.value("SELECT count(*) FROM cases") == 20
    assert await world.column("SELECT DISTINCT state FROM cases") == ["completed"]
    assert (
        await world.value("SELECT count(*) FROM effects WHERE state = 'planned' AND stage = 'completion'")
        == 20
    )
    assert await world.value("SELECT count(*) FROM inbox WHERE outcome = 'waiting'") == 0


async def test_a_worker_that_slept_past_its_lease_changes_nothing(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    awake = asyncio.Event()
    real = push_line(world.services.platform, world.services.city, world.services.settings)

    async def slow(group):
        await awake.wait()
        return await real.call(group)

    sleeper = asyncio.create_task(send(world, "sleeper", call=slow))
    await world.wait_for("SELECT own_id FROM effects WHERE state = 'intent'")
    await world.wait_is_over()
    await world.run(recover)
    await world.wait_is_over()
    await send(world, "other")
    (before,) = await world.rows("SELECT * FROM effects")
    assert before["state"] == "accepted"
    awake.set()
    sent = await sleeper
    assert sent.outcomes == {"lease_lost": 1}
    (after,) = await world.rows("SELECT * FROM effects")
    assert after == before
    assert len(world.stored("platform")) == 1
    assert await world.value("SELECT count(*) FROM sms_news") == 1


async def test_no_call_starts_when_the_lease_does_not_outlast_it(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    called = []

    async def call(group):
        called.append(group)

    await send(world, "short", call=call, lease_s=1.0, deadline_s=2.0)
    assert called == []
    (row,) = await world.rows("SELECT state, attempts, lease_token FROM effects")
    assert (row["state"], row["attempts"], row["lease_token"]) == ("planned", 0, None)


async def test_an_expired_lease_cannot_write_an_intent(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    token = uuid4()
    async with world.services.ledger.writing() as conn:
        (row,) = await leasing.take(
            conn, channel="push", repeat=True, limit=5, hold=Hold(token, 0), business_now=NOW
        )
    async with world.services.ledger.writing() as conn:
        mine = [(row["own_id"], bytes(32), bytes(32))]
        assert await effects.intend(conn, mine, token=token, worker="late") == {}
        assert await effects.intend(conn, mine, token=uuid4(), worker="thief") == {}


async def test_a_newer_version_replaces_the_one_that_has_not_left(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)
    await world.arrive(granted(number, version=2, content="更正后的内容"))
    await world.run(admit_cases, send_pushes)
    rows = await world.rows(
        "SELECT content_version, state, reason FROM effects WHERE channel = 'push' ORDER BY content_version"
    )
    assert [(row["content_version"], row["state"]) for row in rows] == [(1, "superseded"), (2, "accepted")]
    (stored,) = world.stored("platform")
    assert stored["content_version"] == 2
    assert stored["content"]["licence_content"] == "更正后的内容"


async def test_a_newer_version_waits_while_the_older_one_is_in_doubt(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)
    lost = {"match": {"path_regex": "^/v1/pushes"}, "do": {"kind": "store_then_reset"}, "times": 1}
    await world.faults("platform", lost)
    await world.run(send_pushes)
    await world.arrive(granted(number, version=2, content="更正后的内容"))
    await world.run(admit_cases, send_pushes)
    states = await world.column("SELECT state FROM effects WHERE channel = 'push' ORDER BY content_version")
    assert states == ["unknown", "planned"]
    await world.wait_is_over()
    await world.run(send_pushes)
    await world.wait_is_over()
    await world.run(send_pushes)
    assert [row["content_version"] for row in world.stored("platform")] == [1, 2]
    states = await world.column("SELECT state FROM effects WHERE channel = 'push' ORDER BY content_version")
    assert states == ["accepted", "accepted"]


async def test_a_stuck_key_keeps_nobody_else_waiting(world):
    stuck, other = serial(), serial()
    await world.arrive(case(stuck), case(other))
    await world.run(admit_cases)
    target = {"path_regex": "^/v1/pushes", "target": case(stuck)["case_no"]}
    await world.faults("platform", {"match": target, "do": {"kind": "status", "status": 502}})
    for _ in range(3):
        await world.run(send_pushes)
        await world.wait_is_over()
    assert [row["case_no"] for row in world.stored("platform")] == [case(other)["case_no"]]


async def test_the_ledger_itself_allows_one_unresolved_effect_a_key(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)
    await world.change("UPDATE effects SET state = 'unknown' WHERE channel = 'push'")
    await world.arrive(granted(number, version=2, content="更正后的内容"))
    await world.run(admit_cases)
    with pytest.raises(LedgerSaidNo):
        await world.change(
            "UPDATE effects SET state = 'unknown' WHERE channel = 'push' AND state = 'planned'"
        )


async def test_unchanged_content_is_not_sent_again(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    outside_scope = case(number, version=2, attachments=[{"name": "说明.pdf", "sha256": "0" * 64}])
    await world.arrive(outside_scope)
    await world.run(admit_cases, send_pushes)
    assert await world.value("SELECT data_version FROM cases") == 2
    assert len(world.stored("platform")) == 1
    moved = party(number) | {"phone": party(number + 1)["phone"]}
    await world.arrive(case(number, version=3, party=moved))
    await world.run(admit_cases, send_pushes)
    assert [row["content_version"] for row in world.stored("platform")] == [1, 2]


async def test_a_chosen_case_is_tried_at_once_and_alone(world):
    chosen, other = serial(), serial()
    await world.arrive(case(chosen), case(other))
    await world.run(admit_cases)
    await world.change("UPDATE effects SET not_before = now() + interval '1 hour'")
    identity = await world.value("SELECT id FROM cases WHERE case_no = %s", case(chosen)["case_no"])
    await send_pushes(world.services, [identity])
    assert [row["case_no"] for row in world.stored("platform")] == [case(chosen)["case_no"]]
