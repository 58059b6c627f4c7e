"""What the answer to an effect proves: the table of documented problems, and everything that is none."""

import hashlib
import json

import pytest

from adapters.platform.client import PlatformClient
from adapters.problems import CODES
from models.domain.canonical import canonical, content_hash
from models.domain.errors import AlreadyDone, NotAdmitted, NotDone, OutcomeUnknown, Refused, Throttled

CONTENT = {"stage": "acceptance", "phone": "18000001999"}
OURS = content_hash(CONTENT)
OTHER = hashlib.sha256(b"other").hexdigest()
BODY = canonical({"own_id": "PS1", "content": CONTENT, "content_sha256": OURS})
RECEIPT = {"number": "TS1", "at": "2026-11-23T10:00:00+08:00", "account": "L1"}
TAKEN = {"receipt": RECEIPT, "content_sha256": OURS}
PROBLEM = "application/problem+json"


def problem(code, status, **more):
    return {"type": f"urn:shenguan:problem:{code}", "title": "x", "status": status, "code": code, **more}


@pytest.fixture
def pushed(talking):
    """The outcome of one push that is answered so: a receipt or the error; the server saw it once."""

    async def push(body=b"", *, channel="push", **how):
        async def do(connection, request):
            await connection.answer(body, **how)

        async with talking(do) as (exchange, server):
            client = PlatformClient(exchange)
            call = {"push": client.push, "recall": client.recall, "return": client.give_back}[channel]
            try:
                return await call("PS1", BODY)
            except (NotDone, OutcomeUnknown, Refused, AlreadyDone) as error:
                return error
            finally:
                assert [(r.method, r.body) for r in server.requests] == [("POST", BODY)]
                assert server.requests[0].headers["idempotency-key"] == "PS1"

    return push


@pytest.mark.parametrize(("status", "repeated"), [(201, False), (200, True)])
@pytest.mark.parametrize("channel", ["push", "recall", "return"])
async def test_a_receipt_with_our_hash(pushed, status, repeated, channel):
    receipt = await pushed(TAKEN | {"later": "fields"}, status=status, channel=channel)
    assert (receipt.number, receipt.account, receipt.repeated) == ("TS1", "L1", repeated)
    assert receipt.at.isoformat() == "2026-11-23T02:00:00+00:00"
    assert receipt.content_sha256 == OURS


@pytest.mark.parametrize("status", [200, 201])
async def test_a_receipt_with_another_hash_is_no_success(pushed, status):
    error = await pushed(TAKEN | {"content_sha256": OTHER}, status=status)
    assert isinstance(error, AlreadyDone)
    assert (error.stored_sha256, error.receipt_number) == (OTHER, "TS1")


async def test_an_answer_to_another_effect_says_nothing_of_ours(pushed):
    # Every department of a case is sent the same content: its hash alone names no effect.
    error = await pushed(TAKEN | {"own_id": "PS2"}, status=201)
    assert isinstance(error, OutcomeUnknown)
    receipt = await pushed(TAKEN | {"own_id": "PS1"}, status=201)
    assert receipt.number == "TS1"


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00"])
async def test_a_time_beyond_the_calendar_is_no_receipt(pushed, at):
    assert isinstance(await pushed(TAKEN | {"receipt": RECEIPT | {"at": at}}, status=201), OutcomeUnknown)


async def test_an_answer_that_contradicts_itself_proves_nothing(pushed):
    said = json.dumps(problem("content-conflict", 503)).encode()[:-1] + b',"code":"not-processed"}'
    assert isinstance(await pushed(said, status=503, kind=PROBLEM), OutcomeUnknown)
    twice = json.dumps(TAKEN).encode()[:-1] + b',"content_sha256":"' + OURS.encode() + b'"}'
    assert isinstance(await pushed(twice, status=201), OutcomeUnknown)


async def test_a_wait_until_a_day_that_no_calendar_has_is_no_wait(pushed):
    error = await pushed(
        problem("throttled", 429),
        status=429,
        kind=PROBLEM,
        retry_after="Mon, 01 Jan 2024 00:00:00 +99999999999999",
    )
    assert isinstance(error, Throttled)
    assert error.retry_after is None


MEANT = {
    (400, "malformed"): Refused,
    (404, "not-found"): NotDone,
    (405, "method-not-allowed"): NotDone,
    (409, "content-conflict"): AlreadyDone,
    (413, "too-large"): Refused,
    (415, "media-type"): Refused,
    (422, "rule-broken"): Refused,
    (429, "throttled"): Throttled,
    (503, "not-processed"): NotDone,
    (401, "signature-missing"): NotAdmitted,
    (401, "signature-invalid"): NotAdmitted,
    (401, "unknown-key"): NotAdmitted,
    (401, "signature-expired"): NotDone,
    (401, "nonce-replayed"): OutcomeUnknown,
}


def test_every_documented_code_is_tried():
    assert set(MEANT) == set(CODES)


@pytest.mark.parametrize(("status", "code"), sorted(MEANT))
async def test_a_documented_problem_is_believed(pushed, status, code):
    assert type(await pushed(problem(code, status), status=status, kind=PROBLEM)) is MEANT[status, code]


@pytest.mark.parametrize(("status", "code"), sorted(MEANT))
@pytest.mark.parametrize("how", ["html", "plain_json", "other_status", "unknown_code", "half", "nul", "nan"])
async def test_without_the_whole_proof_the_outcome_is_unknown(pushed, status, code, how):
    whole = json.dumps(problem(code, status)).encode()
    body, kind = whole, PROBLEM
    if how == "html":
        body, kind = b"<html>busy</html>", "text/html"
    elif how == "plain_json":
        kind = "application/json"
    elif how == "other_status":
        status = 500
    elif how == "unknown_code":
        body = json.dumps(problem("maintenance", status)).encode()
    elif how == "half":
        body = whole[:-5]
    elif how == "nul":
        body = whole[:-1] + rb',"stored_sha256":"\u0000"}'
    elif how == "nan":
        body = whole[:-1] + b',"x":NaN}'
    assert isinstance(await pushed(body, status=status, kind=kind), OutcomeUnknown)


async def test_a_conflict_names_the_hash_they_hold(pushed):
    said = problem("content-conflict", 409, stored_sha256=OTHER)
    assert (await pushed(said, status=409, kind=PROBLEM)).stored_sha256 == OTHER
    said["stored_sha256"] = "not a hash"
    assert (await pushed(said, status=409, kind=PROBLEM)).stored_sha256 is None


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7.0),
        ("99999999999", 86400.0),
        ("soon", None),
        ("-1", None),
        ("Thu, 01 Jan 2015 00:00:00 GMT", 0.0),
    ],
)
async def test_how_long_to_wait(pushed, asked, seconds):
    for status, code in ((429, "throttled"), (503, "not-processed")):
        error = await pushed(problem(code, status), status=status, kind=PROBLEM, retry_after=asked)
        assert getattr(error, "retry_after", None) == seconds


async def test_a_refusal_names_fields_and_rules_never_values(pushed):
    errors = [
        {"field": "target.department", "rule": "check-digit", "message": "18000001999"},
        {"field": "content[0].phone", "rule": "18000001999 is no phone", "message": "x"},
        {"field": 5},
        "x",
    ]
    error = await pushed(problem("rule-broken", 422, errors=errors), status=422, kind=PROBLEM)
    assert error.fields == ("target.department:check-digit", "content[0].phone:?", "?:?")
    assert "18000001999" not in str(error)


STRANGE = {
    "html": b"<!DOCTYPE html><html>please log in</html>",
    "half": json.dumps(TAKEN).encode()[:60],
    "nan": b'{"x":NaN,' + json.dumps(TAKEN).encode()[1:],
    "deep": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"," + json.dumps(TAKEN).encode()[1:],
    "gbk": '{"备注":"旧系统"'.encode("gbk") + b"," + json.dumps(TAKEN).encode()[1:],
    "empty": b"",
    "list": b"[]",
    "no_receipt": json.dumps({"content_sha256": OURS}).encode(),
    "no_hash": json.dumps({"receipt": RECEIPT}).encode(),
    "number_as_int": json.dumps(TAKEN | {"receipt": RECEIPT | {"number": 7}}).encode(),
    "naive_time": json.dumps(TAKEN | {"receipt": RECEIPT | {"at": "2026-11-23T10:00:00"}}).encode(),
    "short_hash": json.dumps(TAKEN | {"content_sha256": OURS[:10]}).encode(),
    "surrogate": b'{"x":"\\ud800",' + json.dumps(TAKEN).encode()[1:],
    "nul": json.dumps(TAKEN | {"receipt": RECEIPT | {"number": "TS1\0"}}).encode(),
    "huge": json.dumps(TAKEN | {"x": "y" * 2_000_000}).encode(),
}


@pytest.mark.parametrize("how", STRANGE)
@pytest.mark.parametrize("status", [200, 201])
async def test_success_that_cannot_be_read_is_unknown(pushed, how, status):
    assert isinstance(await pushed(STRANGE[how], status=status), OutcomeUnknown)


@pytest.mark.parametrize("status", [202, 204, 206, 301, 302, 307, 403, 418, 500, 502, 503, 504])
async def test_no_other_status_says_anything(pushed, status):
    body = b"" if status == 204 else TAKEN
    assert isinstance(await pushed(body, status=status), OutcomeUnknown)


async def test_a_packed_success_is_unknown(pushed):
    assert isinstance(await pushed(TAKEN, status=201, content_encoding="gzip"), OutcomeUnknown)


async def test_a_body_under_another_id_never_leaves(talking):
    async with talking(None) as (exchange, server):
        with pytest.raises(ValueError, match="own id"):
            await PlatformClient(exchange).push("PS2", BODY)
        assert server.connections == 0
