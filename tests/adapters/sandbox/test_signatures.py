"""Who may speak: RFC 9421 with HMAC-SHA256 or HMAC-SM3, the national headers, no replay."""

import base64
import hashlib
import hmac
import json
import time

import pytest


@pytest.fixture
def sim(simulator):
    return simulator("platform")


def code_of(found):
    return json.loads(found.body).get("code", found.status)


PATH = "/v1/feedback/changes?limit=5"


def test_both_algorithms_are_taken(sim, lib):
    for alg in ("hmac-sha256", "hmac-sm3"):
        assert sim.raw("GET", PATH, headers=lib.signed("GET", PATH, alg=alg)).status == 200


def test_a_replayed_nonce_is_refused_and_stores_nothing(sim, lib):
    body = lib.canonical(lib.push())
    headers = lib.signed("POST", "/v1/pushes", body, own_id=lib.push()["own_id"])
    assert sim.raw("POST", "/v1/pushes", body, headers).status == 201
    replayed = sim.raw("POST", "/v1/pushes", body, headers)
    assert (replayed.status, code_of(replayed)) == (401, "nonce-replayed")
    assert len(sim.stored()) == 1


def test_what_is_not_signed_as_agreed_is_not_taken(sim, lib):
    now = int(time.time())
    good = lib.signed("GET", PATH)
    cases = {
        "signature-missing": {},
        "unknown-key": lib.signed("GET", PATH, key="stranger"),
        "signature-expired": lib.signed("GET", PATH, created=now - 301),
        "signature-invalid": good | {"Signature": "sig1=:AAAA:"},
    }
    for code, headers in cases.items():
        found = sim.raw("GET", PATH, headers=headers)
        assert (found.status, code_of(found)) == (401, code)
    other_query = sim.raw("GET", "/v1/feedback/changes?limit=6", headers=lib.signed("GET", PATH))
    assert code_of(other_query) == "signature-invalid"
    assert sim.raw("GET", PATH, headers=lib.signed("GET", PATH, created=now + 290)).status == 200


def test_the_body_and_the_key_must_be_covered(sim, lib):
    body = lib.canonical(lib.push())
    own_id = lib.push()["own_id"]
    changed = body.replace("食品".encode(), "药品".encode())
    found = sim.raw("POST", "/v1/pushes", changed, lib.signed("POST", "/v1/pushes", body, own_id=own_id))
    assert (found.status, code_of(found)) == (400, "malformed")
    bare = lib.signed("POST", "/v1/pushes", body) | {"Idempotency-Key": own_id}
    assert code_of(sim.raw("POST", "/v1/pushes", body, bare)) == "signature-invalid"
    undigested = lib.signed("POST", "/v1/pushes") | {"Content-Type": "application/json"}
    assert code_of(sim.raw("POST", "/v1/pushes", body, undigested)) == "signature-invalid"
    assert sim.stored() == []


def national(lib, *, rtime=None, rid="demo", sid="S1"):
    stamp = str(rtime or int(time.time() * 1000))
    mac = hmac.new(lib.secret.encode(), f"{sid}{rid}{stamp}".encode(), hashlib.sha256).digest()
    sign = base64.b64encode(mac).decode()
    return {"gjzwfwpt_rid": rid, "gjzwfwpt_sid": sid, "gjzwfwpt_rtime": stamp, "gjzwfwpt_sign": sign}


def test_the_national_headers_are_taken_once(sim, lib):
    body = lib.push()
    raw = lib.canonical(body)
    headers = national(lib) | {"Content-Type": "application/json", "Idempotency-Key": body["own_id"]}
    assert sim.raw("POST", "/v1/pushes", raw, headers).status == 201
    assert code_of(sim.raw("POST", "/v1/pushes", raw, headers)) == "nonce-replayed"
    assert sim.raw("GET", PATH, headers=national(lib)).status == 200
    late = national(lib, rtime=int((time.time() - 301) * 1000))
    assert code_of(sim.raw("GET", PATH, headers=late)) == "signature-expired"
    forged = national(lib) | {"gjzwfwpt_sid": "S2"}
    assert code_of(sim.raw("GET", PATH, headers=forged)) == "signature-invalid"


def test_keys_come_from_a_file_when_one_is_named(simulator, tmp_path, lib):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"other": lib.secret}))
    sim = simulator("platform", keys=keys)
    assert code_of(sim.raw("GET", PATH, headers=lib.signed("GET", PATH))) == "unknown-key"
    assert sim.raw("GET", PATH, headers=lib.signed("GET", PATH, key="other")).status == 200


def test_control_needs_its_word(sim):
    assert sim.raw("GET", "/_sim/faults").status == 403
    assert sim.raw("POST", "/_sim/clock", b"{}", {"X-Sim-Control": "guess"}).status == 403
    assert sim.raw("GET", "/_sim/health").status == 200
