"""Pushes, recalls and returns: stored once, remembered, refused by rule."""

import json
import signal


def test_a_push_is_stored_once_and_repeated_with_the_same_receipt(simulator, lib):
    sim = simulator("platform")
    body = lib.push()
    status, first = sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
    again, second = sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
    assert (status, again) == (201, 200)
    assert first == second
    assert first["content_sha256"] == body["content_sha256"]
    stored = sim.stored()
    assert len(stored) == 1
    assert stored[0]["outcome"] == "stored"
    assert stored[0]["target"] == lib.department
    assert stored[0]["content"] == body["content"]
    assert stored[0]["body_sha256"] == lib.sha256(lib.canonical(body))
    assert [line["outcome"] for line in sim.logged()] == ["repeat"]
    status, held = sim.call("GET", f"/v1/pushes/{body['own_id']}")
    assert status == 200
    assert held["receipt"] == first["receipt"]
    assert held["business_key"] == body["business_key"]


def test_other_content_under_the_same_key_is_a_conflict_that_names_the_stored_hash(simulator, lib):
    sim = simulator("platform")
    body = lib.push()
    sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
    other = lib.push(contact="李四")
    status, problem = sim.call("POST", "/v1/pushes", other, own_id=other["own_id"])
    assert status == 409
    assert problem["code"] == "content-conflict"
    assert problem["stored_sha256"] == body["content_sha256"]
    renamed = lib.push(own_id="PS-other", contact="李四")
    assert sim.call("POST", "/v1/pushes", renamed, own_id="PS-other")[0] == 409
    newer = lib.push(version=2, contact="李四")
    assert sim.call("POST", "/v1/pushes", newer, own_id=newer["own_id"])[0] == 201
    assert len(sim.stored()) == 2


def test_memory_outlives_a_kill_and_a_line_cut_in_the_middle(simulator, lib):
    sim = simulator("platform")
    body = lib.push()
    _, first = sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
    assert sim.stop(signal.SIGKILL) == -signal.SIGKILL
    with sim.ledger.open("a") as file:
        file.write('{"own_id":"PS-cut')
    sim.start()
    status, again = sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
    assert (status, again) == (200, first)
    assert len(sim.stored()) == 1
    assert sim.stop() == 0


def test_what_breaks_the_contract_is_refused_with_the_field_and_the_rule(simulator, lib):
    sim = simulator("platform")

    def rules(body, own_id=None):
        status, problem = sim.call("POST", "/v1/pushes", body, own_id=own_id or body.get("own_id") or "x")
        assert status == 422, problem
        return {(e["field"], e["rule"]) for e in problem["errors"]}

    body = lib.push()
    assert rules(body | {"extra": 1}) == {("extra", "unknown-field")}
    assert rules(body, own_id="another") == {("Idempotency-Key", "idempotency-key")}
    assert rules(body | {"content_sha256": "0" * 64}) == {("content_sha256", "content-hash")}
    assert rules(body | {"business_key": "k"}) == {("business_key", "business-key")}
    assert rules(body | {"content_version": 0}) == {("content_version", "range")}
    assert rules(lib.push(colour="red")) == {("content.colour", "unknown-field")}
    assert rules(lib.push(result="准予")) == {("content.result", "not-at-this-stage")}
    assert rules({k: v for k, v in body.items() if k != "case_no"}) == {("case_no", "required")}
    wrong = body["target"] | {"department": lib.department[:-1] + "A"}
    assert ("target.department", "check-digit") in rules(body | {"target": wrong})
    assert sim.stored() == []


def test_what_is_no_json_of_ours_is_malformed(simulator, lib):
    sim = simulator("platform")
    for body in (
        b"{",
        b'{"a":1.5}',
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b"[1]",
        '{"名":1}'.encode("gbk"),
        b"[" * 99999,
    ):
        found = sim.raw("POST", "/v1/pushes", body, lib.signed("POST", "/v1/pushes", body, own_id="x"))
        assert found.status == 400, body[:20]
        assert json.loads(found.body)["code"] == "malformed"
        assert found.headers["Content-Type"].startswith("application/problem+json")
    big = b" " * (4 * 1024 * 1024 + 1)
    assert sim.raw("POST", "/v1/pushes", big, lib.signed("POST", "/v1/pushes", big)).status == 413
    assert sim.call("GET", "/v1/nowhere")[0] == 404
    assert sim.call("GET", "/v1/pushes")[0] == 405
    assert sim.call("GET", "/v1/pushes/none")[0] == 404


def test_a_recall_needs_the_push_it_withdraws(simulator, lib):
    sim = simulator("platform")
    body = lib.push()
    content = {"case_no": "A-1", "reason": "来源作废", "withdraws": [body["own_id"]]}
    recall = {
        "own_id": "RC1",
        "business_key": f"A-1|recall|{lib.department}|12345678901234",
        "case_no": "A-1",
        "content_version": 1,
        "target": body["target"],
        "content": content,
        "content_sha256": lib.sha256(lib.canonical(content)),
    }
    status, problem = sim.call("POST", "/v1/recalls", recall, own_id="RC1")
    assert (status, problem["errors"][0]["rule"]) == (422, "unknown-push")
    sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
    assert sim.call("POST", "/v1/recalls", recall, own_id="RC1")[0] == 201
    assert sim.call("POST", "/v1/recalls", recall, own_id="RC1")[0] == 200
    assert sim.call("GET", "/v1/recalls/RC1")[0] == 200
    assert sim.call("GET", "/v1/pushes/RC1")[0] == 404
    assert [line["kind"] for line in sim.stored()] == ["push", "recall"]


def test_returns_of_feedback_and_credit_records(simulator, lib):
    sim = simulator("platform")
    content = {"feedback_no": "F1", "kind": "inspection", "result": "不符合", "measures": ["罚款"]}
    feedback = {
        "own_id": "RT1",
        "business_key": f"F1|feedback|{lib.department}",
        "kind": "feedback",
        "department": lib.department,
        "case_no": None,
        "content_version": 1,
        "content": content,
        "content_sha256": lib.sha256(lib.canonical(content)),
    }
    assert sim.call("POST", "/v1/returns", feedback, own_id="RT1")[0] == 201
    content = {"record_no": "R1", "operation": "entry", "party": {"name": "甲", "id_number": None}}
    record = feedback | {
        "own_id": "RT2",
        "business_key": "R1|credit_record|platform",
        "kind": "credit_record",
        "department": "platform",
        "content": content,
        "content_sha256": lib.sha256(lib.canonical(content)),
    }
    assert sim.call("POST", "/v1/returns", record, own_id="RT2")[0] == 201
    status, problem = sim.call("POST", "/v1/returns", record | {"department": lib.department}, own_id="RT2")
    assert (status, problem["errors"][0]["field"]) == (422, "department")
    assert sim.call("GET", "/v1/returns/RT2")[1]["own_id"] == "RT2"


def test_counts_and_their_digest_stand_for_the_days_effects(simulator, lib):
    sim = simulator("platform")
    sim.clock("2026-03-02T23:00:00+08:00")
    bodies = [lib.push(case=f"A-{n}") for n in range(3)]
    for body in bodies:
        sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
    _, counts = sim.call("GET", "/v1/counts?day=2026-03-02")
    lines = sorted(f"{b['own_id']} {b['content_sha256']}\n" for b in bodies)
    assert counts["rows"] == [
        {
            "kind": "push",
            "department": lib.department,
            "stage": "acceptance",
            "count": 3,
            "digest": lib.sha256("".join(lines).encode()),
        }
    ]
    assert sim.call("GET", "/v1/counts?day=2026-03-03")[1]["rows"] == []
    assert sim.call("GET", "/v1/counts?day=tomorrow")[0] == 422
    _, page = sim.call("GET", "/v1/effects?day=2026-03-02&kind=push&limit=2")
    assert (len(page["items"]), page["has_more"]) == (2, True)
    _, rest = sim.call("GET", f"/v1/effects?day=2026-03-02&limit=2&cursor={page['next_cursor']}")
    assert (len(rest["items"]), rest["has_more"]) == (1, False)


def test_the_receipt_names_the_liaison_of_the_day(simulator, world, lib):
    rows = [
        {"id": "L1", "department": lib.department, "section": "s1", "rank": 2, "valid_from": "2020-01-01"},
        {"id": "L2", "department": lib.department, "section": "s1", "rank": 1, "valid_from": "2020-01-01",
         "valid_to": "2026-03-01"},
    ]  # fmt: skip
    world(liaisons=rows)
    sim = simulator("platform")
    for day, account in (("2026-03-01", "L2"), ("2026-03-02", "L1")):
        sim.clock(f"{day}T10:00:00+08:00")
        body = lib.push(case=day)
        _, receipt = sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
        assert receipt["receipt"]["account"] == account
