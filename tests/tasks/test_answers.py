"""What the outside does to a call on a real socket, and what becomes of the effect."""

import asyncio
import json
import socket
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.sms.yunmas import YunmasAccount, YunmasClient
from adapters.transport import Transport
from models.domain.canonical import canonical, content_hash
from models.domain.errors import NotDone
from tasks.city_loading import load_city_into
from tasks.operators.bulk_rerun import look, rerun_failed
from tasks.operators.rerun_form import wanted
from tasks.operators.rerunning import rerun_case
from tasks.receipts import keep_receipt
from tasks.sending.dispatch import send_due
from tasks.sending.lines import push_line, report_line
from tasks.sending.verdicts import Verdict
from tasks.steps import (
    admit_cases,
    ask_again,
    claim,
    match_receipts,
    recover,
    send_pushes,
    send_reports,
    tell_liaisons,
)
from tests.tasks.records import APPROVAL_NAME, NOW, case, granted, serial
from tests.tasks.running import SECRET

PUSHES = {"method": "POST", "path_regex": "^/v1/pushes"}
REPORTS = {"method": "POST", "path_regex": "^/v1/reports"}


async def admitted(world, *records):
    await world.arrive(*records)
    await world.run(admit_cases)


async def effect(world, channel="push"):
    (row,) = await world.rows(
        "SELECT * FROM effects JOIN effect_bodies USING (own_id) WHERE channel = %s", channel
    )
    return row


async def test_not_processed_is_planned_again_and_sent_when_its_time_comes(world):
    await admitted(world, case(serial()))
    await world.faults(
        "platform",
        {"match": PUSHES, "do": {"kind": "status", "status": 503, "code": "not-processed"}, "times": 1},
    )
    await world.run(send_pushes)
    row = await effect(world)
    assert (row["state"], row["reason"], row["attempts"]) == ("planned", "not_processed", 1)
    assert world.stored("platform") == []
    await world.wait_is_over()
    await world.run(send_pushes)
    assert (await effect(world))["state"] == "accepted"
    assert len(world.stored("platform")) == 1


async def test_throttled_waits_as_long_as_it_was_told(world):
    await admitted(world, case(serial()))
    await world.faults(
        "platform",
        {
            "match": PUSHES,
            "do": {"kind": "status", "status": 429, "code": "throttled", "retry_after": 7},
            "times": 1,
        },
    )
    await world.run(send_pushes)
    (row,) = await world.rows("SELECT state, reason, not_before - now() AS pause FROM effects")
    assert (row["state"], row["reason"]) == ("planned", "throttled")
    assert timedelta(seconds=4) < row["pause"] <= timedelta(seconds=7)
    assert await world.hits("platform") == 1
    await world.run(send_pushes)
    assert world.stored("platform") == [], "not before its time"


@pytest.mark.parametrize(
    "kind", ["store_then_reset", "store_then_close", "store_then_half", "store_then_hang"]
)
async def test_a_push_whose_answer_was_lost_is_repeated_with_the_same_id(world, kind):
    await admitted(world, case(serial()))
    await world.faults("platform", {"match": PUSHES, "do": {"kind": kind, "seconds": 30}, "times": 1})
    await world.run(send_pushes)
    assert (await effect(world))["state"] == "unknown"
    assert await world.hits("platform") == 1
    await world.wait_is_over()
    await world.run(send_pushes)
    row = await effect(world)
    assert (row["state"], row["attempts"]) == ("accepted", 2)
    (stored,) = world.stored("platform")
    assert stored["own_id"] == row["own_id"]
    assert stored["receipt"]["number"] == row["receipt_number"]


async def test_a_repeat_that_is_not_done_stays_in_doubt(world):
    await admitted(world, case(serial()))
    not_processed = {"kind": "status", "status": 503, "code": "not-processed"}
    await world.faults(
        "platform",
        {"match": PUSHES, "do": {"kind": "store_then_reset"}, "times": 1},
        {"match": PUSHES, "do": not_processed, "times": 1},
    )
    await world.run(send_pushes)
    await world.wait_is_over()
    await world.run(send_pushes)
    row = await effect(world)
    assert (row["state"], row["reason"]) == ("unknown", "not_processed"), "the first call's outcome is open"
    await world.wait_is_over()
    await world.run(send_pushes)
    assert (await effect(world))["state"] == "accepted"
    assert len(world.stored("platform")) == 1


@pytest.mark.parametrize("kind", ["html200", "gbk", "half_json", "nan"])
async def test_an_answer_that_cannot_be_read_proves_nothing(world, kind):
    await admitted(world, case(serial()))
    await world.faults("platform", {"match": PUSHES, "do": {"kind": kind, "store": True}, "times": 1})
    await world.run(send_pushes)
    assert (await effect(world))["state"] == "unknown"
    await world.wait_is_over()
    await world.run(send_pushes)
    assert (await effect(world))["state"] == "accepted"
    assert len(world.stored("platform")) == 1


async def test_a_server_error_without_a_documented_code_proves_nothing(world):
    await admitted(world, case(serial()))
    await world.faults("platform", {"match": PUSHES, "do": {"kind": "status", "status": 502}, "times": 1})
    await world.run(send_pushes)
    assert (await effect(world))["state"] == "unknown"


async def test_what_is_refused_has_an_owner_and_a_day_and_goes_again_when_a_person_asks(world):
    await admitted(world, case(serial()))
    refusal = {"kind": "status", "status": 422, "code": "rule-broken"}
    await world.faults("platform", {"match": PUSHES, "do": refusal, "times": 1})
    await world.run(send_pushes)
    row = await effect(world)
    assert (row["state"], row["reason"], row["owner"]) == ("refused", "rule_broken", APPROVAL_NAME)
    assert row["due_at"] > NOW
    await world.wait_is_over()
    await world.run(send_pushes)
    assert (await effect(world))["state"] == "refused", "a machine does not ask twice"
    await ask_again(world.services, [row["case_id"]])
    await world.run(send_pushes)
    again = await effect(world)
    assert (again["state"], again["own_id"], again["owner"]) == ("accepted", row["own_id"], None)


async def bytes_of(world, line):
    """Own id → what its call would carry, of all that is due on the line. Nothing is sent."""
    seen = {}

    async def seeing(group):
        seen.update({each.own_id: json.loads(each.body) for each in group})
        return [Verdict(error=NotDone("nobody", "not_processed"))] * len(group)

    services = world.services
    looking = replace(line, call=seeing)
    await send_due(
        services.ledger, services.sealing, services.calendar, looking, worker="test", guard=services.guard
    )
    await world.wait_is_over()
    return seen


def of_another_mind(body, **content):
    """Bytes under the same id, key and version that say something else."""
    name = "record" if "record" in body else "content"
    changed = body[name] | content
    return canonical(body | {name: changed, "content_sha256": content_hash(changed)})


async def test_other_content_under_our_id_is_for_a_person(world):
    await admitted(world, case(serial()))
    services = world.services
    for own_id, body in (
        await bytes_of(world, push_line(services.platform, services.city, services.settings))
    ).items():
        await services.platform.push(own_id, of_another_mind(body, phone="15400000000"))
    await world.run(send_pushes)
    seen = await effect(world)
    assert (seen["state"], seen["reason"], seen["owner"]) == ("refused", "content_conflict", APPROVAL_NAME)
    assert seen["due_at"] > NOW
    assert await world.column("SELECT state FROM handovers") == ["planned"]
    assert len(world.stored("platform")) == 1

    # what is told not to be asked again is not: by Retry, by `rerun`, by many at once
    identity, number = (
        await world.value("SELECT id FROM cases"),
        await world.value("SELECT case_no FROM cases"),
    )
    assert await ask_again(world.services, [identity]) == {"asked": 0}
    told = await rerun_case(world.services, number, actor="王五")
    (sentence,) = told.not_asked
    assert (told.asked, told.stopped) == (0, 1)
    assert "没有再试：不要再试：对方以同一编号存有另一内容" in sentence
    looked = (await look(services, wanted())).found
    assert (looked.total, looked.would_go) == (0, 0)
    assert "对方存有不同内容 1 项" in looked.left
    done = await rerun_failed(services, wanted(), actor="王五")
    assert done.asked == 0
    again = await effect(world)
    assert (again["state"], again["reason"], again["attempts"]) == (
        seen["state"], seen["reason"], seen["attempts"],
    )  # fmt: skip


async def test_duplicate_is_success_only_if_the_content_over_there_is_ours(world):
    same, other = granted(serial(), version=1), granted(serial(), version=1)
    await admitted(world, same, other)
    services = world.services
    for own_id, body in (await bytes_of(world, report_line(services.credit, services.settings))).items():
        changes = {} if body["record"]["XK_WSH"] == same["document"]["number"] else {"XK_NR": "别的内容"}
        await services.credit.report([(own_id, of_another_mind(body, **changes))])
    await world.run(send_reports)
    ended = await world.rows(
        "SELECT c.case_no, e.state, e.reason FROM effects e JOIN cases c ON c.id = e.case_id"
        " WHERE e.channel = 'credit_report'"
    )
    assert {row["case_no"]: (row["state"], row["reason"]) for row in ended} == {
        same["case_no"]: ("accepted", None),
        other["case_no"]: ("refused", "content_conflict"),
    }
    assert len(world.stored("credit")) == 2


async def test_a_late_report_is_refused_by_rule_and_holds_its_case_open(world):
    long_ago = NOW - timedelta(days=8)
    late = granted(serial(), version=1, at=NOW, decided_on=(NOW - timedelta(days=14)).date().isoformat())
    await admitted(world, late | {"accepted_at": long_ago.isoformat()})
    await world.run(send_reports)
    row = await effect(world, "credit_report")
    assert (row["state"], row["reason"], row["owner"]) == ("refused", "rule_broken", APPROVAL_NAME)
    await world.run(send_pushes, claim)
    await world.at(NOW + timedelta(days=40))
    await world.run()
    assert await world.column("SELECT state FROM cases") == ["completed"], (
        "refused and undecided: not settled"
    )


async def test_one_bad_report_does_not_stop_its_batch(world):
    bad = granted(serial(), version=1)
    number = bad["party"]["id_number"]
    bad["party"] = bad["party"] | {"id_number": number[:-1] + ("0" if number[-1] != "0" else "1")}
    await admitted(world, *(granted(serial(), version=1) for _ in range(3)), bad)
    await world.run(send_reports)
    states = await world.column("SELECT state FROM effects WHERE channel = 'credit_report' ORDER BY state")
    assert states == ["accepted", "accepted", "accepted", "refused"]
    assert len(world.stored("credit")) == 3


async def test_a_corrected_report_goes_under_the_next_version(world):
    number = serial()
    too_old = (NOW - timedelta(days=14)).date().isoformat()
    await admitted(world, granted(number, version=1, decided_on=too_old))
    await world.run(send_reports)
    assert (await effect(world, "credit_report"))["state"] == "refused"
    await admitted(world, granted(number, version=2))
    await world.run(send_reports)
    rows = await world.rows(
        "SELECT content_version, state FROM effects WHERE channel = 'credit_report' ORDER BY content_version"
    )
    assert [(row["content_version"], row["state"]) for row in rows] == [(1, "superseded"), (2, "accepted")]


TEXTS = {"method": "POST", "path_regex": "^/sms/norsubmit"}
LOST = ["store_then_reset", "store_then_close", "store_then_half", "store_then_hang"]


@pytest.mark.parametrize("kind", LOST)
async def test_a_text_of_unknown_outcome_is_held_and_its_news_goes_on_under_a_new_id(world, kind):
    await admitted(world, case(serial()))
    # A report would name a group that we never heard of: it proves nothing.
    await world.faults("sms", {"match": TEXTS, "do": {"kind": kind, "seconds": 30}, "times": 1})
    await world.run(send_pushes, tell_liaisons)
    first = await effect(world, "sms")
    assert first["state"] == "unknown"
    for minutes in (10, 30, 59):
        await world.at(NOW + timedelta(minutes=minutes))
        await world.wait_is_over()
        await world.run(recover, tell_liaisons, match_receipts)
    assert (await effect(world, "sms"))["state"] == "unknown", "within the window it may still be proven"
    assert len(world.stored("sms")) == 1
    await world.at(NOW + timedelta(minutes=61))
    await world.run(match_receipts)
    held = await effect(world, "sms")
    assert (held["state"], bool(held["owner"]), held["due_at"] > world.now) == ("held", True, True)
    await world.run(tell_liaisons)
    await world.wait_is_over()
    await world.run(recover, tell_liaisons, match_receipts)
    texts = world.stored("sms")
    assert len(texts) == 2
    assert texts[0]["content"] != texts[1]["content"], "each text has its own reference"
    second = await world.value("SELECT sms_own_id FROM sms_news")
    assert second != first["own_id"]
    assert await world.value("SELECT state FROM effects WHERE own_id = %s", first["own_id"]) == "held"


async def test_a_number_that_the_gateway_refuses_has_an_owner_and_a_day(world, city, people):
    department, section = next((p["department"], p["section"]) for p in people if p["section"] == "dispatch")
    wrong = {"id": "LZ9999", "department": department, "section": section, "name": "钱拟宁", "rank": 1}
    wrong |= {"phone": "12345", "valid_from": "2025-01-01", "valid_to": None}
    await load_city_into(world.services.ledger, world.services.sealing, city, [wrong])
    await admitted(world, case(serial()))
    await world.run(send_pushes, tell_liaisons)
    row = await effect(world, "sms")
    assert (row["state"], bool(row["owner"])) == ("refused", True)
    assert row["due_at"] > NOW
    assert world.stored("sms") == []


async def test_a_gateway_that_is_away_gets_the_text_when_it_is_back(world):
    await admitted(world, case(serial()))
    await world.run(send_pushes)
    there = world.services
    account = YunmasAccount("某市", "demo", SECRET, "QM", "")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{sock.getsockname()[1]}"
        transport = Transport(nobody, target="sms", kept_s=0)
        async with YunmasClient(transport, account, deadline_s=2) as gateway:
            world.services = replace(there, gateways={"sms": gateway})
            await world.run(tell_liaisons)
    assert (await effect(world, "sms"))["state"] == "planned", "no connection: proven not done"
    world.services = there
    await world.wait_is_over()
    await world.run(tell_liaisons)
    assert (await effect(world, "sms"))["state"] == "accepted"
    assert len(world.stored("sms")) == 1


RECEIPTS = {
    "early_receipt": "delivered",
    "double_receipt": "delivered",
    "unknown_receipt": "delivered",
    "no_receipt": "accepted",
}


@pytest.mark.parametrize("kind", RECEIPTS)
async def test_receipts_come_as_they_like(world, mailbox, kind):
    await admitted(world, case(serial()))
    await world.faults("sms", {"match": TEXTS, "do": {"kind": kind}})
    received = mailbox.received
    await world.run(send_pushes, tell_liaisons)
    if kind != "no_receipt":
        wanted = 1 if kind == "early_receipt" else 2
        for _ in range(100):
            if mailbox.received - received >= wanted:
                break
            await asyncio.sleep(0.05)
    await world.run(match_receipts)
    await world.run(match_receipts)
    assert (await effect(world, "sms"))["state"] == RECEIPTS[kind]
    assert len(world.stored("sms")) == 1
    assert await world.value("SELECT count(*) FROM quarantine") == 0


async def test_a_receipt_after_the_text_was_held_still_counts(world):
    await admitted(world, case(serial()))
    await world.faults("sms", {"match": TEXTS, "do": {"kind": "late_receipt", "seconds": 1}})
    await world.run(send_pushes, tell_liaisons)
    row = await effect(world, "sms")
    assert row["state"] == "accepted"
    for _ in range(200):  # a receipt of an earlier test's text may come first
        await world.run(match_receipts)
        if (await effect(world, "sms"))["state"] != "accepted":
            break
        await asyncio.sleep(0.1)
    assert (await effect(world, "sms"))["state"] == "delivered"
    assert await world.value("SELECT report_status FROM sms_texts") == "DELIVRD"


async def test_a_malformed_receipt_is_kept_for_a_person(world):
    await keep_receipt(world.services.ledger, world.services.sealing, b'{"msgGroup": 5}', None)
    await world.run(match_receipts)
    (row,) = await world.rows("SELECT kind, rule, message FROM quarantine")
    assert (row["kind"], row["rule"]) == ("sms_receipt", "malformed-receipt")
