"""Two SMS gateways on real sockets: the second gets only what the first is proven not to have sent."""

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.sms.aliyun import AliyunAccount, AliyunClient
from adapters.sms.yunmas import YunmasAccount, YunmasClient
from adapters.transport import Transport
from models.domain.keys import reference_of
from tasks.steps import admit_cases, attempted, match_receipts, recover, send_pushes, tell_liaisons
from tests.tasks.records import FOOD, NOW, case, serial
from tests.tasks.running import CONTROL, PATH_SECRET, ROOT, SECRET

TEXTS = {"path_regex": "^/sms"}
DOWN = {"kind": "status", "status": 503, "code": "not-processed"}
SIGNATURE = "某市审管联动"


class Second:
    """The second gateway's simulator."""

    def __init__(self, folder, listener):
        self.ledger = folder / "sms2.jsonl"
        (folder / "world.json").write_text(
            json.dumps({"seed": 7, "sms_undelivered": 0, "sms_sign_name": SIGNATURE})
        )
        command = [sys.executable, "-m", "adapters.sandbox", "sms-aliyun", "--world", folder]
        command += ["--ledger", self.ledger, "--feed", folder / "sms2.feed.jsonl", "--listener", listener]
        surroundings = os.environ | {"SIM_SECRET": SECRET, "SIM_CONTROL": CONTROL}
        self.process = subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.before = 0

    def control(self, path, value):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/_sim/{path}",
            data=json.dumps(value).encode(),
            headers={"X-Sim-Control": CONTROL, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def texts(self):
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [json.loads(line) for line in lines][self.before :]

    def client(self, **changes):
        account = AliyunAccount("demo", SECRET, SIGNATURE, "SMS_1")
        transport = Transport(f"http://127.0.0.1:{self.port}", target="sms2", kept_s=0)
        return AliyunClient(transport, replace(account, **changes), deadline_s=2)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, mailbox):
    base = mailbox.url.partition("/receipts/")[0]
    second = Second(tmp_path_factory.mktemp("second"), f"{base}/receipts/aliyun/{PATH_SECRET}")
    yield second
    second.process.terminate()
    second.process.wait(10)
    second.process.stdout.close()


@pytest.fixture
def second(world, gateway):
    """The world has a second gateway."""
    gateway.before += len(gateway.texts())
    gateway.control("faults", [])
    anchors = {"anchor_machine": NOW.isoformat(), "anchor_business": NOW.isoformat(), "rate": 0}
    gateway.control("clock", anchors)
    gateways = dict(world.services.gateways) | {"sms2": gateway.client()}
    world.services = replace(world.services, gateways=gateways)
    return gateway


async def news(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)


async def text(world):
    (row,) = await world.rows("SELECT * FROM effects WHERE channel = 'sms'")
    return row


async def vias(world):
    return await world.column(
        "SELECT a.via FROM effect_attempts a JOIN effects e USING (own_id) WHERE e.channel = 'sms'"
        " ORDER BY a.started_at"
    )


async def settled(world, state="delivered"):
    for _ in range(100):
        await world.run(match_receipts)
        found = await world.column("SELECT DISTINCT state FROM effects WHERE channel = 'sms'")
        if found == [state]:
            return
        await world.wait_for("SELECT 1 AS one")
        await world.rows("SELECT pg_sleep(0.05)")
    raise AssertionError(found)


async def test_what_the_first_is_proven_not_to_have_sent_goes_by_the_second(world, second):
    await news(world)
    await world.faults("sms", {"match": TEXTS, "do": DOWN})
    await world.run(tell_liaisons)
    row = await text(world)
    assert (row["state"], row["via"]) == ("accepted", "sms2")
    (sent,) = second.texts()
    assert (sent["receipt"], sent["out_id"]) == (row["receipt_number"], reference_of(row["own_id"]))
    assert world.stored("sms") == []
    assert await vias(world) == ["sms", "sms2"]
    await settled(world)


async def test_what_cannot_even_connect_goes_by_the_second(world, second):
    await news(world)
    gateways = dict(world.services.gateways)
    account = YunmasAccount("某市", "demo", SECRET, "QM")
    gateways["sms"] = YunmasClient(Transport("http://127.0.0.1:9", target="sms", kept_s=0), account)
    world.services = replace(world.services, gateways=gateways)
    await world.run(tell_liaisons)
    assert len(second.texts()) == 1
    assert (await text(world))["state"] == "accepted"
    await settled(world)


@pytest.mark.parametrize(
    "kind",
    ["before_reset", "before_close", "store_then_reset", "store_then_half", "html200", "store_then_hang"],
)
async def test_while_the_first_is_unknown_the_second_gets_nothing(world, second, kind):
    await news(world)
    await world.faults("sms", {"match": TEXTS, "do": {"kind": kind, "seconds": 30}, "times": 1})
    await world.run(tell_liaisons, tell_liaisons, recover, tell_liaisons)
    assert ((await text(world))["state"], (await text(world))["via"]) == ("unknown", "sms")
    await world.wait_is_over()
    await world.run(tell_liaisons, match_receipts, tell_liaisons)
    assert second.texts() == []
    assert await world.hits("sms") == 1
    there = len(world.stored("sms"))
    await world.at(NOW + timedelta(minutes=61))
    await world.run(match_receipts, tell_liaisons)
    states = await world.column("SELECT state FROM effects WHERE channel = 'sms' ORDER BY planned_at")
    assert states[0] == "held"
    assert len(world.stored("sms")) + len(second.texts()) == there + 1, "the news, under a new id"


async def test_a_worker_that_dies_at_the_first_leaves_the_second_nothing(world, second):
    await news(world)
    await world.faults("sms", {"match": TEXTS, "do": {"kind": "store_then_hang", "seconds": 3}})
    await world.run(tell_liaisons)
    await world.change("UPDATE effects SET via = 'sms' WHERE channel = 'sms'")
    await world.faults("sms")
    await world.run(recover, tell_liaisons)
    assert second.texts() == []


async def test_a_phone_the_first_cannot_reach_is_not_tried_at_the_second(world, second):
    await news(world)
    await world.run()
    await world.at(NOW + timedelta(minutes=40))
    await world.change("UPDATE liaisons SET phone_index = phone_index")
    body = {"kind": "status", "status": 413, "code": "too-large"}
    await world.faults("sms", {"match": TEXTS, "do": body})
    await news(world)
    await world.run(tell_liaisons, tell_liaisons)
    assert "refused" in await world.column("SELECT state FROM effects WHERE channel = 'sms'")
    assert second.texts() == []


async def test_what_one_refuses_for_our_account_goes_by_the_other(world, second):
    await news(world)
    first = second.client(sign_name="没有备案的签名")
    yunmas = world.services.gateways["sms"]
    world.services = replace(world.services, gateways={"sms": first, "sms2": yunmas})
    await world.run(tell_liaisons)
    row = await text(world)
    assert (row["state"], row["via"]) == ("accepted", "sms2")
    assert second.texts() == []
    assert len(world.stored("sms")) == 1
    outcomes = await world.rows(
        "SELECT outcome, answer FROM effect_attempts WHERE own_id = %s", row["own_id"]
    )
    assert outcomes[0] == {"outcome": "refused", "answer": "isv.SMS_SIGNATURE_ILLEGAL"}


async def test_what_both_refuse_stands_in_front_of_a_person(world, second):
    await news(world)
    refusing = second.client(sign_name="没有备案的签名")
    world.services = replace(world.services, gateways={"sms": refusing, "sms2": refusing})
    await world.run(tell_liaisons, tell_liaisons)
    row = await text(world)
    assert (row["state"], row["attempts"]) == ("refused", 2)
    assert row["owner"]


async def test_a_receipt_settles_what_is_unknown_where_it_names_our_reference(world, second):
    await news(world)
    await world.faults("sms", {"match": TEXTS, "do": DOWN})
    second.control(
        "faults", [{"match": {"path_regex": "^/$"}, "do": {"kind": "store_then_reset"}, "times": 1}]
    )
    await world.run(tell_liaisons)
    assert (await text(world))["state"] in {"unknown", "delivered"}
    await settled(world)
    assert len(second.texts()) == 1


async def test_a_look_up_settles_what_is_unknown_and_finding_nothing_sends_nothing(world, second, mailbox):
    mailbox.services = None  # no receipt ever comes
    await news(world)
    await world.faults("sms", {"match": TEXTS, "do": DOWN})
    script = [
        {"match": {"path_regex": "^/$", "target": "OutId"}, "do": {"kind": "store_then_reset"}, "times": 1}
    ]
    second.control("faults", script)
    await world.run(tell_liaisons)
    row = await text(world)
    assert (row["state"], row["via"]) == ("unknown", "sms2")
    await world.wait_is_over()
    did = await world.run(match_receipts)
    assert did["match_receipts"]["looked_up"] == 1
    assert (await text(world))["state"] == "delivered"
    assert await world.column("SELECT reason FROM history WHERE entity_id = %s", row["own_id"]) == [
        "outcome_unknown",
        "looked_up",
    ]
    await world.at(NOW + timedelta(minutes=40))
    await news(world)
    second.control("faults", [{"match": {"target": "OutId"}, "do": {"kind": "before_reset"}, "times": 1}])
    await world.wait_is_over()
    await world.run(tell_liaisons)
    await world.wait_is_over()
    did = await world.run(match_receipts)
    assert did["match_receipts"]["looked_up"] == 0
    await world.run(tell_liaisons, tell_liaisons)
    assert len(second.texts()) == 1
    assert "unknown" in await world.column("SELECT state FROM effects WHERE channel = 'sms'")


async def test_one_text_that_does_not_open_keeps_no_other_from_its_look_up(world, second, mailbox, superuser):
    mailbox.services = None  # no receipt ever comes
    await world.arrive(case(serial(), item=FOOD))
    await world.run(admit_cases, send_pushes)
    await world.faults("sms", {"match": TEXTS, "do": DOWN})
    second.control("faults", [{"match": {"target": "OutId"}, "do": {"kind": "store_then_reset"}}])
    await world.run(tell_liaisons)
    second.control("faults", [])
    assert await world.column("SELECT state FROM effects WHERE channel = 'sms'") == ["unknown", "unknown"]
    await superuser(
        "UPDATE effect_bodies SET body_sealed = set_byte(body_sealed, length(body_sealed) - 1,"
        " get_byte(body_sealed, length(body_sealed) - 1) # 1)"
        " WHERE own_id = (SELECT own_id FROM effects WHERE channel = 'sms' ORDER BY not_before LIMIT 1)"
    )
    await world.wait_is_over()
    did = await world.run(match_receipts)
    assert did["match_receipts"]["looked_up"] == 1
    await world.at(NOW + timedelta(minutes=61))
    did = await world.run(match_receipts)
    assert did["match_receipts"]["held"] == 1
    states = await world.column("SELECT state FROM effects WHERE channel = 'sms' ORDER BY 1")
    assert [state for state in states if state != "planned"] == ["delivered", "held"]


async def test_receipts_that_cannot_be_matched_keep_no_text_from_being_held(world, table_away):
    await news(world)
    await world.faults("sms", {"match": TEXTS, "do": {"kind": "before_reset"}, "times": 1})
    await world.run(tell_liaisons)
    await world.at(NOW + timedelta(minutes=61))
    async with table_away("inbox_raw"):
        assert await attempted(match_receipts, world.services) == {"failed": 1}
    assert (await text(world))["state"] == "held"


async def test_while_the_first_is_down_texts_go_by_the_second_and_back_when_it_heals(world, second):
    await world.faults("sms", {"match": TEXTS, "do": DOWN})
    for turn in range(4):
        await world.at(NOW.replace(hour=8) + timedelta(minutes=40 * turn))
        await world.arrive(case(serial(), item=FOOD))
        await world.run(admit_cases, send_pushes, tell_liaisons)
    assert len(second.texts()) == 8
    assert await world.value("SELECT state FROM breakers WHERE system = 'sms'") == "open"
    assert await world.hits("sms") <= world.services.settings.breaker_failures + 4
    await world.faults("sms")
    await world.change("UPDATE breakers SET probe_at = now() - interval '1 s' WHERE state = 'open'")
    await world.run(tell_liaisons)
    await world.services.beside.finished()
    assert await world.value("SELECT state FROM breakers WHERE system = 'sms'") == "closed"
    assert world.stored("sms") == [], "no text was risked"
    await world.at(NOW.replace(hour=16))
    await world.arrive(case(serial(), item=FOOD))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    assert (len(world.stored("sms")), len(second.texts())) == (2, 8)
    both = world.stored("sms") + second.texts()
    assert len({(row["target"], row["content"]["content"]) for row in both}) == len(both) == 10
    await settled(world)


async def test_settings_name_what_a_second_gateway_needs(world, cluster, keyring_file):
    from config.settings import Settings

    given = world.settings | {"sms2_kind": "aliyun", "sms2_url": "http://127.0.0.1:9"}
    with pytest.raises(ValueError, match="sms2_key_id"):
        Settings(**given)
    whole = given | {"sms2_key_id": "k", "sms2_key_secret": "s", "sms2_sign_name": "n", "sms2_template": "t"}
    found = Settings(**whole).second_sms
    assert (found.kind, found.key_id, found.template) == ("aliyun", "k", "t")
    assert Settings(**world.settings).second_sms is None
