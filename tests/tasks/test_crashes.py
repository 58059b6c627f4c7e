"""A worker dies at each dangerous line; whoever comes next finishes the job, once."""

import asyncio
from datetime import timedelta

import pytest

from adapters.sandbox.world.identity import mobile
from models.domain.canonical import canonical, sha256_hex
from models.domain.keys import own_id
from models.domain.lifecycles.effect import Channel
from models.ledger.queries import effects
from tasks.planning import BODY_FIELD
from tasks.sending.lines import TEXTS_IN_FLIGHT
from tasks.sending.recovering import POISON_AFTER as EFFECT_POISON_AFTER
from tasks.steps import (
    admit_cases,
    claim,
    match_receipts,
    recover,
    send_pushes,
    send_recalls,
    send_reports,
    tell_liaisons,
)
from tasks.turns import ALONE_AFTER, POISON_AFTER
from tests.tasks.dying import DEAD, die_at
from tests.tasks.records import NOW, case, granted, serial, withdrawn

POINTS = ("after_lease", "after_intent", "after_call", "during_record", "after_record")


async def die(world, step, point):
    """Run the step in a process of its own that dies at the point."""
    assert await asyncio.to_thread(die_at, world.settings, step, point) == DEAD


@pytest.mark.parametrize("point", POINTS)
async def test_a_push_whose_worker_died_is_stored_once(world, point):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases)
    await die(world, "send_pushes", point)
    if point != "after_record":
        # A push is leased with its intent: dying before leaves nothing behind.
        assert await world.column("SELECT state FROM effects") == [
            "planned" if point == "after_lease" else "intent"
        ]
        assert await world.run(recover) == {"recover": {"recovered": 0}}, "the lease still runs"
    await world.wait_is_over()
    back = await world.run(recover)
    assert back["recover"]["recovered"] == (0 if point in {"after_lease", "after_record"} else 1)
    state = {"after_lease": "planned", "after_record": "accepted"}.get(point, "unknown")
    assert await world.column("SELECT state FROM effects") == [state]
    await world.wait_is_over()
    await world.run(send_pushes, claim)
    assert await world.column("SELECT state FROM effects") == ["accepted"]
    (stored,) = world.stored("platform")
    assert stored["own_id"] == await world.value("SELECT own_id FROM effects")
    assert stored["receipt"]["number"] == await world.value("SELECT receipt_number FROM effects")
    assert await world.column("SELECT state FROM handovers") == ["claimed"]
    assert await world.value("SELECT count(*) FROM sms_news") == 1
    assert await world.value("SELECT count(*) FROM effect_attempts WHERE finished_at IS NULL") == 0


@pytest.mark.parametrize("point", ["after_intent", "after_call", "during_record"])
async def test_a_text_whose_worker_died_is_never_sent_again_by_a_machine(world, point):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await die(world, "tell_liaisons", point)
    there = len(world.stored("sms"))
    assert there == (0 if point == "after_intent" else 1)
    await world.wait_is_over()
    await world.run(recover)
    first = await world.value("SELECT own_id FROM effects WHERE channel = 'sms' AND state = 'unknown'")
    await world.wait_is_over()
    await world.run(tell_liaisons, match_receipts)
    assert await world.value("SELECT state FROM effects WHERE own_id = %s", first) == "unknown"
    await world.at(NOW + timedelta(minutes=61))
    await world.run(match_receipts)
    (held,) = await world.rows("SELECT state, owner, due_at FROM effects WHERE own_id = %s", first)
    assert held["state"] == "held"
    assert held["owner"]
    assert held["due_at"] > world.now
    await world.run(tell_liaisons)
    second = await world.value("SELECT sms_own_id FROM sms_news WHERE state = 'folded'")
    assert second != first, "the news goes on under another id"
    texts = [text["content"]["content"] for text in world.stored("sms")]
    assert len(texts) == there + 1
    assert len(set(texts)) == len(texts)


async def test_a_batch_of_texts_killed_in_mid_air_holds_only_those_in_flight(world):
    await plan_texts(world, 500)
    await die(world, "tell_liaisons", "after_intent")
    await world.wait_is_over()
    await world.run(recover)
    states = {
        row["state"]: row["n"]
        for row in await world.rows("SELECT state, count(*) AS n FROM effects GROUP BY state")
    }
    assert states == {"unknown": TEXTS_IN_FLIGHT, "planned": 500 - TEXTS_IN_FLIGHT}
    await world.at(NOW + timedelta(minutes=61))
    await world.run(match_receipts)
    assert await world.value("SELECT count(*) FROM effects WHERE state = 'held'") == TEXTS_IN_FLIGHT
    assert await world.value("SELECT count(*) FROM effects WHERE state = 'planned'") == 500 - TEXTS_IN_FLIGHT
    assert world.stored("sms") == []


async def plan_texts(world, count):
    """That many texts to as many phones, planned."""
    rows = []
    for number in range(count):
        identity = own_id(Channel.SMS, f"{number}|batch", 1)
        body = canonical({"mobile": mobile(70_000_000 + number), "content": f"新到审管联动1件。编号{number}"})
        rows.append(
            effects.NewEffect(
                own_id=identity,
                channel="sms",
                target=f"phone-{number}",
                business_key=f"{number}|batch",
                stage=None,
                content_version=1,
                content_sha256=sha256_hex(body),
                body_sealed=world.services.sealing.seal(BODY_FIELD, identity, body),
                case_id=None,
                handover_id=None,
                send_after=NOW,
            )
        )
    async with world.services.ledger.writing() as conn:
        await effects.plan(conn, rows)


@pytest.mark.parametrize("point", ["after_lease", "after_call", "during_record"])
async def test_a_batch_of_reports_whose_worker_died_is_stored_once(world, point):
    numbers = [serial() for _ in range(5)]
    await world.arrive(*(granted(number, version=1) for number in numbers))
    await world.run(admit_cases)
    await die(world, "send_reports", point)
    await world.wait_is_over()
    await world.run(recover)
    await world.wait_is_over()
    await world.run(send_reports)
    assert await world.column("SELECT DISTINCT state FROM effects WHERE channel = 'credit_report'") == [
        "accepted"
    ]
    assert len(world.stored("credit")) == 5


async def test_a_recall_whose_worker_died_is_stored_once(world):
    number = serial()
    await world.arrive(case(number))
    await world.run(admit_cases, send_pushes)
    await world.arrive(withdrawn(number))
    await world.run(admit_cases)
    await die(world, "send_recalls", "after_call")
    await world.wait_is_over()
    await world.run(recover)
    await world.wait_is_over()
    await world.run(send_recalls)
    assert [effect["kind"] for effect in world.stored("platform")] == ["push", "recall"]
    assert await world.column("SELECT state FROM effects ORDER BY channel") == ["accepted", "accepted"]
    assert await world.column("SELECT state FROM handovers") == ["recalled"]


async def test_a_record_that_kills_its_worker_stands_in_front_of_a_person_and_others_go_on(world):
    poison, others = serial(), [serial() for _ in range(3)]
    await world.arrive(case(poison))
    await world.arrive(*(case(number) for number in others))
    for _ in range(POISON_AFTER):
        await die(world, "admit_cases", "in_turn")
    attempts = await world.column("SELECT attempts FROM inbox ORDER BY position")
    assert attempts == [POISON_AFTER, ALONE_AFTER, ALONE_AFTER, ALONE_AFTER], "then it is tried alone"
    await world.run(admit_cases)
    (row,) = await world.rows("SELECT record_key, rule, owner FROM quarantine")
    assert row["record_key"] == case(poison)["case_no"]
    assert row["rule"] == "killed_worker"
    assert sorted(await world.column("SELECT case_no FROM cases")) == [
        case(number)["case_no"] for number in sorted(others)
    ]


async def test_an_effect_that_kills_its_workers_is_held_and_others_go_on(world):
    poison, other = serial(), serial()
    await world.arrive(case(poison))
    await world.run(admit_cases)
    for _ in range(EFFECT_POISON_AFTER):
        await world.wait_is_over()
        await world.run(recover)
        await world.wait_is_over()
        await die(world, "send_pushes", "after_intent")
    await world.wait_is_over()
    await world.run(recover)
    (row,) = await world.rows("SELECT state, reason, owner, due_at FROM effects")
    assert (row["state"], row["reason"]) == ("held", "killed_worker")
    assert row["owner"]
    told = await world.rows("SELECT event, reason, case_id FROM history WHERE to_state = 'held'")
    assert [(line["event"], line["reason"]) for line in told] == [("held", "killed_worker")]
    assert told[0]["case_id"] is not None, "its case's run is to say so"
    await world.arrive(case(other))
    await world.run(admit_cases, send_pushes)
    assert [effect["case_no"] for effect in world.stored("platform")] == [case(other)["case_no"]]
