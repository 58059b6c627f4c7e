"""Many refused effects go again by a filter: looked at first, once each, under a name, bounded."""

import asyncio
import tracemalloc
from datetime import timedelta
from typing import get_args

import pytest

from models.domain.reasons import reason_name
from tasks.operators.bulk_rerun import LISTED, look, rerun_failed
from tasks.operators.rerun_form import (
    ALL,
    LIMIT,
    ChannelChoice,
    ReasonChoice,
    StageChoice,
    WrongForm,
    wanted,
)
from tasks.steps import admit_cases, match_receipts, send_pushes, send_reports, tell_liaisons
from tests.tasks.records import FOOD, NOW, case, granted, serial

PUSHES = {"method": "POST", "path_regex": "^/v1/pushes"}
NO = {"match": PUSHES, "do": {"kind": "status", "status": 422, "code": "rule-broken"}}
AWAY = {"match": PUSHES, "do": {"kind": "status", "status": 503, "code": "not-processed"}}
STATES = "SELECT state FROM effects WHERE channel = 'push'"


@pytest.fixture
async def refused(world):
    """Five cases with a refused push each, on the first day, and five of another item on the next."""
    await world.faults("platform", NO)
    for day, item in enumerate((None, FOOD)):
        await world.at(NOW + timedelta(days=day))
        numbers = [serial() for _ in range(5)]
        await world.arrive(*(case(n, **({"item": item} if item else {})) for n in numbers))
        await world.run(admit_cases, send_pushes)
    assert set(await world.column(STATES)) == {"refused"}
    await world.faults("platform")
    return len(await world.column(STATES))


async def test_a_dry_run_lists_and_does_nothing(world, refused):
    done = await look(world.services, wanted())
    assert done.dry_run
    assert done.found.total == done.found.would_go == refused == sum(g.count for g in done.found.groups)
    assert {each.reason for each in done.found.listed} == {"对方按规则拒收"}
    assert all(each.case_no for each in done.found.listed)
    assert all(each.answer.startswith("不合对方规则") for each in done.found.listed)
    assert set(await world.column(STATES)) == {"refused"}
    assert world.stored("platform") == []


async def test_all_of_it_goes_once_and_is_written_down_under_the_name(world, refused):
    shares = []

    async def report(progress):
        shares.append(progress.share)

    done = await rerun_failed(world.services, wanted(), actor="王五", report=report)
    assert (done.asked, done.accepted, done.refused, done.waiting) == (refused, refused, 0, 0)
    assert shares[-1] == 100
    assert len(world.stored("platform")) == refused
    told = await world.rows(
        "SELECT entity_id, from_state FROM history WHERE event = 'asked_again' AND actor = '王五'"
    )
    assert len({row["entity_id"] for row in told}) == len(told) == refused
    assert {row["from_state"] for row in told} == {"refused"}
    again = await rerun_failed(world.services, wanted(), actor="王五")
    assert again.asked == 0
    assert len(world.stored("platform")) == refused


async def test_the_filter_chooses_by_channel_department_stage_reason_and_day(world, refused):
    first = str(NOW.date())
    second = str((NOW + timedelta(days=1)).date())
    total = {"channel": "信用报送", "stage": "办结", "reason": "对方称报文过大", "department": "没有这个部门"}
    for field, none in total.items():
        assert (await look(world.services, wanted(**{field: none}))).found.total == 0, field
    assert (await look(world.services, wanted(channel="推送", stage="受理"))).found.total == refused
    assert (await look(world.services, wanted(until=first))).found.total == 5
    assert (await look(world.services, wanted(since=second))).found.total == refused - 5
    assert (await look(world.services, wanted(since=first, until=second))).found.total == refused
    group = (await look(world.services, wanted(until=first))).found.groups[0]
    named = await look(world.services, wanted(department=group.target))
    assert named.found.total == group.count
    done = await rerun_failed(world.services, wanted(limit=3), actor="王五")
    assert (done.found.total, done.asked) == (refused, 3)
    rows = "SELECT DISTINCT answered_business FROM effects WHERE channel = 'push' AND reason = 'asked_again'"
    assert len(world.stored("platform")) == 3
    assert await world.rows(rows) == []


async def test_what_is_refused_again_is_not_tried_twice_in_one_run(world, refused):
    await world.faults("platform", NO)
    done = await rerun_failed(world.services, wanted(), actor="王五")
    assert (done.asked, done.refused, done.accepted) == (refused, refused, 0)
    assert await world.hits("platform") == refused


async def test_what_the_other_side_puts_off_waits_and_says_why(world, refused):
    await world.faults("platform", AWAY)
    done = await rerun_failed(world.services, wanted(), actor="王五")
    assert (done.asked, done.waiting) == (refused, refused)
    assert sum(count for _, count in done.why_waiting) == refused
    assert set(await world.column(STATES)) == {"planned"}


async def test_two_at_once_and_the_dispatcher_send_each_once(world, refused):
    services = world.services
    both = await asyncio.gather(
        rerun_failed(services, wanted(), actor="王五"),
        rerun_failed(services, wanted(), actor="赵六"),
        world.run(send_pushes, send_reports),
    )
    await world.wait_is_over()
    await world.run(send_pushes)
    assert sum(done.asked for done in both[:2]) == refused
    assert len(world.stored("platform")) == refused


async def test_never_a_text_and_never_what_was_decided(world):
    await world.arrive(granted(serial(), version=1))
    await world.faults("sms", {"match": {"path_regex": "^/sms"}, "do": {"kind": "store_then_reset"}})
    await world.run(admit_cases, send_pushes, tell_liaisons)
    await world.at(NOW + timedelta(minutes=61))
    await world.run(match_receipts)
    assert "held" in await world.column("SELECT state FROM effects WHERE channel = 'sms'")
    await world.change(
        "UPDATE effects SET state = 'refused', owner = 'x', due_at = now(), decided_by = '甲',"
        " decided_at = now() WHERE channel = 'push'"
    )
    assert (await look(world.services, wanted(channel="推送"))).found.total == 0
    groups = (await look(world.services, wanted())).found.groups
    assert [group for group in groups if "短信" in group.what] == []
    with pytest.raises(WrongForm):
        wanted(channel="短信")


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "x"},
        {"limit": 0},
        {"limit": 10001},
        {"since": "1.3.2026"},
        {"since": "2026-02-02", "until": "2026-02-01"},
    ],
)
def test_a_form_that_cannot_be_followed_is_said(wrong):
    with pytest.raises(WrongForm):
        wanted(**wrong)


def test_every_choice_of_the_form_has_a_code():
    for field, choices in (("channel", ChannelChoice), ("stage", StageChoice), ("reason", ReasonChoice)):
        for said in get_args(choices):
            assert (getattr(wanted(**{field: said}).chosen, field) is None) is (said == ALL)


async def test_ten_thousand_are_worked_through_in_bounded_memory(world, refused):
    """Copies without a body: each is leased, found broken and held again, and none is met twice."""
    copy = "jsonb_build_object('own_id', 'PX' || lpad(n::text, 8, '0'), 'business_key', 'key' || n)"
    await world.change(
        f"INSERT INTO effects SELECT (jsonb_populate_record(one.e, {copy})).* FROM"
        " (SELECT e FROM effects e WHERE channel = 'push' LIMIT 1) one, generate_series(1, 10000) n"
    )
    await world.change(
        "INSERT INTO effect_bodies (own_id, body_sealed) SELECT own_id, ''::bytea FROM effects"
        " WHERE starts_with(own_id, 'PX')"
    )
    tracemalloc.start()
    done = await rerun_failed(world.services, wanted(limit=LIMIT), actor="王五")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done.found.total == 10_000 + refused
    assert done.asked == done.accepted + done.held == 10_000
    assert len(done.found.listed) == LISTED
    told = "SELECT count(*) AS n, count(DISTINCT entity_id) AS d FROM history WHERE event = 'asked_again'"
    assert await world.rows(told) == [{"n": 10_000, "d": 10_000}]
    assert peak < 30_000_000


async def test_what_waits_is_blamed_on_nobody_but_its_own_target(world, refused):
    targets = "SELECT DISTINCT target FROM effects WHERE channel = 'push' ORDER BY target"
    first = (await world.column(targets))[0]
    for system, target in (("platform", first), ("credit", "")):
        await world.change(
            "INSERT INTO breakers (system, target, state, failures, opened_at, probes, probe_at, row_version)"
            f" VALUES ('{system}', '{target}', 'open', 9, now(), 1, now() + interval '1 hour', 1)"
        )
    await world.change(
        "UPDATE effects SET send_after = send_after + interval '9 days'"
        f" WHERE channel = 'push' AND target <> '{first}'"
    )
    of_first = len(await world.column(f"{STATES} AND target = '{first}'"))
    name = (await world.column(f"SELECT name FROM departments WHERE code = '{first}'"))[0]
    done = await rerun_failed(world.services, wanted(), actor="王五")
    assert 0 < of_first < refused
    assert dict(done.why_waiting) == {
        f"对方中断（{name}），恢复后自动发出": of_first,
        reason_name("asked_again"): refused - of_first,
    }


async def test_behind_an_open_breaker_nothing_is_called_and_it_is_said(world, refused):
    await world.change(
        "INSERT INTO breakers (system, target, state, failures, opened_at, probes, probe_at, row_version)"
        " VALUES ('platform', '', 'open', 9, now(), 1, now() + interval '1 hour', 1)"
        " ON CONFLICT (system, target) DO UPDATE SET state = 'open', opened_at = now(), probe_until = NULL,"
        " probe_at = now() + interval '1 hour'"
    )
    done = await rerun_failed(world.services, wanted(), actor="王五")
    assert (done.asked, done.waiting) == (refused, refused)
    assert [why for why, _ in done.why_waiting] == ["对方中断（政务服务平台），恢复后自动发出"]
    assert world.stored("platform") == []
