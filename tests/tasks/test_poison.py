"""A record that hangs its reader, a page that is too much: bounded, named, and nobody else's matter."""

import asyncio
import json
import re
import time

import pytest

from adapters.values import Page, RawItem
from config.settings import Settings
from models.domain.errors import Unreadable
from models.ledger.connection import LedgerUnavailable
from tasks.admission import admitting as admission
from tasks.composition import open_services
from tasks.intake import CASES, Arrival, keep
from tasks.paging import in_pieces
from tasks.steps import admit_cases, take_in_cases
from tasks.turns import ALONE_AFTER, MOST_FORGIVEN, POISON_AFTER, begin_turn
from tests.tasks.dying import fresh_process
from tests.tasks.records import case, raw, serial

STALL_S = 2
ENDED = 1


def hang_on(number, settings):
    """Admit in this process, where reading that one record never returns and never lets go of the lock."""

    def reader(real):
        def read(bytes_, key):
            if key == number:
                re.match(r"(a+)+$", "a" * 200 + "b")
            return real(bytes_, key)

        return read

    async def work():
        async with open_services(Settings(**settings)) as services:
            await admit_cases(services)

    admission.parse_case = reader(admission.parse_case)
    asyncio.run(work())


async def test_a_record_that_hangs_its_reader_ends_the_process_and_then_stands_in_front_of_a_person(world):
    poison, others = serial(), [serial() for _ in range(3)]
    number = case(poison)["case_no"]
    await world.arrive(case(poison), *(case(each) for each in others))
    settings = world.settings | {"stall_s": str(STALL_S)}
    for _ in range(POISON_AFTER):
        begun = time.monotonic()
        assert await asyncio.to_thread(fresh_process, hang_on, number, settings) == ENDED
        assert time.monotonic() - begun >= STALL_S
    attempts = await world.column("SELECT attempts FROM inbox ORDER BY position")
    assert attempts == [POISON_AFTER, ALONE_AFTER, ALONE_AFTER, ALONE_AFTER]
    assert await asyncio.to_thread(fresh_process, hang_on, number, settings) == 0
    assert await world.column("SELECT record_key FROM quarantine") == [number]
    assert sorted(await world.column("SELECT case_no FROM cases")) == sorted(
        case(each)["case_no"] for each in others
    )


async def end_session(world, conn):
    """PostgreSQL goes away under this connection."""
    async with world.services.ledger.reading() as other:
        await other.execute("SELECT pg_terminate_backend(%s)", (conn.info.backend_pid,))
    await conn.execute("SELECT pg_sleep(5)")


async def lose_turns(world, times):
    for _ in range(times):
        with pytest.raises(LedgerUnavailable):
            async with begin_turn(world.services.ledger, "case", 10) as turn, turn.session.writing() as conn:
                await end_session(world, conn)


async def test_a_turn_that_ended_with_the_ledger_gone_is_no_sign_of_a_record_that_kills(world):
    record = case(serial())
    await world.arrive(record)
    await lose_turns(world, 2 * POISON_AFTER)
    assert await world.column("SELECT attempts FROM inbox") == [1]
    await world.run(admit_cases)
    assert await world.column("SELECT case_no FROM cases") == [record["case_no"]]
    assert await world.column("SELECT attempts FROM inbox") == [1]


async def test_a_record_whose_every_turn_ends_the_ledgers_session_stands_in_front_of_a_person(world):
    record = case(serial())
    await world.arrive(record)
    await lose_turns(world, MOST_FORGIVEN + POISON_AFTER)
    await world.run(admit_cases)
    assert await world.column("SELECT rule FROM quarantine") == ["killed_worker"]


def feed_of(sizes, most):
    """A feed whose records have these sizes, and which answers too much as the client reads it."""
    asked = []

    async def ask(cursor, limit):
        begin = int(cursor or 0)
        asked.append((begin, limit))
        page = sizes[begin : begin + limit]
        if sum(page) > most:
            raise Unreadable("platform", "too-large", b"{")
        items = tuple(RawItem(b"x" * size, None, "not-json") for size in page)
        return Page(items, str(begin + len(page)), begin + len(page) < len(sizes))

    return ask, asked


async def read_all(fetch):
    cursor, more, read = None, True, []
    while more:
        page = await fetch(cursor)
        read += [len(item.raw) for item in page.items]
        cursor, more = page.next_cursor, page.has_more
    return read


async def test_a_page_that_is_too_much_comes_in_pieces_and_nothing_is_left_out():
    sizes = [1] * 300 + [90] + [1] * 300 + [60, 60] + [1] * 50
    ask, asked = feed_of(sizes, 350)
    assert await read_all(in_pieces(ask, 200)) == sizes
    ask, asked = feed_of(sizes, 95)
    assert await read_all(in_pieces(ask, 200)) == sizes
    assert {limit for _, limit in asked} == {200, 25, 3}


async def test_one_record_that_alone_is_too_much_is_told_once_what_is_before_it_has_been_read():
    ask, asked = feed_of([1] * 30 + [999], 100)
    with pytest.raises(Unreadable, match="too-large"):
        await read_all(in_pieces(ask, 20))
    assert asked[-1] == (30, 1)


@pytest.mark.parametrize("rule", ["not-json", "wrong-shape", "content-encoding"])
async def test_what_no_smaller_page_would_mend_is_asked_for_once(rule):
    asked = []

    async def ask(cursor, limit):
        asked.append(limit)
        raise Unreadable("platform", rule, b"")

    with pytest.raises(Unreadable):
        await in_pieces(ask, 200)(None)
    assert asked == [200]


def spoilt(rule, record):
    """The record as the page's reader hands it on, spoilt so."""
    match rule:
        case "control-character":
            return raw(record | {"content": "行\x00"})
        case "too-large":
            whole = json.dumps(record | {"content": "长" * 4_000_000}).encode()
            return RawItem(whole[: 64 * 1024], None, "too-large")
        case _:
            return RawItem(json.dumps(record | {"content": "\ud800"}).encode(), None, "not-json")


@pytest.mark.parametrize("rule", ["control-character", "too-large", "not-json"])
async def test_a_poisoned_field_is_quarantined_and_the_rest_of_its_page_is_admitted(world, rule):
    poison, well = case(serial()), case(serial())
    arrivals = [Arrival(spoilt(rule, poison)), Arrival(raw(well))]
    await keep(world.services.ledger, world.services.sealing, CASES, arrivals)
    await world.run(admit_cases)
    # What was cut off is no JSON any more.
    told = "not-json" if rule == "too-large" else rule
    assert await world.column("SELECT rule FROM quarantine") == [told]
    assert await world.column("SELECT case_no FROM cases") == [well["case_no"]]


async def test_a_real_feed_is_read_through_the_narrowing(world):
    assert await take_in_cases(world.services) == {"seen": 0, "new": 0, "repeated": 0, "secret": 0}
