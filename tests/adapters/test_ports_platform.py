"""The platform's contract, held to by whatever stands behind the port."""

import secrets
from datetime import datetime, timedelta, timezone

import pytest

from adapters.platform.client import PlatformClient
from adapters.signing import SCHEMES
from models.domain.canonical import canonical, content_hash
from models.domain.errors import AlreadyDone, NotDone, Refused, Unreadable
from models.domain.keys import feedback_return_key, own_id, push_key, recall_key

DEPARTMENT, ITEM = "11430900MB0000019K", "43090000000001"
CASES = [{"at": "2020-01-01T09:00:00+08:00", "record": {"case_no": f"P-{n}"}} for n in range(7)]
CHINA = timezone(timedelta(hours=8))


@pytest.fixture(scope="module")
def platform(outside):
    return outside("platform", feed_cases=CASES)


@pytest.fixture
async def client(platform):
    async with platform.exchange("platform") as exchange:
        yield PlatformClient(exchange)


@pytest.fixture
def case_no():
    """A case nobody has pushed before, so that the suite can run twice against one endpoint."""
    return f"T-{secrets.token_hex(8)}"


def effect(channel, key, version=1, **fields):
    content = fields.pop("content")
    made = own_id(channel, key, version)
    body = {"own_id": made, "business_key": key, "content_version": version, "content": content, **fields}
    return made, canonical(body | {"content_sha256": content_hash(content)})


def push(case_no, version=1, item_name="食品经营许可"):
    return effect(
        "push",
        push_key(case_no, "acceptance", DEPARTMENT, ITEM),
        version,
        stage="acceptance",
        case_no=case_no,
        target={"department": DEPARTMENT, "section": "s1", "supervision_item": ITEM},
        content={"stage": "acceptance", "item_name": item_name, "item_code": "X1"},
    )


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_every_signing_scheme_is_taken(platform, case_no, scheme):
    async with platform.exchange("platform", scheme) as exchange:
        client = PlatformClient(exchange)
        assert (await client.push(*push(case_no))).number
        assert await client.find("push", push(case_no)[0]) is not None


async def test_a_wrong_key_is_proven_not_done(platform, case_no):
    wrong = type(platform)(platform.url, platform.key_id, "another secret", platform.signing)
    async with wrong.exchange("platform") as exchange:
        with pytest.raises(NotDone):
            await PlatformClient(exchange).push(*push(case_no))
        with pytest.raises(NotDone):
            await PlatformClient(exchange).changed_cases(None)


async def test_a_push_repeated_is_stored_once(platform, client, case_no):
    own, body = push(case_no)
    assert await client.find("push", own) is None
    first, second = await client.push(own, body), await client.push(own, body)
    assert (first.repeated, second.repeated) == (False, True)
    assert (first.number, first.at, first.account) == (second.number, second.at, second.account)
    assert first.account
    held = await client.find("push", own)
    assert (held.business_key, held.content_sha256) == (
        push_key(case_no, "acceptance", DEPARTMENT, ITEM),
        first.content_sha256,
    )
    assert held.receipt.number == first.number
    if (stored := platform.stored()) is not None:
        assert [line["own_id"] for line in stored].count(own) == 1


async def test_other_content_under_the_same_id_is_a_conflict_with_the_stored_hash(client, case_no):
    receipt = await client.push(*push(case_no))
    with pytest.raises(AlreadyDone) as caught:
        await client.push(*push(case_no, item_name="药品经营许可"))
    assert caught.value.stored_sha256 == receipt.content_sha256
    assert not (await client.push(*push(case_no, 2, "药品经营许可"))).repeated


async def test_a_recall_and_a_return(client, case_no):
    pushed, body = push(case_no)
    await client.push(pushed, body)
    recall = effect(
        "recall",
        recall_key(case_no, DEPARTMENT, ITEM),
        case_no=case_no,
        target={"department": DEPARTMENT, "section": "s1", "supervision_item": ITEM},
        content={"case_no": case_no, "reason": "办件已作废", "withdraws": [pushed]},
    )
    assert (await client.recall(*recall)).number
    assert (await client.find("recall", recall[0])).own_id == recall[0]
    assert await client.find("push", recall[0]) is None
    given_back = effect(
        "return",
        feedback_return_key(f"F{case_no}", DEPARTMENT),
        kind="feedback",
        department=DEPARTMENT,
        case_no=case_no,
        content={
            "feedback_no": f"F{case_no}",
            "kind": "inspection",
            "happened_on": "2026-11-23",
            "result": "不符合",
        },
    )
    assert (await client.give_back(*given_back)).number
    assert (await client.give_back(*given_back)).repeated


async def test_a_broken_effect_is_refused_by_field(client, case_no):
    key = push_key(case_no, "acceptance", "1" * 18, ITEM)
    target = {"department": "1" * 18, "section": "s1", "supervision_item": ITEM}
    broken = effect(
        "push", key, stage="acceptance", case_no=case_no, target=target, content={"stage": "acceptance"}
    )
    with pytest.raises(Refused) as caught:
        await client.push(*broken)
    assert any(field.startswith("target.department:") for field in caught.value.fields)
    assert await client.find("push", broken[0]) is None


async def test_the_feed_read_to_its_end_by_its_own_cursors(platform, client):
    cursor, seen, pages = None, [], 0
    while pages < 1000:
        page = await client.changed_cases(cursor, limit=3)
        assert not [item.fault for item in page.items if item.fault]
        seen += [item.value["case_no"] for item in page.items]
        cursor, pages = page.next_cursor, pages + 1
        if not page.has_more:
            break
    if platform.ledger:
        assert set(seen) == {row["record"]["case_no"] for row in CASES}
        assert pages > 1
    again = await client.changed_cases(cursor, limit=3)
    assert again.has_more is False
    assert (await client.changed_feedback(None)).next_cursor


async def test_a_cursor_that_is_none_is_unreadable(client):
    with pytest.raises(Unreadable):
        await client.changed_cases("no cursor of theirs")


async def test_counts_agree_with_what_is_behind_them(client, case_no):
    own, body = push(case_no)
    receipt = await client.push(own, body)
    day = receipt.at.astimezone(CHINA).date().isoformat()
    assert abs(datetime.now(CHINA).date() - receipt.at.astimezone(CHINA).date()) < timedelta(days=36500)
    rows = [row for row in await client.counts(day) if (row.kind, row.department) == ("push", DEPARTMENT)]
    cursor, behind = None, []
    while True:
        page = await client.effects(day, cursor, kind="push", department=DEPARTMENT, limit=2)
        behind += [item.value for item in page.items]
        cursor = page.next_cursor
        if not page.has_more:
            break
    assert own in {line["own_id"] for line in behind}
    assert sum(row.count for row in rows) == len({line["own_id"] for line in behind})
    if len(rows) == 1:
        from hashlib import sha256

        lines = sorted(f"{line['own_id']} {line['content_sha256']}\n" for line in behind)
        assert rows[0].digest == sha256("".join(lines).encode()).hexdigest()
