"""A held text: two persons let it go once more, or a proof comes late."""

from datetime import timedelta

import pytest

from models.ledger.queries.effects import ask_release, release_held
from models.ledger.queries.texts import take_back
from tasks.steps import admit_cases, match_receipts, send_pushes, tell_liaisons, text_rules
from tasks.texting import plan_texts
from tests.tasks.records import NOW, case, serial

TEXTS = {"path_regex": "^/sms"}


async def held(world, *, kind="before_reset", told_at=NOW + timedelta(minutes=61)):
    """One text whose outcome stayed unknown; its own id."""
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    await world.faults("sms", {"match": TEXTS, "do": {"kind": kind}, "times": 1})
    await world.run(tell_liaisons)
    await world.at(told_at)
    await world.run(match_receipts)
    return await world.value("SELECT own_id FROM effects WHERE channel = 'sms' AND state = 'held'")


async def released(world, own_id):
    """Two persons let it go."""
    async with world.services.ledger.writing() as conn:
        await ask_release(conn, own_id, "张工")
        assert await release_held(conn, own_id, confirmed_by="李工", send_after=world.now)
        await take_back(conn, own_id)


async def test_a_released_text_takes_back_the_news_nobody_was_told_since(world):
    own_id = await held(world)
    await released(world, own_id)
    assert await world.column("SELECT sms_own_id FROM sms_news WHERE state = 'folded'") == [own_id]
    await world.run(tell_liaisons, tell_liaisons)
    (text,) = world.stored("sms")
    tries = await world.rows("SELECT attempt, outcome FROM effect_attempts WHERE own_id = %s", own_id)
    assert tries == [{"attempt": 1, "outcome": "unknown"}, {"attempt": 2, "outcome": "accepted"}]
    assert await world.value("SELECT receipt_number FROM effects WHERE channel = 'sms'") == text["receipt"]


async def test_two_texts_for_one_phone_leave_one_after_the_other(world):
    own_id = await held(world)
    await world.run(tell_liaisons)
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    await world.at(NOW + timedelta(minutes=200))
    services = world.services
    await plan_texts(
        services.ledger, services.sealing, services.city, services.calendar, text_rules(services)
    )
    await released(world, own_id)
    assert await world.value("SELECT count(*) FROM effects WHERE channel = 'sms' AND state = 'planned'") == 2
    await world.run(tell_liaisons)
    assert len(world.stored("sms")) == 3
    assert not {"planned", "unknown"} & set(
        await world.column("SELECT state FROM effects WHERE channel = 'sms'")
    )


@pytest.mark.parametrize("sent_on", [False, True])
async def test_a_late_proof_ends_the_hold_and_is_shown_in_the_case(world, mailbox, sent_on):
    night = NOW.replace(hour=19, minute=30)
    await world.at(night)
    own_id = await held(world, kind="store_then_reset", told_at=night + timedelta(minutes=61))
    (text,) = world.stored("sms")
    if sent_on:
        await world.at(night + timedelta(days=1))
        await world.run(tell_liaisons)
    # The gateway's number becomes known by their own search, and with it the receipt finds its text.
    await world.change("UPDATE effects SET receipt_number = %s WHERE own_id = %s", text["receipt"], own_id)
    report = {"reportStatus": "DELIVRD", "mobile": text["target"], "submitDate": "20260310100000"}
    report |= {"receiveDate": "20260310100005", "errorCode": "0", "msgGroup": text["receipt"]}
    await world.post(mailbox.url, report)
    await world.run(match_receipts)
    assert await world.value("SELECT state FROM effects WHERE own_id = %s", own_id) == "delivered"
    (told,) = await world.rows("SELECT * FROM history WHERE entity_id = %s AND from_state = 'held'", own_id)
    assert (told["to_state"], told["reason"]) == ("delivered", "late_proof")
    assert told["case_id"] == await world.value("SELECT id FROM cases")
    await world.at(night + timedelta(days=2))
    await world.run(tell_liaisons)
    assert len(world.stored("sms")) == (2 if sent_on else 1), "what was told already is not told again"
