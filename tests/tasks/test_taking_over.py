"""What a restored ledger plans anew meets the versions that the outside counted before."""

import json
from datetime import date

import pytest

from adapters.journal.lines import Entry
from models.domain.canonical import canonical, content_hash
from models.domain.keys import own_id
from tasks.planning import BODY_FIELD
from tasks.reconciliation.reconciling import reconcile_day, total
from tasks.reconciliation.sides import PlatformSide
from tasks.restore.taking_over import take_over, version_of
from tasks.steps import admit_cases, send_pushes
from tests.tasks.records import case, serial

TODAY = date(2026, 3, 10)


async def body_of(world, own):
    (row,) = await world.rows("SELECT body_sealed FROM effect_bodies WHERE own_id = %s", own)
    return json.loads(world.services.sealing.open_sealed(BODY_FIELD, own, row["body_sealed"]))


@pytest.fixture
async def planned(clean):
    """A push that was planned and has not left, as in a ledger that was just restored: its body."""
    await clean.arrive(case(serial()))
    await clean.run(admit_cases)
    return await body_of(clean, await clean.value("SELECT own_id FROM effects"))


def other(body, word):
    return body["content"] | {"contact": word}


async def there(world, body, *contents):
    """The outside got these contents in the lost hour, one version after the other; their own ids."""
    owns = []
    for version, content in enumerate(contents, 1):
        identity = own_id("push", body["business_key"], version)
        told = body | {"own_id": identity, "content_version": version, "content": content}
        told["content_sha256"] = content_hash(content)
        await world.services.platform.push(identity, canonical(told))
        owns.append(identity)
    return owns


async def taken(world, **given):
    side = PlatformSide(world.services.platform)
    number = await take_over(world.services, side, [TODAY], **given)
    return number, total(await reconcile_day(world.services, side, TODAY))


async def standing(world):
    rows = await world.rows(
        "SELECT content_version, content_sha256, state, reason FROM effects WHERE channel = 'push'"
        " ORDER BY content_version"
    )
    return [tuple(row.values()) for row in rows]


async def test_content_they_have_under_a_later_version_is_not_owed_again(clean, planned):
    older, newest = other(planned, "王拟旧"), planned["content"]
    owns = await there(clean, planned, older, newest)
    number, found = await taken(clean)
    assert number == 2
    assert (found["unexplained"], found["sent_again"], found["agreed"]) == (0, 0, 2)
    assert await standing(clean) == [
        (1, content_hash(older), "accepted", "taken_over"),
        (2, content_hash(newest), "accepted", "taken_over"),
    ]
    receipts = {line["own_id"]: line["receipt"]["number"] for line in clean.stored("platform")}
    ours = await clean.rows("SELECT own_id, receipt_number FROM effects")
    assert {row["own_id"]: row["receipt_number"] for row in ours} == receipts
    assert sorted(await clean.column("SELECT push_own_id FROM sms_news")) == sorted(owns)
    assert await clean.column("SELECT state FROM handovers") == ["claimed"]
    assert (await clean.run(send_pushes))["send_pushes"] == {}
    assert len(clean.stored("platform")) == 2
    assert (await taken(clean))[0] == 0, "safe to repeat"


async def test_newer_content_goes_under_the_version_after_theirs(clean, planned):
    older = other(planned, "王拟旧")
    await there(clean, planned, older)
    assert (await taken(clean))[0] == 1
    assert await standing(clean) == [
        (1, content_hash(older), "accepted", "taken_over"),
        (2, content_hash(planned["content"]), "planned", None),
    ]
    await clean.run(send_pushes)
    (_, second) = clean.stored("platform")
    assert second["own_id"] == own_id("push", planned["business_key"], 2)
    assert (second["content_version"], second["content"]) == (2, planned["content"])
    assert {state for _, _, state, _ in await standing(clean)} == {"accepted"}


async def test_what_went_back_to_an_earlier_content_is_adopted_as_that_and_not_sent(clean, planned):
    first = planned["content"]
    await there(clean, planned, first, other(planned, "王拟中"), first)
    number, found = await taken(clean)
    assert (number, found["adopted"], found["unexplained"]) == (2, 1, 0)
    assert [(version, state) for version, _, state, _ in await standing(clean)] == [
        (1, "accepted"),
        (2, "accepted"),
        (3, "accepted"),
    ]
    await clean.run(send_pushes)
    assert len(clean.stored("platform")) == 3


async def test_an_earlier_content_that_is_owed_after_theirs_goes_once_more(clean, planned):
    first = planned["content"]
    await there(clean, planned, first, other(planned, "王拟中"))
    number, found = await taken(clean)
    assert (number, found["adopted"]) == (1, 1)
    assert [(version, state) for version, _, state, _ in await standing(clean)] == [
        (1, "accepted"),
        (2, "accepted"),
        (3, "planned"),
    ]
    await clean.run(send_pushes)
    assert [line["content"] for line in clean.stored("platform")][-1] == first


async def test_what_was_taken_over_and_is_lost_there_is_a_persons(clean, planned):
    """Its bytes are not here: what lies under its id is other content, and must not go for it."""
    older = other(planned, "王拟旧")
    owns = await there(clean, planned, older, planned["content"])
    await taken(clean)
    clean.outside.control("platform", "lose", {"own_ids": owns[1:]})
    side = PlatformSide(clean.services.platform)
    found = total(await reconcile_day(clean.services, side, TODAY))
    assert (found["sent_again"], found["unexplained"]) == (0, 1)
    await clean.run(send_pushes)
    assert [line["own_id"] for line in clean.stored("platform")] == owns[:1]
    assert await clean.column("SELECT kind FROM incidents WHERE closed_at IS NULL") == [
        "reconcile_difference"
    ]


@pytest.mark.parametrize("known", ["journal", "declared", None])
async def test_a_key_the_ledger_does_not_know_is_ours_when_the_journal_says_so(clean, planned, known):
    await clean.run(send_pushes)
    strange = planned | {name: planned[name].replace("ZZ", "ZY", 1) for name in ("business_key", "case_no")}
    (own,) = await there(clean, strange, strange["content"])
    if known == "journal":
        journal = clean.services.guard._journal
        journal.append(journal.last, [Entry(own, 1)])
    number, found = await taken(clean, without_journal=known == "declared")
    assert (number, found["unexplained"]) == ((0, 1) if known is None else (1, 0))
    assert await clean.value("SELECT count(*) FROM effects WHERE own_id = %s", own) == number


async def test_what_was_tried_keeps_its_content(clean, planned):
    """The one way to write other content over an effect touches nothing that may have left."""
    own = planned["own_id"]
    await clean.run(send_pushes)
    await clean.change("UPDATE effects SET state = 'superseded' WHERE own_id = %s", own)
    await clean.change("SELECT take_over_content(ARRAY[%s], ARRAY[repeat('0', 64)])", own)
    (row,) = await clean.rows("SELECT content_sha256, state FROM effects")
    assert tuple(row.values()) == (planned["content_sha256"], "superseded")


def test_a_version_is_known_by_its_own_id_alone():
    key = "ZZ1|acceptance|D|S"
    assert version_of("push", key, own_id("push", key, 7)) == 7
    assert version_of("recall", key, own_id("push", key, 7)) is None
    assert version_of("push", key, own_id("push", "ZZ2|acceptance|D|S", 7)) is None
