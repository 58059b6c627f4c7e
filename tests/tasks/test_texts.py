"""Texts to liaisons: when, to whom, how many, and what never stands in one."""

from datetime import timedelta

import pytest

from models.ledger.queries import clock
from tasks.city_loading import load_city_into
from tasks.steps import admit_cases, match_receipts, send_pushes, tell_liaisons, text_rules
from tests.tasks.records import CHEMICALS, CLINICS, NOW, case, granted, party, serial


async def pushed(world, *records):
    await world.arrive(*records)
    await world.run(admit_cases, send_pushes)


async def minutes_later(world, minutes):
    await world.at(NOW + timedelta(minutes=minutes))
    await world.run(tell_liaisons, match_receipts)


@pytest.fixture
def person(world, city, people):
    """`await person(section, **changes)`: another person, or another phone, for a section."""
    roster = {}

    def add(one):
        roster[one["department"], one["section"], one["rank"], one["valid_from"]] = one

    for one in people:
        add(one)

    async def change(section, **changes):
        base = next(one for one in people if one["section"] == section)
        person = base | {"id": f"LY{changes.get('rank', 1)}"} | changes
        add(person)
        services = world.services
        await load_city_into(services.ledger, services.sealing, city, list(roster.values()))
        return person

    return change


def phone_of(people, section):
    return next(one["phone"] for one in people if one["section"] == section)


async def test_the_first_text_goes_at_once_and_more_news_waits_for_the_digest(world, people):
    await pushed(world, case(serial()))
    await world.run(tell_liaisons)
    (first,) = world.stored("sms")
    assert first["target"] == phone_of(people, "dispatch")
    assert "受理" in first["content"]["content"]
    await pushed(world, case(serial()))
    await minutes_later(world, 10)
    await pushed(world, granted(serial(), version=1))
    await minutes_later(world, 29)
    assert len(world.stored("sms")) == 1, "within the window nothing more"
    await minutes_later(world, 30)
    _, digest = world.stored("sms")
    assert "2件" in digest["content"]["content"]
    assert "受理1件" in digest["content"]["content"]
    assert await world.column("SELECT news_count FROM sms_texts ORDER BY planned_business") == [1, 2]
    assert await world.column("SELECT DISTINCT state FROM sms_news") == ["folded"]


async def test_texts_wait_for_the_morning_unless_the_item_is_urgent(world):
    await world.at(NOW.replace(hour=20, minute=30))
    await pushed(world, case(serial()))
    await world.run(tell_liaisons)
    assert world.stored("sms") == []
    await pushed(world, case(serial(), item=CHEMICALS))
    await world.run(tell_liaisons)
    assert len(world.stored("sms")) == 2, "the two departments of the urgent item"
    await world.at(NOW.replace(hour=7, minute=59) + timedelta(days=1))
    await world.run(tell_liaisons)
    assert len(world.stored("sms")) == 2
    await world.at(NOW.replace(hour=8, minute=0) + timedelta(days=1))
    await world.run(tell_liaisons)
    assert len(world.stored("sms")) == 3


async def test_no_phone_gets_more_texts_a_day_than_its_cap(world):
    cap = text_rules(world.services).daily_cap
    begin = NOW.replace(hour=8)
    for turn in range(cap + 1):
        await world.at(begin + timedelta(minutes=30 * turn))
        await pushed(world, case(serial()))
        await world.run(tell_liaisons)
    assert len(world.stored("sms")) == cap
    assert await world.value("SELECT count(*) FROM sms_news WHERE state = 'waiting'") == 1
    await world.at(begin + timedelta(days=1))
    await world.run(tell_liaisons)
    assert len(world.stored("sms")) == cap + 1


async def test_news_for_a_section_without_a_phone_stands_in_front_of_a_person(world, person):
    await person("dispatch", phone=None)
    await pushed(world, case(serial()))
    await world.run(tell_liaisons)
    assert world.stored("sms") == []
    (news,) = await world.rows("SELECT state, owner, due_at FROM sms_news")
    assert (news["state"], bool(news["owner"]), news["due_at"] > NOW) == ("no_phone", True, True)
    await person("dispatch", phone="15477777777")
    await minutes_later(world, 5)
    assert [text["target"] for text in world.stored("sms")] == ["15477777777"]
    assert await world.rows("SELECT state, owner, due_at FROM sms_news") == [
        {"state": "folded", "owner": None, "due_at": None}
    ]


async def test_without_a_phone_the_backup_is_told(world, person):
    await person("dispatch", phone=None)
    await person("dispatch", phone="15466666666", rank=2)
    await pushed(world, case(serial()))
    await world.run(tell_liaisons)
    assert [text["target"] for text in world.stored("sms")] == ["15466666666"]


async def test_news_of_a_text_the_gateway_refused_waits_for_another_phone(world, person):
    await person("dispatch", phone="09999999999")
    await pushed(world, case(serial()))
    await world.run(tell_liaisons, match_receipts)
    assert await world.column("SELECT state FROM effects WHERE channel = 'sms'") == ["refused"]
    await minutes_later(world, 60)
    assert await world.column("SELECT state FROM sms_news") == ["no_phone"]
    assert await world.column("SELECT state FROM effects WHERE channel = 'sms'") == ["refused"]
    await person("dispatch", phone="15477777777")
    await minutes_later(world, 5)
    assert [text["target"] for text in world.stored("sms")] == ["15477777777"]
    assert await world.column("SELECT state FROM sms_news") == ["folded"]


async def test_whoever_has_left_is_not_told(world, person):
    await person("dispatch", valid_to="2026-03-09")
    await person("dispatch", phone="15455555555", valid_from="2026-03-10")
    await pushed(world, case(serial()))
    await world.run(tell_liaisons)
    assert [text["target"] for text in world.stored("sms")] == ["15455555555"]


async def test_whoever_has_not_begun_is_not_told(world, person, people):
    await person("dispatch", phone="15444444444", valid_from="2026-03-11")
    await pushed(world, case(serial()))
    await world.run(tell_liaisons)
    assert [text["target"] for text in world.stored("sms")] == [phone_of(people, "dispatch")]


async def test_one_phone_of_two_sections_gets_one_text_that_names_both(world, people):
    city = world.services.city
    health = city.route(city.item(CLINICS).duties[0], "430903")
    both = [(health.code, "medical"), (health.code, "public")]
    shared = [
        one | {"phone": "15433333333"} if (one["department"], one["section"]) in both else one
        for one in people
    ]
    await load_city_into(world.services.ledger, world.services.sealing, city, shared)
    await pushed(world, case(serial(), item=CLINICS))
    await world.run(tell_liaisons)
    (text,) = world.stored("sms")
    assert text["target"] == "15433333333"
    for section in ("medical", "public"):
        assert health.section(section).name in text["content"]["content"]


async def test_every_text_has_its_own_reference_and_names_nobody(world):
    numbers = [serial() for _ in range(5)]
    for turn, number in enumerate(numbers):
        await world.at(NOW + timedelta(minutes=31 * turn))
        await pushed(world, granted(number, version=1))
        await world.run(tell_liaisons)
    texts = [text["content"]["content"] for text in world.stored("sms")]
    assert len(texts) == len(set(texts)) == 5
    references = await world.column("SELECT reference FROM sms_texts")
    assert all(any(reference in text for text in texts) for reference in references)
    for number in numbers:
        about = party(number)
        said = [about["name"], about["id_number"], about["phone"], about["legal_person"], about["contact"]]
        said += [about["address"], case(number)["case_no"], granted(number)["licence_number"]]
        assert not [word for word in said for text in texts if word in text]


async def test_an_undelivered_text_is_said_so(world, mailbox):
    await pushed(world, case(serial()))
    await world.faults("sms", {"match": {"path_regex": "^/sms"}, "do": {"kind": "no_receipt"}})
    await world.run(tell_liaisons)
    (text,) = world.stored("sms")
    report = {"reportStatus": "UNDELIV", "mobile": text["target"], "submitDate": "20260310100000"}
    report |= {"receiveDate": "20260310100005", "errorCode": "DB:0140", "msgGroup": text["receipt"]}
    await world.post(mailbox.url, report)
    await world.run(match_receipts)
    assert await world.column("SELECT state FROM effects WHERE channel = 'sms'") == ["undelivered"]
    await world.post(mailbox.url, report | {"reportStatus": "DELIVRD", "errorCode": "0"})
    await world.run(match_receipts)
    assert await world.column("SELECT state FROM effects WHERE channel = 'sms'") == ["undelivered"]


async def test_a_report_for_another_phone_or_group_proves_nothing(world, mailbox, monkeypatch):
    await pushed(world, case(serial()))
    await world.faults("sms", {"match": {"path_regex": "^/sms"}, "do": {"kind": "no_receipt"}})
    await world.run(tell_liaisons)
    (text,) = world.stored("sms")
    report = {"reportStatus": "DELIVRD", "mobile": "15400000000", "submitDate": "20260310100000"}
    report |= {"receiveDate": "20260310100005", "errorCode": "0", "msgGroup": text["receipt"]}
    await world.post(mailbox.url, report)
    await world.post(mailbox.url, report | {"mobile": text["target"], "msgGroup": "1" * 22})
    await world.run(match_receipts)
    assert await world.column("SELECT state FROM effects WHERE channel = 'sms'") == ["accepted"]
    async with world.services.ledger.reading() as conn:
        assert await clock.business_now(conn) == NOW
    assert await world.value("SELECT count(*) FROM inbox WHERE kind = 'sms_receipt'") == 2
    monkeypatch.setattr("tasks.receipts.PATIENCE", timedelta(0))
    await world.run(match_receipts)
    assert await world.column("SELECT outcome FROM inbox WHERE kind = 'sms_receipt'") == ["stale"] * 2
