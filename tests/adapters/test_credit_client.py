"""Batches: each report and each party for itself, in whatever order and shape the answers come."""

import json

import pytest

from adapters.credit.client import CreditClient
from adapters.values import PartyQuery
from models.domain.canonical import canonical, content_hash
from models.domain.errors import AlreadyDone, NotDone, OutcomeUnknown, Refused
from models.domain.keys import batch_id

PROBLEM = "application/problem+json"
OTHER = "f" * 64
RECEIPT = {"number": "XY1", "at": "2026-11-23T10:00:00+08:00"}


def report(own_id, **record):
    record = {"XK_WSH": own_id, "XK_XDR_MC": "某公司", **record}
    body = {"own_id": own_id, "kind": "XK", "record": record, "content_sha256": content_hash(record)}
    return own_id, canonical(body)


def ours(own_id):
    return json.loads(report(own_id)[1])["content_sha256"]


def row(own_id, code="accepted", **more):
    said = {"own_id": own_id, "code": code, "receipt": RECEIPT, "stored_sha256": ours(own_id), "errors": []}
    return said | more


@pytest.fixture
def reported(talking):
    """The answers about these own ids when the credit system answers with these rows."""

    async def ask(own_ids, rows, **how):
        async def do(connection, request):
            seen.append(request)
            await connection.answer(rows if isinstance(rows, bytes) else {"results": rows}, **how)

        seen = []
        async with talking(do, target="credit") as (exchange, _):
            try:
                return await CreditClient(exchange).report([report(own_id) for own_id in own_ids])
            finally:
                assert len(seen) == 1
                assert seen[0].headers["idempotency-key"] == batch_id(own_ids)
                sent = b'{"reports":[' + b",".join(report(own_id)[1] for own_id in own_ids) + b"]}"
                assert seen[0].body == sent

    return ask


async def test_answers_come_in_any_order(reported):
    answers = await reported(["CR1", "CR2", "CR3"], [row("CR3"), row("CR1"), row("CR2")])
    assert [answer.own_id for answer in answers] == ["CR1", "CR2", "CR3"]
    assert {answer.code for answer in answers} == {"accepted"}
    assert answers[0].receipt.content_sha256 == ours("CR1")
    assert [answer.finding("credit") for answer in answers] == [None] * 3


async def test_missing_doubled_strange_and_unreadable_answers_are_unknown(reported):
    rows = [
        row("CR2"),
        row("CR2"),
        row("CR9"),
        row("CR3", code="maybe"),
        row("CR4", receipt=None),
        7,
        row("CR5", receipt=RECEIPT | {"number": "XY1\0"}),
        row("CR6"),
    ]
    answers = await reported([f"CR{n}" for n in range(1, 7)], rows)
    assert [answer.code for answer in answers] == ["unknown"] * 5 + ["accepted"]
    assert all(isinstance(answer.finding("credit"), OutcomeUnknown) for answer in answers[:5])


async def test_duplicate_is_told_with_the_hash_they_hold(reported):
    rows = [
        row("CR1", "duplicate"),
        row("CR2", "duplicate", stored_sha256=OTHER),
        row("CR3", "duplicate", stored_sha256=None),
        row("CR4", stored_sha256=OTHER),
    ]
    mine, other, untold, contradiction = await reported(["CR1", "CR2", "CR3", "CR4"], rows)
    assert (mine.code, mine.stored_sha256, mine.receipt.repeated) == ("duplicate", ours("CR1"), True)
    assert (other.code, other.stored_sha256, other.receipt) == ("duplicate", OTHER, None)
    assert (untold.code, untold.stored_sha256) == ("duplicate", None)
    assert (contradiction.code, contradiction.stored_sha256) == ("duplicate", OTHER)
    assert mine.finding("credit").stored_sha256 == ours("CR1")
    assert isinstance(other.finding("credit"), AlreadyDone)


async def test_a_refused_one_names_its_fields(reported):
    errors = [{"field": "XK_JDRQ", "rule": "late", "message": "某公司"}]
    (answer,) = await reported(
        ["CR1"], [row("CR1", "refused", receipt=None, stored_sha256=None, errors=errors)]
    )
    assert (answer.code, answer.fields) == ("refused", ("XK_JDRQ:late",))
    assert isinstance(answer.finding("credit"), Refused)


@pytest.mark.parametrize(
    ("body", "how", "kind"),
    [
        (b"<html></html>", {}, OutcomeUnknown),
        (b'{"results":7}', {}, OutcomeUnknown),
        (b'{"results":[{"own_id":NaN}]}', {}, OutcomeUnknown),
        (b"", {"status": 500}, OutcomeUnknown),
        (b'{"code":"content-conflict"}', {"status": 409, "kind": PROBLEM}, OutcomeUnknown),
        (b'{"code":"rule-broken"}', {"status": 422, "kind": PROBLEM}, Refused),
        (b'{"code":"not-processed"}', {"status": 503, "kind": PROBLEM}, NotDone),
    ],
)
async def test_what_a_whole_batch_meets(reported, body, how, kind):
    with pytest.raises(kind):
        await reported(["CR1", "CR2"], body, **how)


@pytest.mark.parametrize("own_ids", [[], ["CR1", "CR1"], [f"CR{n}" for n in range(101)]])
async def test_a_batch_of_the_wrong_size_never_leaves(talking, own_ids):
    async with talking(None) as (exchange, server):
        with pytest.raises(ValueError, match="1 to 100"):
            await CreditClient(exchange).report([report(own_id) for own_id in own_ids])
        assert server.connections == 0


def party(ref):
    return PartyQuery(ref, "某公司", "统一社会信用代码", "91430900MA4L16JQ9B")


def credit_row(ref, **more):
    mark = {
        "record_no": "SX1",
        "category": "严重失信主体名单",
        "measures": [{"code": "限制适用告知承诺", "basis": "国办发〔2020〕42号"}],
        "from": "2026-01-01",
        "to": None,
    }
    told = {"ref": ref, "number": "CX1", "checked_at": "2026-11-23T10:00:00+08:00", "grade": "bad"}
    return told | {"records": [mark]} | more


async def test_parties(talking):
    async def do(connection, request):
        rows = [
            credit_row("r3"),
            credit_row("r2", grade="grey"),
            credit_row("r4"),
            credit_row("r4"),
            credit_row("r5", number="CX\0"),
            credit_row("r1"),
        ]
        await connection.answer({"results": rows})

    async with talking(do, target="credit") as (exchange, server):
        asked = [party(f"r{n}") for n in (1, 2, 3, 4, 5)]
        found = await CreditClient(exchange).query_parties(asked, purpose="acceptance", legal_basis="条例")
    assert [answer.ref for answer in found] == ["r1", "r3"]
    assert (found[0].grade, found[0].number) == ("bad", "CX1")
    mark = found[0].records[0]
    assert (mark.record_no, mark.valid_from.isoformat(), mark.valid_to) == ("SX1", "2026-01-01", None)
    assert mark.measures[0].code == "限制适用告知承诺"
    sent = json.loads(server.requests[0].body)
    assert (sent["purpose"], sent["legal_basis"], len(sent["parties"])) == ("acceptance", "条例", 5)
    assert "idempotency-key" not in server.requests[0].headers
    assert "某公司" not in repr(asked)
    assert "91430900" not in repr(asked)


async def test_a_refused_query_names_its_fields(talking):
    async def do(connection, request):
        errors = [{"field": "parties[0].name", "rule": "length"}]
        await connection.answer({"code": "rule-broken", "errors": errors}, status=422, kind=PROBLEM)

    async with talking(do, target="credit") as (exchange, _):
        with pytest.raises(Refused) as caught:
            await CreditClient(exchange).query_parties([party("r1")], purpose="acceptance", legal_basis="x")
    assert caught.value.fields == ("parties[0].name:length",)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00"])
async def test_a_time_beyond_the_calendar_spoils_its_own_row_only(reported, at):
    answers = await reported(["CR1", "CR2"], [row("CR1", receipt=RECEIPT | {"at": at}), row("CR2")])
    assert [answer.code for answer in answers] == ["unknown", "accepted"]


async def test_a_row_that_says_a_name_twice_says_nothing_and_spoils_no_other(reported):
    twice = json.dumps(row("CR1")).encode()[:-1] + b',"code":"refused"}'
    rows = b'{"results":[' + twice + b"," + json.dumps(row("CR2")).encode() + b"]}"
    answers = await reported(["CR1", "CR2"], rows)
    assert [answer.code for answer in answers] == ["unknown", "accepted"]
