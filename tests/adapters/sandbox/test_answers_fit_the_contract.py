"""What the simulators really answer fits the schemas of the contracts."""

import base64
import functools
import hashlib
import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[3] / "adapters" / "contracts"


@functools.cache
def contract(name):
    return yaml.load((FOLDER / f"{name}.yaml").read_text(), yaml.CSafeLoader)


def fits(name, part, value):
    document = contract(name)
    whole = {"$ref": f"#/components/schemas/{part}", "components": document["components"]}
    found = [f"{list(e.absolute_path)} {e.message}" for e in Draft202012Validator(whole).iter_errors(value)]
    assert found == []


def test_the_platform(simulator, world, lib):
    feedback = {
        "feedback_no": "F1",
        "version": 1,
        "operation": "i",
        "department": lib.department,
        "kind": "read",
    }
    match = {"case_no": "A-1", "department": lib.department, "supervision_item": "12345678901234"}
    world(answers=[match | {"stage": "acceptance", "after_hours": 0, "record": feedback}])
    sim = simulator("platform")
    sim.clock("2026-03-02T10:00:00+08:00")
    body = lib.push()
    fits("platform.v1", "Push", body)
    fits("platform.v1", "Receipted", sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])[1])
    fits("platform.v1", "Held", sim.call("GET", f"/v1/pushes/{body['own_id']}")[1])
    fits("platform.v1", "Counts", sim.call("GET", "/v1/counts?day=2026-03-02")[1])
    effects = sim.call("GET", "/v1/effects?day=2026-03-02")[1]
    fits("platform.v1", "Page", effects)
    fits("platform.v1", "EffectRow", effects["items"][0])
    page = sim.call("GET", "/v1/feedback/changes")[1]
    fits("platform.v1", "Page", page)
    fits("platform.v1", "FeedbackRecord", page["items"][0])
    for answer in (
        sim.call("POST", "/v1/pushes", lib.push(contact="x"), own_id=body["own_id"])[1],
        sim.call("POST", "/v1/pushes", {}, own_id="x")[1],
        sim.call("GET", "/v1/pushes/none")[1],
        json.loads(sim.raw("GET", "/v1/counts").body),
    ):
        fits("platform.v1", "Problem", answer)


def test_the_credit_system(simulator, lib):
    sim = simulator("credit")
    party = {"ref": "1", "name": "甲", "id_type": "身份证", "id_number": "1"}
    query = {"purpose": "acceptance", "legal_basis": "依据", "parties": [party]}
    fits("credit.v1", "Query", query)
    fits("credit.v1", "QueryResults", sim.call("POST", "/v1/parties/query", query)[1])
    record = {"XK_WSH": "1"}
    report = {
        "own_id": "CR1",
        "business_key": "XK|1|x",
        "kind": "XK",
        "content_version": 1,
        "record": record,
        "content_sha256": lib.sha256(lib.canonical(record)),
    }
    answer = sim.call("POST", "/v1/reports", {"reports": [report]}, own_id=lib.sha256(b"CR1"))[1]
    assert answer["results"][0]["code"] == "refused"
    fits("credit.v1", "ReportResults", answer)
    fits("credit.v1", "RecordPage", sim.call("GET", "/v1/records/changes")[1])
    fits("credit.v1", "Counts", sim.call("GET", "/v1/counts?day=2026-03-02")[1])
    fits("credit.v1", "ReportPage", sim.call("GET", "/v1/reports?day=2026-03-02")[1])
    asked = {"documents": [{"ref": "1", "kind": "XK", "document_number": "none"}]}
    fits("credit.v1", "ArrivalQuery", asked)
    fits("credit.v1", "ArrivalResults", sim.call("POST", "/v1/arrivals/query", asked)[1])


@pytest.mark.parametrize("secret", [None, "wrong"])
def test_the_gateway(simulator, lib, secret):
    sim = simulator("sms")
    parts = [
        "某市政务",
        "demo",
        secret or lib.secret,
        "13900000001",
        "【审管联动】您有 1 条新办件待阅",
        "sig",
        "",
    ]
    names = ["ecName", "apId", "secretKey", "mobiles", "content", "sign", "addSerial"]
    message = dict(zip(names, parts, strict=True)) | {"mac": hashlib.md5("".join(parts).encode()).hexdigest()}
    fits("sms-yunmas", "Submission", message)
    body = base64.b64encode(json.dumps(message).encode())
    answer = json.loads(sim.raw("POST", "/sms/norsubmit", body).body)
    assert answer["success"] is (secret is None)
    fits("sms-yunmas", "Reply", answer)
