"""Each fault does at the socket what its name says, and stores exactly when it says."""

import http.client
import json
import socket
import time
import zlib

import pytest

from adapters.sandbox import faults


@pytest.fixture
def sim(simulator):
    return simulator("platform")


def request_bytes(sim, lib, body):
    raw = lib.canonical(body)
    headers = lib.signed("POST", "/v1/pushes", raw, own_id=body["own_id"])
    lines = ["POST /v1/pushes HTTP/1.1", f"Host: 127.0.0.1:{sim.port}", f"Content-Length: {len(raw)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def speak(sim, lib, body, *, limit=10_000_000, timeout=5.0, earlier=b""):
    """What came back on a raw socket until it ended, and how it ended."""
    got = b""
    with socket.create_connection(("127.0.0.1", sim.port), timeout=timeout) as wire:
        if earlier:
            wire.sendall(earlier)
            while b"\r\n\r\n" not in got:
                got += wire.recv(65536)
            got = b""
        wire.sendall(request_bytes(sim, lib, body))
        try:
            while len(got) < limit:
                piece = wire.recv(65536)
                if not piece:
                    return got, "closed"
                got += piece
        except ConnectionResetError:
            return got, "reset"
        except TimeoutError:
            return got, "silent"
    return got, "enough"


def strike(sim, kind, **do):
    sim.faults(
        {"match": {"method": "POST", "path_regex": "^/v1/pushes"}, "do": {"kind": kind, **do}, "times": 1}
    )


def stored_cases(sim):
    return [line["case_no"] for line in sim.stored()]


@pytest.mark.parametrize("kept", [False, True])
def test_connections_that_die_before_and_after_storing(sim, lib, kept):
    earlier = f"GET /_sim/health HTTP/1.1\r\nHost: 127.0.0.1:{sim.port}\r\n\r\n".encode() if kept else b""
    expected = {
        "before_reset": (b"", "reset"),
        "before_close": (b"", "closed"),
        "before_hang": (b"", "silent"),
        "store_then_reset": (b"", "reset"),
        "store_then_close": (b"", "closed"),
        "store_then_hang": (b"", "silent"),
    }
    for kind, outcome in expected.items():
        strike(sim, kind)
        case = f"{kind}-{kept}"
        assert speak(sim, lib, lib.push(case=case), timeout=0.7, earlier=earlier) == outcome, kind
        assert (case in stored_cases(sim)) == kind.startswith("store"), kind
        assert sim.control("/_sim/faults")[0]["hits"] == 1
        # the same request again finds what really happened
        body = lib.push(case=case)
        status, _ = sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])
        assert status == (200 if kind.startswith("store") else 201), kind
    assert len(sim.stored()) == len(expected)


def test_half_an_answer_is_cut_in_the_body(sim, lib):
    strike(sim, "store_then_half")
    got, end = speak(sim, lib, lib.push())
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"HTTP/1.1 201" in head
    assert end == "closed"
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")
    )
    assert 0 < len(body) < length
    assert stored_cases(sim) == ["A-1"]


def test_a_status_comes_with_its_problem_and_stores_nothing(sim, lib):
    body = lib.push()
    for do, code, after in (
        ({"status": 429, "code": "throttled", "retry_after": 3}, "throttled", "3"),
        ({"status": 503, "code": "not-processed"}, "not-processed", None),
        ({"status": 401, "code": "signature-expired"}, "signature-expired", None),
    ):
        strike(sim, "status", **do)
        raw = lib.canonical(body)
        found = sim.raw(
            "POST", "/v1/pushes", raw, lib.signed("POST", "/v1/pushes", raw, own_id=body["own_id"])
        )
        assert (found.status, json.loads(found.body)["code"]) == (do["status"], code)
        assert found.headers["Retry-After"] == after
    strike(sim, "status", status=502)
    found = sim.raw("POST", "/v1/pushes", b"{}", {})
    assert (found.status, found.headers.get_content_type()) == (502, "text/html")
    assert sim.stored() == []


def test_answers_that_cannot_be_read(sim, lib):
    def answer(kind, case, **do):
        strike(sim, kind, **do)
        body = lib.push(case=case)
        raw = lib.canonical(body)
        return sim.raw(
            "POST", "/v1/pushes", raw, lib.signed("POST", "/v1/pushes", raw, own_id=body["own_id"])
        )

    html = answer("html200", "A-html")
    assert (html.status, html.headers.get_content_type()) == (200, "text/html")
    assert answer("html200", "A-html-stored", store=True).status == 200
    with pytest.raises(UnicodeDecodeError):
        answer("gbk", "A-gbk").body.decode()
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(answer("half_json", "A-half").body)
    assert b"NaN" in answer("nan", "A-nan").body
    with pytest.raises(RecursionError):
        json.loads(answer("deep", "A-deep").body)
    assert len(json.loads(answer("many", "A-many", items=1000).body)["items"]) == 1000
    expected = ["A-html-stored", "A-gbk", "A-half", "A-nan", "A-deep", "A-many"]
    assert stored_cases(sim) == expected


def test_answers_that_are_slow(sim, lib):
    strike(sim, "late", seconds=0.4)
    begun = time.monotonic()
    body = lib.push()
    assert sim.call("POST", "/v1/pushes", body, own_id=body["own_id"])[0] == 201
    assert time.monotonic() - begun >= 0.4
    strike(sim, "drip", seconds=0.005)
    got, end = speak(sim, lib, lib.push(case="A-2"), timeout=0.3, limit=210)
    begun = time.monotonic()
    assert end == "enough"
    assert b"201" in got
    strike(sim, "drip", seconds=30)
    got, end = speak(sim, lib, lib.push(case="A-3"), timeout=0.3)
    assert end == "silent"
    assert got.endswith(b"\r\n\r\n{")
    assert stored_cases(sim) == ["A-1", "A-2", "A-3"]


def test_answers_that_are_too_big(sim, lib):
    strike(sim, "huge", bytes=2 << 30)
    got, end = speak(sim, lib, lib.push(), limit=5_000_000)
    assert end == "enough"
    assert b"Content-Length: 2147483648" in got[:500]
    strike(sim, "gzip_bomb", bytes=512 << 20)
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=10)
    raw = lib.canonical(lib.push(case="A-2"))
    headers = lib.signed("POST", "/v1/pushes", raw, own_id=lib.push(case="A-2")["own_id"])
    connection.request("POST", "/v1/pushes", raw, headers)
    response = connection.getresponse()
    packed = response.read()
    connection.close()
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 2_000_000
    unpacker = zlib.decompressobj(31)
    assert len(unpacker.decompress(packed, 20_000_000)) == 20_000_000
    assert stored_cases(sim) == ["A-1", "A-2"]


def test_rules_choose_by_method_path_target_order_and_chance(sim, lib):
    def statuses(count):
        bodies = [lib.push(case=f"B-{n}") for n in range(count)]
        return [sim.call("POST", "/v1/pushes", b, own_id=b["own_id"])[0] for b in bodies]

    down = {"kind": "status", "status": 503, "code": "not-processed"}
    sim.faults({"match": {"path_regex": "^/v1/pushes$"}, "do": down, "after": 1, "times": 2})
    assert statuses(5) == [201, 503, 503, 201, 201]
    sim.faults({"match": {"method": "GET"}, "do": down})
    assert statuses(2) == [200, 201]
    sim.faults({"match": {"target": "B-1"}, "do": down})
    assert statuses(3) == [200, 503, 201]
    sim.faults({"do": down, "probability": 0.5, "seed": 4})
    once = statuses(12)
    assert 0 < once.count(503) < 12
    sim.faults({"do": down, "probability": 0.5, "seed": 4})
    assert [s == 503 for s in statuses(12)] == [s == 503 for s in once]
    assert sim.control("/_sim/faults")[0]["seen"] == 12
    sim.faults()
    assert 503 not in statuses(3)


def test_a_rule_chooses_by_the_connections_first_request_or_a_later_one(sim, lib):
    down = {"kind": "status", "status": 503, "code": "not-processed"}
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=10)

    def status(number):
        body = lib.push(case=f"K-{number}")
        raw = lib.canonical(body)
        connection.request(
            "POST", "/v1/pushes", raw, lib.signed("POST", "/v1/pushes", raw, own_id=body["own_id"])
        )
        response = connection.getresponse()
        response.read()
        return response.status

    sim.faults({"match": {"connection": "kept"}, "do": down})
    assert [status(n) for n in range(3)] == [201, 503, 503]
    connection.close()
    sim.faults({"match": {"connection": "fresh"}, "do": down})
    assert [status(n) for n in range(3, 6)] == [503, 201, 201]
    connection.close()


def test_a_page_that_moves_misses_a_record_once_at_most(simulator, world):
    lines = [{"at": "2026-03-01T00:00:00+08:00", "record": {"case_no": f"M-{n}"}} for n in range(8)]
    world(world={"seed": 1, "disorder": 0}, feed_cases=lines)
    sim = simulator("platform")
    sim.clock("2026-03-02T10:00:00+08:00")
    sim.faults({"do": {"kind": "shift", "most": 3}, "seed": 5})

    def numbers():
        status, page = sim.call("GET", "/v1/cases/changes?limit=10")
        assert status == 200
        return [item["case_no"] for item in page["items"]]

    everything = {f"M-{n}" for n in range(8)}
    seen = [numbers() for _ in range(6)]
    assert any(len(set(page)) < 8 for page in seen)
    assert any(len(page) > len(set(page)) for page in seen)
    missed = [number for page in seen for number in everything - set(page)]
    assert len(missed) == len(set(missed))


def test_every_kind_is_tried_here_or_with_the_gateway():
    tried = {
        "status", "before_reset", "before_close", "before_hang",
        "store_then_hang", "store_then_reset", "store_then_close", "store_then_half",
        "drip", "html200", "gbk", "half_json", "nan", "deep", "huge", "gzip_bomb", "many", "late",
        "no_receipt", "late_receipt", "early_receipt", "double_receipt", "unknown_receipt",
        "shift", "theirs",
    }  # fmt: skip
    assert tried == faults.KINDS
