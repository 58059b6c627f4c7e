"""The SMS gateway: the wire as it is, no de-duplication, receipts one by one."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def listener():
    """A listener on loopback: `taken` fills up, `answers` says the status of the next ones."""
    taken, answers = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, json.loads(body)))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.taken, server.answers = taken, answers
    server.url = f"http://127.0.0.1:{server.server_address[1]}/receipts/yunmas/hidden"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def submit(sim, lib, mobiles="13900000001", **change):
    message = {
        "ecName": "某市政务",
        "apId": "demo",
        "secretKey": lib.secret,
        "mobiles": mobiles,
        "content": "【审管联动】您有 1 条新办件待阅",
        "sign": "sig",
        "addSerial": "",
    } | change
    mac = message.pop("mac", hashlib.md5("".join(message.values()).encode()).hexdigest())
    message["mac"] = mac
    body = base64.b64encode(json.dumps(message, ensure_ascii=False).encode())
    return json.loads(sim.raw("POST", "/sms/norsubmit", body, {"Content-Type": "text/plain"}).body)


def group_of(answer):
    return answer.get("msgGroup") or answer["mgsGroup"]


def wait_for(taken, count, seconds=5):
    deadline = time.monotonic() + seconds
    while len(taken) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return [body for _, body in taken]


def test_the_same_text_twice_is_two_texts_with_a_receipt_each(simulator, listener, lib):
    sim = simulator("sms", listener=listener.url)
    first, second = submit(sim, lib), submit(sim, lib)
    assert first["success"]
    assert group_of(first) != group_of(second)
    stored = sim.stored()
    assert [line["target"] for line in stored] == ["13900000001", "13900000001"]
    assert stored[0]["content"] == {"content": "【审管联动】您有 1 条新办件待阅"}
    assert [line["receipt"] for line in stored] == [group_of(first), group_of(second)]
    receipts = wait_for(listener.taken, 2)
    assert {r["msgGroup"] for r in receipts} == {group_of(first), group_of(second)}
    assert listener.taken[0][0] == "/receipts/yunmas/hidden"
    assert set(receipts[0]) == {
        "reportStatus",
        "mobile",
        "submitDate",
        "receiveDate",
        "errorCode",
        "msgGroup",
    }
    assert len(receipts[0]["submitDate"]) == 14


def test_both_spellings_occur_and_some_texts_do_not_arrive(simulator, world, listener, lib):
    world(world={"seed": 3, "sms_undelivered": 0.3})
    sim = simulator("sms", listener=listener.url)
    answers = [submit(sim, lib, mobiles=f"139000000{n:02d}") for n in range(40)]
    assert {"msgGroup", "mgsGroup"} == {name for a in answers for name in a} - {"rspcod", "success"}
    states = {r["reportStatus"] for r in wait_for(listener.taken, 40)}
    assert "DELIVRD" in states
    assert len(states) > 1


REFUSALS = (
    ({"mac": "0" * 32}, "IllegalMac"),
    ({"secretKey": "x"}, "InvalidUsrOrPwd"),
    ({"sign": ""}, "NoSignId"),
    ({"content": ""}, "InvalidMessage"),
    ({"mobiles": "12"}, "InvalidMobile"),
    ({"mobiles": "13900000001,13900000001"}, "DupMobile"),
    ({"mobiles": ",".join(str(13900000000 + n) for n in range(5001))}, "TooManyMobiles"),
)


def test_refusals_name_the_code_and_store_nothing(simulator, lib):
    sim = simulator("sms")
    for change, code in REFUSALS:
        assert submit(sim, lib, **change) == {"rspcod": code, "msgGroup": "", "success": False}
    for body in (b"!", base64.b64encode(b"{"), base64.b64encode(b'{"mac":"0"}')):
        found = json.loads(sim.raw("POST", "/sms/norsubmit", body).body)
        assert found["rspcod"] == "InvalidMessage"
    assert sim.stored() == []


def test_receipts_are_posted_again_while_the_listener_is_unwell(simulator, listener, lib):
    listener.answers.extend([500])
    sim = simulator("sms", listener=listener.url)
    submit(sim, lib)
    first, second = wait_for(listener.taken, 2)
    assert first["msgGroup"] == second["msgGroup"]


def test_a_receipt_not_posted_before_a_restart_is_posted_after_it_but_not_one_that_was(
    simulator, listener, lib
):
    sim = simulator("sms", listener=listener.url)
    submit(sim, lib)
    wait_for(listener.taken, 1)
    time.sleep(0.1)
    sim.faults({"do": {"kind": "late_receipt", "seconds": 60}})
    waiting = group_of(submit(sim, lib))
    sim.stop()
    sim.start()
    receipts = wait_for(listener.taken, 2)
    assert receipts[1]["msgGroup"] == waiting
    time.sleep(0.4)
    assert len(listener.taken) == 2


def test_receipts_go_wrong_as_told(simulator, listener, lib):
    sim = simulator("sms", listener=listener.url)

    def taken_under(kind, count, **do):
        listener.taken.clear()
        sim.faults({"match": {"target": "13900000001"}, "do": {"kind": kind, **do}})
        group = group_of(submit(sim, lib))
        before = len(listener.taken)
        receipts = wait_for(listener.taken, count, 2)
        time.sleep(0.3)
        assert len(listener.taken) == count, kind
        assert sim.control("/_sim/faults")[0]["hits"] == 1
        return group, receipts, before

    taken_under("no_receipt", 0)
    group, receipts, before = taken_under("early_receipt", 1)
    assert before == 1
    group, receipts, _ = taken_under("double_receipt", 2)
    assert [r["msgGroup"] for r in receipts] == [group, group]
    group, receipts, _ = taken_under("unknown_receipt", 2)
    assert {r["msgGroup"] for r in receipts} > {group}
    group, receipts, before = taken_under("late_receipt", 1, seconds=0.5)
    assert before == 0
