"""What reconciliation makes of lists that do not hold what their counts say, and of systems that surprise."""

import asyncio
import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from adapters.values import RawItem
from models.domain.canonical import canonical
from models.domain.errors import NotDone, Unreadable
from tasks.reconciliation.reconciled import reconcile, sentences, told
from tasks.reconciliation.reconciling import reconcile_day
from tasks.reconciliation.sides import PlatformSide
from tasks.steps import (
    admit_cases,
    send_pushes,
    send_reports,
)
from tests.tasks.accounts import DECLARED, TODAY, Counted, apart, platform, sent
from tests.tasks.records import NOW, case, granted, serial


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
