"""A target that does not answer stops costing calls, is looked at now and then, and drains when it heals."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from adapters.exchange import Exchange
from adapters.platform.client import PlatformClient
from adapters.signing import make_signer
from adapters.transport import Transport
from models.ledger.queries import breakers
from tasks.desk.lists import list_incidents
from tasks.sending.dispatch import send_due
from tasks.sending.lines import push_line
from tasks.sending.probing import probe
from tasks.steps import (
    admit_cases,
    ask_again,
    match_receipts,
    recover,
    send_pushes,
    send_reports,
    tell_liaisons,
)
from tests.tasks.records import FOOD, NOW, case, granted, serial

DOWN = {"kind": "status", "status": 503, "code": "not-processed"}


def pushes_to(target=None, **do):
    match = {"method": "POST", "path_regex": "^/v1/pushes"} | ({"target": target} if target else {})
    return {"match": match, "do": do or DOWN}


async def two_departments(world, count):
    """That many cases whose pushes go to two departments; their codes."""
    await world.arrive(*(case(serial(), item=FOOD) for _ in range(count)))
    await world.run(admit_cases)
    dead, well = await world.column("SELECT DISTINCT target FROM effects ORDER BY 1")
    return dead, well


async def probes_done(world, *, due=True):
    if due:
        await world.change("UPDATE breakers SET probe_at = now() - interval '1 s' WHERE state = 'open'")
    await world.run(send_pushes)
    await world.services.beside.finished()


async def send(services, line):
    return await send_due(
        services.ledger, services.sealing, services.calendar, line, worker="w", guard=services.guard
    )


async def by_target(world):
    rows = await world.rows("SELECT target, state, count(*) AS n FROM effects GROUP BY target, state")
    return {(row["target"], row["state"]): row["n"] for row in rows}


async def test_a_dead_department_costs_few_calls_and_becomes_one_incident(world):
    dead, well = await two_departments(world, 60)
    await world.faults("platform", pushes_to(dead))
    for _ in range(4):
        await world.run(send_pushes)
        await world.change("UPDATE effects SET not_before = now() WHERE state = 'planned'")
    limit = world.services.settings.breaker_failures + world.services.settings.calls_in_flight
    assert world.services.settings.breaker_failures <= await world.hits("platform") <= limit
    assert await by_target(world) == {(dead, "planned"): 60, (well, "accepted"): 60}
    (incident,) = (await list_incidents(world.services.ledger)).incidents
    assert incident.kind == "breaker_open"
    assert incident.key == f"platform/{dead}"
    assert "not-processed" in incident.message
    async with world.services.ledger.reading() as conn:
        (found,) = await breakers.open_breakers(conn)
        behind = await breakers.cases_behind(conn, (found.system, found.target), 1000)
    assert (found.system, found.target, found.waiting, found.cases) == ("platform", dead, 60, 60)
    assert len(behind) == 60
    assert found.department
    events = await world.column("SELECT event FROM history WHERE entity = 'breaker' ORDER BY id")
    assert events == ["tripped"]


async def test_a_healed_department_drains_by_itself_the_oldest_first(world):
    batches = [[case(serial(), item=FOOD) for _ in range(15)] for _ in range(3)]
    turn = {record["case_no"]: number for number, batch in enumerate(batches) for record in batch}
    for batch in batches:
        await world.arrive(*batch)
        await world.run(admit_cases)
    dead = await world.value("SELECT min(target) FROM effects")
    await world.faults("platform", pushes_to(dead))
    await world.run(send_pushes)
    await probes_done(world)
    assert await world.column("SELECT state FROM breakers WHERE target = %s", dead) == ["open"]
    assert await world.value("SELECT probes FROM breakers WHERE target = %s", dead) == 1
    before = await world.hits("platform")
    await probes_done(world, due=False)
    assert await world.hits("platform") == before, "not before its pause is over"
    await world.faults("platform")
    await world.change("UPDATE breakers SET probe_at = now() - interval '1 s' WHERE state = 'open'")
    services = world.services
    line = replace(push_line(services.platform, services.city, services.settings), in_flight=1)
    await probe(services, line)
    assert await world.column("SELECT state FROM breakers WHERE target = %s", dead) == ["closed"]
    await send(services, line)
    assert set(await world.column("SELECT state FROM effects")) == {"accepted"}
    looked, *went = [turn[row["case_no"]] for row in world.stored("platform") if row["target"] == dead]
    assert went == sorted(went)
    assert Counter([looked, *went]) == {0: 15, 1: 15, 2: 15}
    assert (await list_incidents(world.services.ledger)).incidents == ()
    events = await world.column("SELECT event FROM history WHERE entity = 'breaker' ORDER BY id")
    assert events == ["tripped", "probed", "probe_failed", "probed", "healed"]


async def test_what_was_tried_during_the_outage_waits_no_longer_than_it(world):
    dead, _ = await two_departments(world, 8)
    await world.faults("platform", pushes_to(dead))
    await world.run(send_pushes)
    await world.change("UPDATE effects SET not_before = now() + interval '4 minutes' WHERE state = 'planned'")
    await world.faults("platform")
    await probes_done(world)
    await world.run(send_pushes)
    assert set(await world.column("SELECT state FROM effects")) == {"accepted"}


async def test_a_backlog_of_one_department_delays_no_other(world):
    await world.arrive(*(case(serial(), item=FOOD) for _ in range(150)))
    await world.run(admit_cases)
    dead, well = await world.column("SELECT DISTINCT target FROM effects ORDER BY 1")
    await world.change(
        "UPDATE effects SET not_before = CASE target WHEN %s THEN now() - interval '1 hour'"
        " ELSE now() - interval '1 s' END",
        dead,
    )
    await world.change(
        "UPDATE effects SET send_after = now() + interval '10 years' WHERE target = %s AND own_id NOT IN"
        " (SELECT min(own_id) FROM effects WHERE target = %s)",
        well,
        well,
    )
    services = world.services
    line = replace(push_line(services.platform, services.city, services.settings), batch=20)
    await send(services, line)
    counted = await by_target(world)
    assert counted[well, "accepted"] == 1, "the fresh one went in the first batch"
    assert counted[dead, "accepted"] == 19


async def test_several_silent_departments_are_a_silent_system(world):
    await two_departments(world, 2)
    await world.arrive(*(case(serial()) for _ in range(10)))
    await world.run(admit_cases)
    assert await world.value("SELECT count(DISTINCT target) FROM effects") >= 3
    await world.faults("platform", pushes_to())
    for _ in range(3):
        await world.run(send_pushes)
        await world.change("UPDATE effects SET not_before = now() WHERE state = 'planned'")
    async with world.services.ledger.reading() as conn:
        found = {each.target for each in await breakers.open_breakers(conn)}
    assert "" in found
    before = await world.hits("platform")
    await world.run(send_pushes)
    assert await world.hits("platform") == before
    await world.faults("platform")
    for _ in range(4):
        await probes_done(world)
    assert set(await world.column("SELECT state FROM effects")) == {"accepted"}
    assert set(await world.column("SELECT state FROM breakers")) == {"closed"}


async def test_where_nothing_connects_one_breaker_opens_and_nothing_is_in_doubt(world):
    await two_departments(world, 30)
    services = world.services
    world.services = replace(services, platform=_nowhere())
    for _ in range(2):
        await world.run(send_pushes)
        await world.change("UPDATE effects SET not_before = now() WHERE state = 'planned'")
    rows = await world.rows("SELECT system, target, state FROM breakers WHERE state <> 'closed'")
    assert rows == [{"system": "platform", "target": "", "state": "open"}]
    assert set(await world.column("SELECT state FROM effects")) == {"planned"}
    assert "no_connection" in await world.column("SELECT DISTINCT reason FROM effects")
    called = await world.value("SELECT count(*) FROM effect_attempts WHERE answer <> 'breaker_open'")
    assert called <= services.settings.breaker_failures + services.settings.calls_in_flight
    world.services = services
    await probes_done(world)
    await world.run(send_pushes)
    assert set(await world.column("SELECT state FROM effects")) == {"accepted"}


def _nowhere():
    signer = make_signer("rfc9421-sha256", key_id="demo", secret=b"x")
    return PlatformClient(Exchange(Transport("http://127.0.0.1:9", target="platform"), signer, deadline_s=2))


async def test_a_key_they_do_not_know_stops_the_whole_system_at_once(world):
    await two_departments(world, 40)
    refused = {"kind": "status", "status": 401, "code": "unknown-key"}
    await world.faults("platform", pushes_to(**refused))
    for _ in range(3):
        await world.run(send_pushes)
        await world.change("UPDATE effects SET not_before = now() WHERE state = 'planned'")
    assert await world.hits("platform") <= world.services.settings.calls_in_flight
    (incident,) = (await list_incidents(world.services.ledger)).incidents
    assert incident.key == "platform"
    assert "密钥" in incident.message
    assert incident.count == 80


async def test_asked_to_wait_opens_nothing_and_spares_the_others_of_that_department(world):
    dead, _ = await two_departments(world, 60)
    throttled = {"kind": "status", "status": 429, "code": "throttled", "retry_after": 120}
    await world.faults("platform", pushes_to(dead, **throttled))
    for _ in range(3):
        await world.run(send_pushes)
    assert await world.hits("platform") <= world.services.settings.calls_in_flight
    assert await world.column("SELECT DISTINCT state FROM breakers") == ["closed"]
    assert (await list_incidents(world.services.ledger)).incidents == ()
    await world.faults("platform")
    await world.change("UPDATE breakers SET wait_until = now()")
    await world.wait_is_over()
    await world.run(send_pushes)
    assert set(await world.column("SELECT state FROM effects")) == {"accepted"}


async def test_who_asks_for_a_day_is_seen_and_found_well_within_minutes(world):
    dead, well = await two_departments(world, 60)
    a_day = {"kind": "status", "status": 429, "code": "throttled", "retry_after": 86_400}
    await world.faults("platform", pushes_to(dead, **a_day))
    for _ in range(3):
        await world.run(send_pushes)
    assert await world.hits("platform") <= world.services.settings.calls_in_flight
    assert await by_target(world) == {(dead, "planned"): 60, (well, "accepted"): 60}
    (incident,) = (await list_incidents(world.services.ledger)).incidents
    assert (incident.kind, incident.key, incident.count) == ("breaker_open", f"platform/{dead}", 60)
    assert "要求暂缓超过五分钟" in incident.message
    before = await world.hits("platform")
    await probes_done(world)
    assert await world.hits("platform") == before + 1, "one effect looks"
    pauses = await world.column("SELECT probe_at - now() FROM breakers WHERE state = 'open'")
    assert timedelta(seconds=290) < pauses[0] <= timedelta(seconds=300)
    assert await world.value("SELECT max(not_before) - now() FROM effects") <= timedelta(seconds=300)
    await world.faults("platform")
    await probes_done(world)
    await world.wait_is_over()
    await world.run(send_pushes)
    assert set(await world.column("SELECT state FROM effects")) == {"accepted"}
    assert (await list_incidents(world.services.ledger)).incidents == ()


async def test_what_is_in_doubt_is_looked_at_under_the_same_id(world):
    dead, _ = await two_departments(world, 20)
    await world.faults("platform", pushes_to(dead, kind="store_then_reset"))
    await world.run(send_pushes)
    await world.faults("platform", pushes_to(dead, kind="store_then_reset") | {"times": 1})
    await probes_done(world)
    assert await world.value("SELECT state FROM breakers WHERE target = %s", dead) == "open"
    await probes_done(world)
    await world.run(send_pushes)
    assert set(await world.column("SELECT state FROM effects")) == {"accepted"}
    assert max(Counter(row["own_id"] for row in world.stored("platform")).values()) == 1


async def test_one_worker_looks_however_many_there_are(world):
    dead, _ = await two_departments(world, 20)
    await world.faults("platform", pushes_to(dead))
    await world.run(send_pushes)
    before = await world.hits("platform")
    await world.change("UPDATE breakers SET probe_at = now() - interval '1 s' WHERE state = 'open'")
    services = world.services
    line = push_line(services.platform, services.city, services.settings)
    await asyncio.gather(*(probe(services, line) for _ in range(5)))
    assert await world.hits("platform") == before + 1


async def test_who_died_looking_is_followed_by_another(world):
    dead, _ = await two_departments(world, 10)
    await world.faults("platform", pushes_to(dead))
    await world.run(send_pushes)
    await world.change(
        "UPDATE breakers SET state = 'half_open', probe_until = now() + interval '1 minute'"
        " WHERE target = %s",
        dead,
    )
    await world.faults("platform")
    await probes_done(world)
    assert await world.value("SELECT state FROM breakers WHERE target = %s", dead) == "half_open"
    await world.change("UPDATE breakers SET probe_until = now() - interval '1 s' WHERE state = 'half_open'")
    await probes_done(world)
    assert await world.value("SELECT state FROM breakers WHERE target = %s", dead) == "closed"


async def test_a_breaker_behind_which_nothing_waits_closes(world):
    dead, _ = await two_departments(world, 6)
    await world.faults("platform", pushes_to(dead))
    await world.run(send_pushes)
    await world.change("UPDATE effects SET state = 'superseded' WHERE state = 'planned'")
    await probes_done(world)
    assert await world.value("SELECT state FROM breakers WHERE target = %s", dead) == "closed"
    assert (await list_incidents(world.services.ledger)).incidents == ()


async def test_an_operators_retry_does_not_hammer_a_dead_department(world):
    dead, _ = await two_departments(world, 10)
    await world.faults("platform", pushes_to(dead))
    await world.run(send_pushes)
    before = await world.hits("platform")
    identities = await world.column("SELECT id FROM cases")
    await ask_again(world.services, identities)
    await send_pushes(world.services, identities)
    assert await world.hits("platform") == before


async def test_a_silent_credit_system_stops_costing_calls_and_drains(world):
    await world.arrive(*(granted(serial(), version=1) for _ in range(12)))
    await world.run(admit_cases)
    match = {"method": "POST", "path_regex": "^/v1/reports"}
    await world.faults("credit", {"match": match, "do": DOWN})
    for _ in range(8):
        await world.run(send_reports)
        await world.change("UPDATE effects SET not_before = now() WHERE state = 'planned'")
    assert await world.hits("credit") == world.services.settings.breaker_failures
    await world.faults("credit")
    await world.change("UPDATE breakers SET probe_at = now() - interval '1 s' WHERE state = 'open'")
    await world.run(send_reports)
    await world.services.beside.finished()
    await world.run(send_reports)
    states = await world.column("SELECT DISTINCT state FROM effects WHERE channel = 'credit_report'")
    assert states == ["accepted"]


async def test_no_text_is_risked_to_find_a_gateway_alive(world):
    texts = {"path_regex": "^/sms"}
    await world.faults("sms", {"match": texts, "do": {"kind": "before_reset"}})
    for turn in range(9):
        await world.at(NOW.replace(hour=8) + timedelta(minutes=70 * turn))
        await world.arrive(case(serial(), item=FOOD))
        await world.run(admit_cases, send_pushes, tell_liaisons, match_receipts)
    held = await world.value("SELECT count(*) FROM effects WHERE channel = 'sms' AND state = 'held'")
    failures = world.services.settings.breaker_failures
    assert (
        failures
        <= held
        + await world.value("SELECT count(*) FROM effects WHERE channel = 'sms' AND state = 'unknown'")
        <= failures + 4
    )
    tried = await world.value(
        "SELECT count(*) FROM effect_attempts a JOIN effects e USING (own_id) WHERE e.channel = 'sms'"
    )
    for _ in range(5):
        await world.change("UPDATE breakers SET probe_at = now() - interval '1 s' WHERE state = 'open'")
        await world.run(tell_liaisons)
        await world.services.beside.finished()
    assert await world.value("SELECT probes FROM breakers WHERE system = 'sms'") >= 5
    assert tried == await world.value(
        "SELECT count(*) FROM effect_attempts a JOIN effects e USING (own_id) WHERE e.channel = 'sms'"
    )
    assert world.stored("sms") == []
    await world.faults("sms")
    await world.change("UPDATE breakers SET probe_at = now() - interval '1 s' WHERE state = 'open'")
    await world.run(tell_liaisons)
    await world.services.beside.finished()
    assert await world.value("SELECT state FROM breakers WHERE system = 'sms'") == "closed"
    assert world.stored("sms") == [], "the question brought no text"
    await world.run(tell_liaisons, recover)
    assert world.stored("sms") != []
    assert await world.value("SELECT count(*) FROM effects WHERE channel = 'sms' AND state = 'planned'") == 0
