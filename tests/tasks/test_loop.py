"""A city's approvals from acceptance to credit, counted from outside; and the count bites."""

import asyncio
import logging
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest_asyncio
import structlog

from tasks.draining import drain
from tasks.steps import send_reports, send_returns, tell_liaisons
from tests.tasks.living import compare, live, make_world, personal_words
from tests.tasks.running import SYSTEMS, Outside, running

NONE = {"lost": 0, "doubled": 0, "unexpected": 0, "silent": 0}


@contextmanager
def listening():
    """Everything that is logged meanwhile, by us and by the libraries, whatever its level."""
    heard, root = [], logging.getLogger()

    class Ear(logging.Handler):
        def emit(self, record):
            heard.append(record.getMessage())

    ear, level = Ear(), root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        with structlog.testing.capture_logs() as ours:
            yield heard
    finally:
        root.removeHandler(ear)
        root.setLevel(level)
    heard += [str(line) for line in ours]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(cluster, database, keyring_file, mailbox, tmp_path_factory):
    """Ninety business days of a city of eighty cases."""
    folder = tmp_path_factory.mktemp("lived")
    make_world(folder, seed="7", cases=80)
    outside = Outside(folder, listener=mailbox.url).start()
    try:
        settings = outside.settings(cluster.url("app", database), keyring_file)
        async with running(outside, settings) as world:
            mailbox.services = world.services
            with listening() as heard:
                told = await live(world)
            yield replace(told, heard=heard)
            mailbox.services = None
    finally:
        outside.stop()


async def test_nothing_is_lost_doubled_unexpected_or_silent(lived):
    assert lived.four == NONE, lived.verdict["details"][:5]
    # A verdict over nothing would be as good.
    assert lived.verdict["owed"]["pushes"] > 150
    assert len(lived.world.stored("platform")) > 200
    assert len(lived.world.stored("sms")) > 100
    assert len(lived.world.stored("credit")) > 40


async def test_what_can_settle_has_settled(lived):
    assert lived.verdict["can_settle"] > 40
    assert lived.verdict["settled"] >= 0.95 * lived.verdict["can_settle"], lived.verdict["unsettled"]


async def test_every_part_of_the_loop_has_moved(lived):
    states = {
        (row["channel"], row["state"])
        for row in await lived.world.rows("SELECT DISTINCT channel, state FROM effects")
    }
    assert {
        ("push", "accepted"),
        ("recall", "accepted"),
        ("return", "accepted"),
        ("credit_report", "accepted"),
        ("credit_report", "refused"),
        ("sms", "delivered"),
    } == states - {("sms", "undelivered")}, (
        "and nothing is left open or held"
    )  # two texts in a hundred, drawn
    matched = set(await lived.world.column("SELECT DISTINCT matched_by FROM feedback"))
    assert {"case", "licence", "party"} <= matched
    outcomes = set(await lived.world.column("SELECT DISTINCT outcome FROM inbox"))
    assert {"admitted", "stale", "parked", "not_applicable", "quarantined"} == outcomes
    licences = set(await lived.world.column("SELECT DISTINCT state FROM licences"))
    assert {"valid", "renewed", "revoked"} <= licences
    sources = set(await lived.world.column("SELECT DISTINCT source FROM credit_checks"))
    assert sources == {"us", "platform"}
    records = set(await lived.world.column("SELECT DISTINCT operation FROM credit_records"))
    assert {"entry", "removal", "repair"} == records


async def test_whatever_stands_in_front_of_a_person_has_a_rule_an_owner_and_a_day(lived):
    rows = await lived.world.rows("SELECT rule, message, owner, due_at FROM quarantine")
    assert len({row["rule"] for row in rows}) > 5
    for row in rows:
        assert all(row.values())
        assert any("一" <= sign <= "鿿" for sign in row["message"]), row["message"]
    refused = await lived.world.rows("SELECT owner, due_at, reason FROM effects WHERE state = 'refused'")
    assert all(all(row.values()) for row in refused)


async def test_each_settled_case_tells_its_whole_way(lived):
    told = await lived.world.rows(
        "SELECT h.entity, h.event, c.result FROM history h JOIN cases c ON c.id = h.case_id"
        " WHERE c.case_no = (SELECT case_no FROM cases WHERE state = 'settled' AND result = 'granted'"
        " AND mode = 'live' ORDER BY case_no LIMIT 1) ORDER BY h.id"
    )
    events = [(row["entity"], row["event"]) for row in told]
    order = [
        ("case", "first_seen"),
        ("handover", "push_accepted"),
        ("handover", "claimed"),
        ("handover", "observation_begun"),
        ("handover", "period_ended"),
        ("case", "loop_closed"),
    ]
    places = [events.index(event) for event in order]
    assert places == sorted(places)


async def test_no_text_leaves_twice_to_one_phone_within_the_window(lived):
    short = await lived.world.rows(
        "SELECT own_id FROM (SELECT own_id, planned_business - lag(planned_business)"
        " OVER (PARTITION BY phone_index ORDER BY planned_business) AS pause FROM sms_texts) t"
        " WHERE pause < interval '30 minutes'"
    )
    assert short == []


def found_in(text, words):
    """The words that stand in the text, plainly or as the hexadecimal of a bytea."""
    return [word for word in words if word in text or word.encode("utf-8", "surrogatepass").hex() in text]


async def test_the_ledger_holds_no_personal_data_in_plain_text(lived, cluster, database):
    words = personal_words(lived.world.outside.world)
    assert len(words) > 500
    dump = await lived.world.dump(cluster, database)
    assert await lived.world.value("SELECT min(case_no) FROM cases") in dump, "it is the right dump"
    assert found_in(dump, words) == []


async def test_no_log_line_and_no_text_names_anybody(lived):
    words = personal_words(lived.world.outside.world)
    logged = "\n".join(lived.heard)
    assert "cases.admitted" in logged
    assert "effects.sent" in logged
    assert found_in(logged, words) == []
    texts = "\n".join(text["content"]["content"] for text in lived.world.stored("sms"))
    assert found_in(texts, words) == []


async def test_a_second_drain_plans_nothing_and_leaves_the_outside_as_it_was(lived):
    before = {kind: lived.world.outside.ledger(kind).read_bytes() for kind in SYSTEMS}
    planned = await lived.world.value("SELECT count(*) FROM effects")
    history = await lived.world.value("SELECT count(*) FROM history")
    left = await drain(lived.world.services, timeout_s=20)
    assert left.due == 0
    assert left.rounds == 3, "three quiet rounds, and not one more"
    assert await lived.world.value("SELECT count(*) FROM effects") == planned
    assert await lived.world.value("SELECT count(*) FROM history") == history
    assert {kind: lived.world.outside.ledger(kind).read_bytes() for kind in SYSTEMS} == before
    again = await compare(lived.world)
    assert {name: again[name] for name in NONE} == NONE


def _pushes_without_completion(world):
    items = world.services.city.catalog.items
    catalog = replace(
        world.services.city.catalog,
        items={code: replace(item, stages=("acceptance",)) for code, item in items.items()},
    )
    world.without(catalog=catalog)


@pytest_asyncio.fixture(loop_scope="session")
async def small_city(cluster, migrated, keyring_file, tmp_path, mailbox):
    """A running city of fifteen cases before its first day."""
    await asyncio.to_thread(make_world, tmp_path, seed="11", cases=15)
    name = f"small_{tmp_path.name}"
    with psycopg.connect(cluster.url("superuser", "postgres"), autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE {migrated} OWNER shenguan_owner')
    outside = Outside(tmp_path, listener=mailbox.url).start()
    try:
        async with running(outside, outside.settings(cluster.url("app", name), keyring_file)) as world:
            mailbox.services = world.services
            yield world
            mailbox.services = None
    finally:
        outside.stop()


async def test_completion_pushes_switched_off_show(small_city):
    items = small_city.services.city.catalog.items
    catalog = replace(
        small_city.services.city.catalog,
        items={code: replace(item, stages=("acceptance",)) for code, item in items.items()},
    )
    small_city.without(catalog=catalog)
    lived = await live(small_city, every=9)
    silent = [found for found in lived.verdict["details"] if found["count"] == "silent"]
    assert len(silent) > 5
    assert all("|completion|" in found["key"] for found in silent if found["what"] == "push")
    assert lived.four["doubled"] == lived.four["unexpected"] == 0


async def test_texts_reports_and_returns_switched_off_show(small_city):
    lived = await live(small_city, every=9, leave_out=[tell_liaisons, send_reports, send_returns])
    assert {found["what"] for found in lived.verdict["details"]} == {"sms", "credit_report", "return"}
    assert lived.four["silent"] > 0
    assert lived.four["lost"] > 0
    assert lived.four["doubled"] == lived.four["unexpected"] == 0
