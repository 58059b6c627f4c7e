"""The desk tells in one line whether all is well, names nobody, and counts what the ledger holds."""

import base64
import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from tasks.city_loading import load_city_into
from tasks.desk.drawing import Bar, Tile, bars, card, columns
from tasks.desk.facts import Level, read_desk
from tasks.desk.pages import pages
from tests.tasks.records import FOOD, NOW, case, granted, party, serial

PUSHES = {"method": "POST", "path_regex": "^/v1/pushes"}
NO = {"match": PUSHES, "do": {"kind": "status", "status": 422, "code": "rule-broken"}}


async def facts(world):
    return await read_desk(world.services.ledger, world.services.calendar)


def pictures(page):
    return [base64.b64decode(data).decode() for data in re.findall(r"base64,([\w+/=]+)", page.body)]


def drawn(page):
    """The text of a page, that of its pictures included."""
    return "\n".join([re.sub(r"base64,[\w+/=]+", "", page.body), *pictures(page)])


async def test_a_quiet_day_is_fine_and_counted(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run()
    await world.run()
    desk = await facts(world)
    assert desk.verdict == (Level.FINE, "一切正常")
    counted = "SELECT count(*) FROM effects WHERE channel = %s AND state IN ('accepted', 'delivered')"
    assert desk.flow["pushed"] == await world.value(counted, "push") > 0
    assert desk.flow["texted"] == await world.value(counted, "sms") > 0
    assert sum(desk.by_hour.values()) == desk.flow["pushed"]
    assert sum(each.pushed for each in desk.departments) == desk.flow["pushed"]
    assert "一切正常" in drawn(pages(desk)[0])
    await world.at(NOW + timedelta(days=1))
    assert set((await facts(world)).flow.values()) == {0}


async def test_what_stands_in_front_of_a_person_turns_it_amber_then_red(world):
    await world.faults("platform", NO)
    number = serial()
    await world.arrive(case(number))
    await world.run()
    desk = await facts(world)
    assert desk.verdict[0] is Level.ATTENTION
    by_key = {page.key: drawn(page) for page in pages(desk)}
    assert case(number)["case_no"] in by_key["desk-2-stopped"]
    assert "对方按规则拒收" in by_key["desk-2-stopped"]
    await world.at(NOW + timedelta(days=7))
    desk = await facts(world)
    assert desk.verdict[0] is Level.BAD
    assert "逾期" in desk.verdict[1]
    assert "**逾期**" in drawn(pages(desk)[1])


async def test_a_silent_dispatcher_is_said_before_all_else(world):
    await world.run()
    await world.change("UPDATE watermarks SET moved_at = now() - interval '10 minutes' WHERE feed = 'cases'")
    level, said = (await facts(world)).verdict
    assert level is Level.BAD
    assert "分发器已 10 分钟没有动静" in said


async def test_a_dispatcher_that_never_read_a_feed_is_no_quiet_day(world):
    level, said = (await facts(world)).verdict
    assert level is Level.BAD
    assert "分发器还没有读过数据源" in said


async def test_what_no_department_has_and_whom_nobody_can_call_is_work_before_its_day(world):
    await world.arrive(granted(serial(), version=1, item=FOOD, place="430999"))
    await world.run()
    desk = await facts(world)
    waiting = await world.value("SELECT count(*) FROM handovers WHERE state = 'planned'")
    assert (desk.dispatching, desk.status.overdue_total) == (waiting, 0)
    assert desk.verdict == (Level.ATTENTION, f"{waiting} 项等人处理，均未逾期")
    assert f"**待分派** {waiting} 项" in drawn(pages(desk)[0])


async def test_news_for_want_of_a_phone_is_work_before_its_day(world):
    services = world.services
    await load_city_into(services.ledger, services.sealing, services.city, [])  # nobody is in office
    await world.arrive(case(serial()))
    await world.run()
    await world.run()
    desk = await facts(world)
    assert (desk.no_phone, desk.status.overdue_total) == (1, 0)
    assert desk.verdict == (Level.ATTENTION, "1 项等人处理，均未逾期")
    assert "**无手机号** 1 项" in drawn(pages(desk)[0])


async def test_pushes_at_night_are_in_the_chart(world):
    await world.at(NOW.replace(hour=2))
    await world.arrive(case(serial(), at=NOW))
    await world.run()
    desk = await facts(world)
    assert desk.by_hour == {2: desk.flow["pushed"]}
    assert f">{desk.flow['pushed']}</text>" in pictures(pages(desk)[0])[2]


async def test_no_page_names_anybody(world, people):
    numbers = [serial() for _ in range(4)]
    await world.faults("platform", NO)
    await world.arrive(*(granted(number, version=1) for number in numbers))
    await world.run()
    shown = "\n".join(drawn(page) for page in pages(await facts(world)))
    assert all(granted(number)["case_no"] in shown for number in numbers)
    for number in numbers:
        about = party(number)
        assert [v for k, v in about.items() if k not in {"kind", "id_type"} and v in shown] == []
    assert [one["phone"] for one in people if one["phone"] in shown] == []
    assert people[0]["name"] not in shown


@pytest.mark.parametrize(
    "svg",
    [
        card("一切 <正常> & 好", "x", [Tile("受理", "12")] * 10, colour="#000000"),
        bars("各部门", [Bar("一个名字很长很长很长的部门<b>", ((3, "#111111"), (0, "#222222")), "3")]),
        bars("空", []),
        columns("时段", [("7时", 0), ("8时", 5)]),
        columns("空", []),
    ],
)
def test_pictures_are_well_formed_and_ask_nobody(svg):
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "<b>" not in svg
    assert re.findall(r"(?:href|src|url)\s*[=(]", svg) == []
    assert float(root.attrib["width"]) <= 800


async def test_the_last_reconciliation_is_shown_and_nearly_all_is_not_all(world):
    desk = await facts(world)
    assert "还没有对过账" in drawn(pages(desk)[3])
    await world.change(
        "INSERT INTO reconciled_days (system, day, kind, department, stage, ours, theirs, agreed, adopted,"
        " sent_again, unexplained) VALUES"
        " ('platform', '2026-03-09', 'push', '', '', 2000, 1999, 1999, 0, 0, 1),"
        " ('platform', '2026-03-08', 'push', '', '', 5, 0, 0, 0, 0, 5)"
    )
    by_key = {page.key: drawn(page) for page in pages(await facts(world))}
    assert "99.9%" in by_key["desk-1-overview"]
    assert "1 条差异未解释" in by_key["desk-1-overview"]
    assert "| 政务服务平台 | 2026-03-09 | 2000 | 1999 | 1 |" in by_key["desk-4-matters"]
