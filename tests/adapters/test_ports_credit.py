"""The credit system's contract, held to by whatever stands behind the port."""

import secrets
from datetime import date, datetime, timedelta, timezone
from hashlib import sha256

import pytest

from adapters.credit.client import CreditClient
from adapters.receipts import stored_rows
from adapters.values import ArrivalQuery, PartyQuery
from models.domain.canonical import canonical, content_hash
from models.domain.errors import Refused
from models.domain.keys import decision_key, own_id

CHINA = timezone(timedelta(hours=8))
COMPANY, AGENCY = "91430900MA4T000008", "11430900MB0000019K"
PARTIES = [
    {
        "id_number": COMPANY,
        "grade": "bad",
        "known": True,
        "records": [
            {
                "record_no": "SX1",
                "category": "严重失信主体名单",
                "measures": [{"code": "限制适用告知承诺", "basis": "国办发〔2020〕42号"}],
                "from": "2026-01-01",
                "to": "2029-01-01",
            }
        ],
    }
]


ARRIVALS = [
    {"at": f"{at}T09:00:00+08:00", "kind": "XK", "document_number": f"益审许字〔2026〕{number:06d}号"}
    for at, number in (("2026-01-05", 1), ("2126-01-05", 2))
]


@pytest.fixture(scope="module")
def credit(outside):
    return outside("credit", credit_parties=PARTIES, credit_arrivals=ARRIVALS)


@pytest.fixture
async def client(credit):
    async with credit.exchange("credit") as exchange:
        yield CreditClient(exchange)


def licence(number, version=1, **changed):
    """A report of a licence granted today, under the document number."""
    today = datetime.now(CHINA).date()
    record = {
        "XK_XDR_MC": "益阳某某食品有限公司",
        "XK_XDR_LB": "法人及非法人组织",
        "XK_XDR_SHXYM": COMPANY,
        "XK_FRDB": "张某某",
        "XK_XKWS": "准予行政许可决定书",
        "XK_WSH": number,
        "XK_XKLB": "普通",
        "XK_NR": "食品销售",
        "XK_JDRQ": today.isoformat(),
        "XK_YXQZ": today.isoformat(),
        "XK_YXQZI": date(2099, 12, 31).isoformat(),
        "XK_XKJG": "益阳市某局",
        "XK_XKJGDM": AGENCY,
        "XK_ZT": "1",
        "XK_LYDW": "益阳市某局",
        "XK_LYDWDM": AGENCY,
    } | changed
    key = decision_key("XK", number, "0123456789abcdef")
    made = own_id("credit_report", key, version)
    body = {"own_id": made, "business_key": key, "kind": "XK", "content_version": version, "record": record}
    return made, canonical(body | {"content_sha256": content_hash(record)})


@pytest.fixture
def number():
    """A document number nobody has used before."""
    return f"益市监许〔2026〕{secrets.token_hex(6)}号"


async def test_parties_are_answered_in_the_order_asked(credit, client):
    asked = [
        PartyQuery("b", "无记录公司", "统一社会信用代码", AGENCY),
        PartyQuery("a", "益阳某某食品有限公司", "统一社会信用代码", COMPANY),
    ]
    found = await client.query_parties(asked, purpose="acceptance", legal_basis="国办发〔2020〕42号")
    assert [answer.ref for answer in found] == ["b", "a"]
    assert all(answer.number and answer.checked_at.tzinfo for answer in found)
    if credit.ledger:
        assert [answer.grade for answer in found] == ["ordinary", "bad"]
        assert found[1].records[0].measures[0].basis == "国办发〔2020〕42号"


async def test_an_unlawful_query_is_refused(client):
    asked = [PartyQuery("a", "某", "统一社会信用代码", COMPANY)]
    with pytest.raises(Refused):
        await client.query_parties(asked, purpose="curiosity", legal_basis="无")


async def test_a_batch_of_good_broken_and_repeated_reports(credit, client, number):
    good = [licence(f"{number}-{n}") for n in range(20)]
    broken = licence(f"{number}-x", XK_XKJGDM="1" * 18)
    first = await client.report([*good[:10], broken, *good[10:]])
    assert [answer.own_id for answer in first] == [own for own, _ in [*good[:10], broken, *good[10:]]]
    assert first[10].code == "refused"
    assert any(field.startswith("XK_XKJGDM:") for field in first[10].fields)
    assert {answer.code for answer in first} - {"refused"} == {"accepted"}
    again = await client.report(good)
    assert {answer.code for answer in again} == {"duplicate"}
    numbers = {answer.own_id: answer.receipt.number for answer in first if answer.receipt}
    assert all(answer.stored_sha256 == answer.receipt.content_sha256 for answer in again)
    assert all(numbers[answer.own_id] == answer.receipt.number for answer in again)
    assert await client.find(broken[0]) is None
    held = await client.find(good[0][0])
    assert (held.receipt.number, held.content_sha256) == (numbers[held.own_id], again[0].stored_sha256)
    if (stored := credit.stored()) is not None:
        assert len({line["own_id"] for line in stored}) == len(stored)


async def test_a_duplicate_with_other_content_is_told_apart(client, number):
    (first,) = await client.report([licence(number)])
    (other,) = await client.report([licence(number, XK_NR="药品销售")])
    assert (other.code, other.receipt) == ("duplicate", None)
    assert other.stored_sha256 == (await client.find(first.own_id)).content_sha256
    (corrected,) = await client.report([licence(number, 2, XK_NR="药品销售")])
    assert corrected.code == "accepted"


async def test_a_decision_of_long_ago_is_late(client, number):
    (answer,) = await client.report([licence(number, XK_JDRQ="2020-01-02", XK_YXQZ="2020-01-02")])
    assert answer.code == "refused"
    assert any(field.endswith(":late") for field in answer.fields)


async def test_counts_and_records(client, number):
    (answer,) = await client.report([licence(number)])
    day = answer.receipt.at.astimezone(CHINA).date().isoformat()
    rows = {row.kind: row for row in await client.counts(day)}
    assert rows["XK"].count > 0
    page = await client.changed_records(None)
    assert page.next_cursor


async def test_the_list_behind_a_count_is_the_count(client, number):
    answers = await client.report([licence(f"{number}{n}") for n in range(3)])
    day = answers[0].receipt.at.astimezone(CHINA).date().isoformat()
    (row,) = [row for row in await client.counts(day) if row.kind == "XK"]
    cursor, behind, more = None, [], True
    while more:
        page = await client.effects(day, cursor, kind="XK", limit=2)
        behind += stored_rows(page, "credit")
        cursor, more = page.next_cursor, page.has_more
    assert {answer.own_id for answer in answers} <= {one.own_id for one in behind}
    lines = sorted(f"{one.own_id} {one.content_sha256}\n" for one in behind)
    assert (row.count, row.digest) == (len(behind), sha256("".join(lines).encode()).hexdigest())
    assert (await client.effects(day, None, kind="CF")).items == ()


async def test_arrivals_are_told_whoever_reported_and_only_once_they_are_there(client, number):
    asked = [
        ArrivalQuery("ours", "XK", number),
        ArrivalQuery("theirs", "XK", "益审许字〔2026〕000001号"),
        ArrivalQuery("later", "XK", "益审许字〔2026〕000002号"),
        ArrivalQuery("never", "CF", "益审许字〔2026〕000001号"),
    ]
    before = {one.ref: one.arrived_at for one in await client.arrivals(asked)}
    assert before["ours"] is None
    (answer,) = await client.report([licence(number)])
    found = await client.arrivals(asked)
    assert [one.ref for one in found] == ["ours", "theirs", "later", "never"]
    assert abs(found[0].arrived_at - answer.receipt.at) < timedelta(seconds=5)
    assert found[1].arrived_at == datetime(2026, 1, 5, 9, 0, tzinfo=CHINA)
    assert (found[2].arrived_at, found[3].arrived_at) == (None, None)
    with pytest.raises(ValueError, match="each once"):
        await client.arrivals([asked[0], asked[0]])
