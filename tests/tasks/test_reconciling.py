"""Reconciliation: equal days cost two questions, and each kind of difference has its own end."""

import asyncio
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from adapters.journal.lines import Entry
from adapters.values import RawItem
from flows.cli_status import lines
from models.domain.canonical import canonical, content_hash
from models.domain.errors import NotDone, Unreadable
from models.domain.keys import own_id
from tasks.planning import BODY_FIELD
from tasks.reconciliation.reconciled import reconcile, sentences, told
from tasks.reconciliation.reconciling import reconcile_day, reconcile_texts, total
from tasks.reconciliation.sides import CreditSide, PlatformSide
from tasks.standing import read_status
from tasks.steps import (
    admit_cases,
    claim,
    match_receipts,
    recover,
    send_pushes,
    send_reports,
    tell_liaisons,
)
from tests.tasks.records import FOOD, NOW, case, granted, serial

TODAY = date(2026, 3, 10)
DECLARED = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text("utf-8"))["deployments"]


class Counted:
    """A side that counts what it is asked."""

    def __init__(self, side):
        self._side, self.pages, self.looks = side, 0, 0
        self.name, self.channels, self.counts = side.name, side.channels, side.counts

    async def page(self, day, group, cursor):
        self.pages += 1
        return await self._side.page(day, group, cursor)

    async def find(self, channel, own):
        self.looks += 1
        return await self._side.find(channel, own)


async def platform(world, day=TODAY):
    side = Counted(PlatformSide(world.services.platform))
    return await reconcile_day(world.services, side, day), side


async def credit(world, day=TODAY):
    side = Counted(CreditSide(world.services.credit))
    return await reconcile_day(world.services, side, day), side


def apart(rows):
    return {name: count for name, count in total(rows).items() if count}


@pytest.fixture
async def clean(world):
    """A world in which the outside holds nothing of this day that is not ours."""
    for kind in ("platform", "credit"):
        there = [line["own_id"] for line in world.outside.stored(kind)]
        await asyncio.to_thread(world.outside.control, kind, "lose", {"own_ids": there})
    world._before = {kind: len(world.outside.stored(kind)) for kind in world._before}
    return world


async def sent(world, number=3):
    await world.arrive(*(case(serial(), item=FOOD) for _ in range(number)))
    await world.run(admit_cases, send_pushes, claim)
    return await world.column("SELECT own_id FROM effects WHERE channel = 'push' ORDER BY own_id")


async def body_of(world, own):
    (row,) = await world.rows("SELECT body_sealed FROM effect_bodies WHERE own_id = %s", own)
    return json.loads(world.services.sealing.open_sealed(BODY_FIELD, own, row["body_sealed"]))


async def test_days_that_agree_are_not_paged(clean):
    await sent(clean, 4)
    number = serial()
    await clean.arrive(case(number), granted(number))
    await clean.run(admit_cases, send_pushes, send_reports)
    rows, side = await platform(clean)
    assert (side.pages, side.looks) == (0, 0)
    assert apart(rows) == {"ours": 10, "theirs": 10, "agreed": 10}
    assert {(row.kind, row.stage) for row in rows} == {("push", "acceptance"), ("push", "completion")}
    assert len({row.department for row in rows}) > 2
    rows, side = await credit(clean)
    assert (side.pages, apart(rows)) == (0, {"ours": 1, "theirs": 1, "agreed": 1})
    assert await clean.value("SELECT sum(agreed) FROM reconciled_days") == 11


async def test_what_only_the_answer_was_lost_of_is_adopted_and_brings_what_an_acceptance_brings(clean):
    await clean.arrive(case(serial()))
    await clean.run(admit_cases)
    await clean.faults(
        "platform", {"match": {"method": "POST"}, "do": {"kind": "store_then_close"}, "times": 1}
    )
    await clean.run(send_pushes)
    assert await clean.column("SELECT state FROM effects") == ["unknown"]
    rows, side = await platform(clean)
    assert apart(rows) == {"ours": 1, "theirs": 1, "agreed": 1, "adopted": 1}
    (stored,) = clean.stored("platform")
    (row,) = await clean.rows("SELECT state, reason, receipt_number FROM effects")
    assert row == {"state": "accepted", "reason": "adopted", "receipt_number": stored["receipt"]["number"]}
    assert await clean.column("SELECT state FROM handovers") == ["pushed"]
    assert await clean.value("SELECT count(*) FROM sms_news") == 1
    assert await clean.column("SELECT reason FROM history WHERE event = 'adopted'") == ["adopted"]
    rows, side = await platform(clean)
    assert (side.pages, apart(rows)) == (0, {"ours": 1, "theirs": 1, "agreed": 1})


@pytest.mark.parametrize("kind", ["platform", "credit"])
async def test_a_receiver_that_lost_a_record_after_its_receipt_is_found_and_gets_it_again(clean, kind):
    number = serial()
    await clean.arrive(case(number), granted(number))
    await clean.run(admit_cases, send_pushes, send_reports, claim)
    channel = {"platform": "push", "credit": "credit_report"}[kind]
    (lost, *_) = await clean.column("SELECT own_id FROM effects WHERE channel = %s ORDER BY stage", channel)
    told = await asyncio.to_thread(clean.outside.control, kind, "lose", {"own_ids": [lost]})
    assert told == {"lost": 1}
    rows, side = await (platform if kind == "platform" else credit)(clean)
    assert (total(rows)["sent_again"], total(rows)["agreed"]) == (1, total(rows)["ours"] - 1)
    assert side.looks == 1
    (row,) = await clean.rows("SELECT state, reason FROM effects WHERE own_id = %s", lost)
    assert row == {"state": "planned", "reason": "lost_there"}
    await clean.run(send_pushes, send_reports)
    assert [line["own_id"] for line in clean.stored(kind)].count(lost) == 1
    assert await clean.value("SELECT state FROM effects WHERE own_id = %s", lost) == "accepted"
    assert await clean.value("SELECT count(*) FROM sms_news WHERE push_own_id = %s", lost) <= 1
    rows, side = await (platform if kind == "platform" else credit)(clean)
    assert (side.pages, total(rows)["agreed"]) == (0, total(rows)["ours"])


async def test_a_lost_older_content_does_not_go_after_a_newer(clean):
    number = serial()
    await clean.arrive(case(number))
    await clean.run(admit_cases, send_pushes)
    first = await clean.value("SELECT own_id FROM effects")
    await clean.arrive(
        case(number, version=2, content="另有说明", party={**case(number)["party"], "contact": "王拟改"})
    )
    await clean.run(admit_cases)
    assert await clean.value("SELECT count(*) FROM effects WHERE state = 'planned'") == 1
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [first]})
    rows, _ = await platform(clean)
    assert total(rows)["sent_again"] == 0
    assert await clean.value("SELECT state FROM effects WHERE own_id = %s", first) == "superseded"
    await clean.run(send_pushes)
    assert [line["content_version"] for line in clean.stored("platform")] == [2]


async def test_a_receipt_near_midnight_is_no_difference_on_either_side(clean):
    await sent(clean, 1)
    # Our note of their time is a breath later than the day they counted it on.
    await clean.change("UPDATE effects SET receipt_at = receipt_at + interval '14 hours 1 minute'")
    today, _ = await platform(clean)
    assert apart(today) == {"ours": 2, "theirs": 2, "agreed": 2}
    tomorrow, _ = await platform(clean, TODAY + timedelta(days=1))
    assert apart(tomorrow) == {"ours": 2, "agreed": 2}
    assert await clean.value("SELECT count(*) FROM incidents") == 0
    assert await clean.column("SELECT DISTINCT state FROM effects") == ["accepted"]


@pytest.mark.parametrize("said", ["2099-01-01", "1999-01-01"])
async def test_a_receipt_of_another_age_hides_no_loss(clean, said):
    lost, *_ = await sent(clean, 1)
    await clean.change("UPDATE effects SET receipt_at = %s WHERE own_id = %s", said, lost)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [lost]})
    rows, _ = await platform(clean)
    assert apart(rows) == {"ours": 2, "theirs": 1, "agreed": 1, "sent_again": 1}
    assert await clean.value("SELECT reason FROM effects WHERE own_id = %s", lost) == "lost_there"


async def test_what_is_adopted_weeks_later_is_counted_on_the_day_they_count_it(clean):
    await clean.arrive(case(serial()))
    await clean.run(admit_cases)
    await clean.faults(
        "platform", {"match": {"method": "POST"}, "do": {"kind": "store_then_close"}, "times": 1}
    )
    await clean.run(send_pushes)
    await clean.at(NOW + timedelta(days=20))
    rows, _ = await platform(clean)
    assert total(rows)["adopted"] == 1
    rows, side = await platform(clean)
    assert (side.pages, apart(rows)) == (0, {"ours": 1, "theirs": 1, "agreed": 1})


async def test_what_nobody_can_explain_is_one_incident_a_kind_and_department(clean):
    own, *_ = await sent(clean, 1)
    body = await body_of(clean, own)
    stranger = own_id("push", body["business_key"], 9)
    made = body | {"own_id": stranger, "content_version": 9}
    await clean.services.platform.push(stranger, canonical(made))
    rows, _ = await platform(clean)
    assert total(rows)["unexplained"] == 1
    (incident,) = await clean.rows("SELECT * FROM incidents")
    department = body["target"]["department"]
    assert (incident["kind"], incident["key"], incident["count"]) == (
        "reconcile_difference",
        f"platform|push|{department}",
        1,
    )
    assert incident["owner"]
    assert incident["due_at"] > NOW
    await platform(clean)
    assert await clean.column("SELECT count FROM incidents") == [1], "asked again, it counts no more"
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [stranger]})
    await platform(clean)
    assert await clean.value("SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0


async def test_what_the_journal_remembers_is_no_stranger(clean):
    """A case that was pushed and withdrawn after the backup: the restored ledger never learns of its push."""
    own, *_ = await sent(clean, 1)
    body = await body_of(clean, own)
    forgotten = own_id("push", body["business_key"], 9)
    journal = clean.services.guard._journal
    journal.append(journal.last, [Entry(forgotten, 1)])
    await clean.services.platform.push(
        forgotten, canonical(body | {"own_id": forgotten, "content_version": 9})
    )
    rows, _ = await platform(clean)
    assert apart(rows) == {"ours": 2, "theirs": 3, "agreed": 2}
    assert await clean.value("SELECT count(*) FROM incidents") == 0


async def test_other_content_under_our_id_is_never_adopted_nor_sent_again(clean):
    own, *_ = await sent(clean, 1)
    body = await body_of(clean, own)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [own]})
    content = body["content"] | {"item_name": "另一事项"}
    await clean.services.platform.push(
        own, canonical(body | {"content": content, "content_sha256": content_hash(content)})
    )
    before = await clean.rows("SELECT own_id, state, receipt_number FROM effects ORDER BY own_id")
    rows, _ = await platform(clean)
    found = total(rows)
    assert (found["unexplained"], found["adopted"], found["sent_again"]) == (1, 0, 0)
    assert await clean.rows("SELECT own_id, state, receipt_number FROM effects ORDER BY own_id") == before


class Listing(Counted):
    """A side whose lists and counts are changed on their way here."""

    def __init__(self, side, *, rows=lambda rows: rows, count=lambda row: row):
        super().__init__(side)
        self._rows, self._count = rows, count
        self.counts = self._counted

    async def _counted(self, day):
        return tuple(self._count(row) for row in await self._side.counts(day))

    async def page(self, day, group, cursor):
        page = await super().page(day, group, cursor)
        return replace(page, items=self._rows(page.items))


def twice_the_first(rows):
    return rows[:1] + rows


async def listing(world, **changed):
    side = Listing(PlatformSide(world.services.platform), **changed)
    return await reconcile_day(world.services, side, TODAY)


async def test_a_record_they_hold_twice_is_a_difference_for_a_person(clean):
    await sent(clean, 4)
    agreeing, _ = await platform(clean)
    rows = await listing(
        clean, rows=twice_the_first, count=lambda row: replace(row, count=row.count + 1, digest="f" * 64)
    )
    assert [(row.ours, row.theirs, row.agreed, row.unexplained) for row in rows] == [
        (row.ours, row.ours + 1, row.ours, 1) for row in agreeing
    ]
    assert await clean.value("SELECT count(*) FROM incidents WHERE closed_at IS NULL") == len(rows)


async def test_a_record_listed_again_stands_for_no_lost_one(clean):
    lost, *_ = await sent(clean, 4)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [lost]})
    rows = await listing(clean, rows=twice_the_first)
    assert apart(rows) == {"ours": 8, "theirs": 7, "agreed": 7, "sent_again": 1}


async def test_a_list_shorter_than_its_count_and_a_digest_of_something_else_are_differences(clean):
    await sent(clean, 4)
    groups = len((await platform(clean))[0])
    rows = await listing(clean, rows=lambda rows: rows[1:], count=lambda row: replace(row, digest="f" * 64))
    assert apart(rows) == {"ours": 8, "theirs": 8, "agreed": 8, "unexplained": groups}
    rows = await listing(clean, count=lambda row: replace(row, digest="f" * 64))
    assert apart(rows) == {"ours": 8, "theirs": 8, "agreed": 8, "unexplained": groups}
    rows, _ = await platform(clean)
    assert apart(rows) == {"ours": 8, "theirs": 8, "agreed": 8}


class Endless(Listing):
    """A receiver whose list says that more comes, for ever."""

    def __init__(self, side, turn):
        super().__init__(side, count=lambda row: replace(row, digest="f" * 64))
        self._turn = turn

    async def page(self, day, group, cursor):
        page = await super().page(day, group, None)
        return replace(page, has_more=True, **self._turn(self.pages, page.items))


def other_rows(number, items):
    """As many as make a page, none of which was there before."""
    value = json.loads(items[0].raw)
    made = [value | {"own_id": f"PSX{number:05d}{n:04d}"} for n in range(5000)]
    return {"next_cursor": f"c{number}", "items": tuple(RawItem(canonical(row), row) for row in made)}


@pytest.mark.parametrize(
    ("turn", "rule"),
    [
        (lambda *_: {"next_cursor": "the same"}, "list-in-circles"),
        (lambda number, _: {"next_cursor": f"c{number}"}, "list-in-circles"),
        (lambda number, _: {"next_cursor": f"c{number}", "items": ()}, "list-in-circles"),
        (other_rows, "list-past-its-count"),
    ],
)
async def test_a_list_without_an_end_is_given_up(clean, turn, rule):
    await sent(clean, 1)
    side = Endless(PlatformSide(clean.services.platform), turn)
    with pytest.raises(Unreadable, match=rule):
        await asyncio.wait_for(reconcile_day(clean.services, side, TODAY), 60)
    assert side.pages <= 3


async def test_a_group_counted_twice_is_no_account(clean):
    await sent(clean, 1)
    side = PlatformSide(clean.services.platform)
    rows = await side.counts(TODAY)
    wrong = Listing(side)
    wrong.counts = lambda _: asyncio.sleep(0, rows + rows[:1])
    with pytest.raises(Unreadable):
        await reconcile_day(clean.services, wrong, TODAY)


class Surprising:
    """A platform that counts what no client foresaw: a text in no encoding, a number of no size."""

    def __init__(self, platform, **wrong):
        self._platform, self._wrong = platform, wrong

    async def counts(self, day):
        return tuple(replace(row, **self._wrong) for row in await self._platform.counts(day))

    def __getattr__(self, name):
        return getattr(self._platform, name)


@pytest.mark.parametrize("wrong", [{"count": 2**40}, {"department": "D\0"}])
async def test_one_systems_surprise_stops_no_other_system_and_no_other_day(clean, wrong):
    number = serial()
    await clean.arrive(case(number), granted(number))
    await clean.run(admit_cases, send_pushes, send_reports)
    await clean.at(NOW + timedelta(days=2))
    services = replace(clean.services, platform=Surprising(clean.services.platform, **wrong))
    found = await reconcile(services, days=2)
    assert found.away == ("platform",)
    assert [line.system for line in found.lines if line.ours] == ["credit"]
    assert any("这次未能核对完" in line for line in sentences(found))
    days = await clean.rows("SELECT system, count(DISTINCT day) AS days FROM reconciled_days GROUP BY 1")
    assert {row["system"]: row["days"] for row in days} == {"credit": 1, "sms": 2}
    said = []
    found = await reconcile(clean.services, days=2, after_day=said.append)
    assert [line[-6:] for line in said] == ["1/2 天）", "2/2 天）"], "a long one is seen to move"
    assert (found.away, found.rate) == ((), 1.0)


async def test_counts_that_are_added_up_know_no_bound(clean):
    lines = [f"2026-03-{n:02d}" for n in (8, 9)]
    await clean.change(
        "INSERT INTO reconciled_days (system, day, kind, department, stage, ours, theirs, agreed, adopted,"
        " sent_again, unexplained) SELECT 'platform', d::date, 'push', '', '', 2147483647, 2147483647, 0, 0,"
        " 0, 2147483647 FROM unnest(%s::text[]) d",
        lines,
    )
    await platform(clean)
    assert await clean.value("SELECT count FROM incidents") == 2**31 - 1
    found = await told(clean.services, *map(date.fromisoformat, lines))
    assert (found.ours, found.unexplained) == (2 * (2**31 - 1), 2 * (2**31 - 1))


async def test_a_system_that_is_away_is_asked_nothing_more(clean):
    owns = await sent(clean, 20)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": owns})
    away = Counted(PlatformSide(clean.services.platform))
    await clean.faults(
        "platform",
        {
            "match": {"method": "GET", "path_regex": "^/v1/pushes/"},
            "do": {"kind": "status", "status": 503, "code": "not-processed"},
        },
    )
    before = asyncio.all_tasks()
    with pytest.raises(NotDone):
        await reconcile_day(clean.services, away, TODAY)
    assert asyncio.all_tasks() <= before, "no question goes on behind"
    assert away.looks < len(owns) // 2
    assert await clean.column("SELECT DISTINCT state FROM effects WHERE channel = 'push'") == ["accepted"]


@pytest.mark.parametrize(("schedule", "ago"), [("every-day", 6), ("every-month", 300)])
async def test_what_runs_by_itself_finds_a_record_lost_long_after_its_receipt(clean, schedule, ago):
    lost, *_ = await sent(clean, 1)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [lost]})
    await clean.at(NOW + timedelta(days=ago))
    (deployment,) = [each for each in DECLARED if each["name"] == "reconcile"]
    (declared,) = [each["parameters"] for each in deployment["schedules"] if each["slug"] == schedule]
    found = await reconcile(clean.services, **declared)
    assert (found.sent_again, found.unexplained, found.away) == (1, 0, ())
    assert await clean.value("SELECT reason FROM effects WHERE own_id = %s", lost) == "lost_there"


async def test_an_end_in_the_midst_leaves_a_day_that_can_be_done_again(clean, monkeypatch):
    owns = await sent(clean, 3)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": owns})
    done = 0

    class Ends(Counted):
        async def find(self, channel, own):
            nonlocal done
            done += 1
            if done > 2:
                raise RuntimeError("the process ends here")
            return await super().find(channel, own)

    with pytest.raises(RuntimeError):
        await reconcile_day(clean.services, Ends(PlatformSide(clean.services.platform)), TODAY)
    await platform(clean)
    await clean.run(recover, send_pushes)
    assert sorted(line["own_id"] for line in clean.stored("platform")) == owns
    rows, side = await platform(clean)
    assert (side.pages, apart(rows)) == (0, {"ours": 6, "theirs": 6, "agreed": 6})


async def test_status_tells_the_rate_of_the_newest_day(clean):
    owns = await sent(clean, 1)
    await platform(clean)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": owns[:1]})
    await platform(clean)
    told = await read_status(clean.services.ledger, clean.services.calendar)
    (one,) = told.completeness
    assert (one.system, one.day, one.ours, one.agreed, one.rate) == ("platform", TODAY, 2, 1, 0.5)
    assert told.senders_locked is False
    assert any("完整率 50.00%" in line for line in lines(told))


async def test_texts_are_counted_by_their_receipts(clean):
    await sent(clean, 1)
    await clean.run(tell_liaisons)
    (row,) = await reconcile_texts(clean.services.ledger, TODAY)
    assert (row.system, row.ours) == ("sms", 2)
    await clean.wait_for("SELECT FROM inbox WHERE kind = 'sms_receipt'")
    for _ in range(40):
        await clean.run(match_receipts)
        (row,) = await reconcile_texts(clean.services.ledger, TODAY)
        if row.agreed == row.ours:
            break
        await asyncio.sleep(0.1)
    assert (row.ours, row.theirs, row.agreed) == (2, 2, 2)
