"""The dispatcher at work: woken by the ledger, its lanes beside each other, one reader of a feed."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import pytest

from models.domain.workdays import business_day
from models.ledger.queries.due import ASKED, due
from tasks.dispatcher import ALONE, LANES, dispatch
from tasks.steps import (
    EVERY_STEP,
    admit_cases,
    check_parties,
    close_observed,
    match_receipts,
    send_pushes,
    send_reports,
    settle,
    tell_liaisons,
)
from tests.tasks.records import CHEMICALS, NOW, case, granted, serial

LONG_S = 60.0
"""A rest in which nobody looks by himself: what happens sooner was woken."""


@asynccontextmanager
async def dispatching(services, *, rest_s, only=LANES):
    """A dispatcher in this loop; at its end what is in hand is finished."""
    stop = asyncio.Event()
    working = asyncio.create_task(dispatch(services, stop, rest_s=rest_s, only=only))
    try:
        yield working
    finally:
        stop.set()
        await working


def listeners(superuser):
    with psycopg.connect(superuser, autocommit=True) as conn:
        return [
            row[0]
            for row in conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'shenguan bell'"
                " AND datname = 'steps'"
            )
        ]


@pytest.fixture
def superuser(cluster):
    return cluster.url("superuser", "postgres")


async def _listening(superuser, *, count=1, but=()):
    for _ in range(400):
        pids = [pid for pid in await asyncio.to_thread(listeners, superuser) if pid not in but]
        if len(pids) == count:
            return pids
        await asyncio.sleep(0.05)
    raise AssertionError("nobody listens")


async def _at_rest(world, superuser):
    """Every lane has had its first round, and sleeps."""
    pids = await _listening(superuser)
    await world.wait_for("SELECT FROM watermarks WHERE feed = 'feedback'", seconds=20)
    await asyncio.sleep(0.5)
    return pids


async def asked(world):
    async with world.services.ledger.reading() as conn:
        return await due(conn, business_now=world.now, today=business_day(world.now))


async def test_the_question_knows_what_has_something_to_do(world):
    assert await asked(world) == set()
    await world.arrive(granted(serial(), version=1))
    assert await asked(world) == {"admit_cases"}
    await world.run(admit_cases)
    assert await asked(world) == {"send_pushes", "check_parties", "send_reports"}
    await world.run(check_parties, send_pushes, send_reports)
    assert await asked(world) == {"tell_liaisons"}
    await world.run(tell_liaisons)
    await world.wait_for("SELECT FROM inbox WHERE kind = 'sms_receipt'")
    assert await asked(world) == {"match_receipts"}
    await world.run(match_receipts)
    assert await asked(world) == set()
    await world.at(NOW + timedelta(days=400))
    assert await asked(world) >= {"close_observed"}
    await world.run(close_observed)
    assert "settle" in await asked(world)
    await world.run(settle)
    assert await asked(world) == set()
    assert {step.__name__ for step in EVERY_STEP} >= ASKED


async def test_a_delay_and_a_lease_are_not_due_before_their_time(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases, check_parties)
    await world.change("UPDATE effects SET not_before = now() + interval '1 hour'")
    assert await asked(world) == set()
    await world.change(
        "UPDATE effects SET state = 'leased', lease_token = gen_random_uuid(),"
        " lease_until = now() + interval '1 hour'"
    )
    assert await asked(world) == set()
    await world.wait_is_over()
    assert await asked(world) == {"recover"}


async def test_what_somebody_else_brings_is_pushed_and_told_at_once(world, superuser):
    async with dispatching(world.services, rest_s=LONG_S):
        await _at_rest(world, superuser)
        await world.arrive(case(serial(), item=CHEMICALS))
        await world.wait_for("SELECT FROM effects WHERE channel = 'push' AND state = 'accepted'", seconds=30)
        await world.wait_for(
            "SELECT FROM effects WHERE channel = 'sms' AND state IN ('accepted', 'delivered')", seconds=30
        )
        # And what follows it by itself: the claim, the look-up at the door.
        await world.wait_for("SELECT FROM handovers WHERE state = 'claimed'", seconds=30)
        await world.wait_for("SELECT FROM credit_checks", seconds=30)


async def test_two_halves_do_everything_between_them_and_wake_each_other(world, superuser):
    front = ("cases", "admission")
    back = [lane for lane in LANES if lane not in front]
    number = serial()
    async with dispatching(world.services, rest_s=LONG_S, only=front):
        await _listening(superuser)
        await world.arrive(case(number, item=CHEMICALS))
        await world.wait_for("SELECT FROM effects WHERE channel = 'push' AND state = 'planned'", seconds=30)
        assert await world.value("SELECT count(*) FROM credit_checks") == 0
        async with dispatching(world.services, rest_s=LONG_S, only=back):
            await _listening(superuser, count=2)
            await world.wait_for("SELECT FROM handovers WHERE state = 'claimed'", seconds=30)
            await world.arrive(granted(number, item=CHEMICALS))
            await world.wait_for("SELECT FROM handovers WHERE state = 'observing'", seconds=30)
            await world.wait_for("SELECT FROM credit_checks", seconds=30)
            await world.wait_for(
                "SELECT FROM effects WHERE channel = 'credit_report' AND state = 'accepted'", seconds=30
            )
            await world.wait_for(
                "SELECT FROM effects WHERE channel = 'sms' AND state IN ('accepted', 'delivered')", seconds=30
            )


async def test_what_came_while_nobody_listened_is_found_on_listening_again(world, superuser):
    async with dispatching(world.services, rest_s=LONG_S):
        (pid,) = await _at_rest(world, superuser)
        with psycopg.connect(superuser, autocommit=True) as conn:
            conn.execute("SELECT pg_terminate_backend(%s)", (pid,))
            conn.execute("SELECT pg_sleep(0.1)")
        await world.arrive(case(serial()))
        await _listening(superuser, but=[pid])
        await world.wait_for("SELECT FROM effects WHERE channel = 'push' AND state = 'accepted'", seconds=30)


async def test_a_system_that_hangs_keeps_no_push_waiting(world, superuser):
    hang = {"match": {"method": "POST"}, "do": {"kind": "before_hang"}}
    await world.faults("credit", hang)
    await world.faults("sms", hang)
    await world.arrive(*(granted(serial(), version=1) for _ in range(3)))
    async with dispatching(world.services, rest_s=0.5):
        await world.wait_for(
            "SELECT FROM effects WHERE channel IN ('sms', 'credit_report') AND state = 'intent'", seconds=30
        )
        number = serial()
        await world.arrive(case(number))
        await world.wait_for(
            "SELECT FROM effects e JOIN cases c ON c.id = e.case_id WHERE c.case_no = %s"
            " AND e.channel = 'push' AND e.state = 'accepted'",
            case(number)["case_no"],
            seconds=30,
        )
        assert await world.value("SELECT count(*) FROM credit_checks") == 0


async def test_two_dispatchers_share_the_work_and_one_reads(world, superuser):
    numbers = [serial() for _ in range(60)]
    async with dispatching(world.services, rest_s=0.3), dispatching(world.services, rest_s=0.3):
        await _listening(superuser, count=2)
        for begin in range(0, 60, 10):
            await world.arrive(*(case(number) for number in numbers[begin : begin + 10]))
            await world.arrive(*(granted(number) for number in numbers[begin : begin + 10]))
        for _ in range(600):
            done = await world.value(
                "SELECT count(*) FROM effects WHERE channel = 'push' AND stage = 'completion'"
                " AND state = 'accepted'"
            )
            if done == 60:
                break
            await asyncio.sleep(0.1)
        with psycopg.connect(superuser, autocommit=True) as conn:
            held = conn.execute(
                "SELECT objid, count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND classid = 21319 AND database = (SELECT oid FROM pg_database WHERE datname = 'steps')"
                " GROUP BY objid"
            ).fetchall()
    assert done == 60
    assert [count for _, count in held] == [1] * len(ALONE)
    keys = [row["business_key"] for row in world.stored("platform") if row["kind"] == "push"]
    assert len(keys) == len(set(keys))
    assert await world.value("SELECT count(*) FROM inbox WHERE outcome = 'quarantined'") == 0
    assert await world.value("SELECT count(*) FROM cases WHERE state = 'completed'") == 60
    # Whoever counts a record's try admits it; only one that met its own case's beginning is tried again.
    assert set(await world.column("SELECT DISTINCT attempts FROM inbox WHERE kind = 'case'")) <= {1, 2}
