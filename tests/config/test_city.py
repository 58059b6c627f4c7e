"""The city's files: they load, they say what the order asks, and every problem is named at once."""

import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from stdnum.cn import uscc

from config.calendar import load_working_days
from config.city import City, CityFilesWrong, Duty, load_city
from config.city_checks import check_catalog
from config.city_types import SCOPE_ALWAYS, SCOPE_FIELDS
from models.domain.messages import wrong_places
from models.domain.shuanggongshi_fields import CF_FIELDS, XK_FIELDS, corrected

YIYANG = Path(__file__).parents[2] / "config" / "yiyang"


@pytest.fixture(scope="module")
def city() -> City:
    return load_city()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    shutil.copytree(YIYANG, folder)
    return folder


def edit(folder: Path, file: str, *changes: tuple[str, str]) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(CityFilesWrong) as wrong:
        load_city(folder.name, folder.parent)
    return wrong.value.problems


def duties(city: City) -> list[Duty]:
    return [duty for item in city.catalog.items.values() for duty in item.duties]


def test_a_second_city_is_a_second_folder(copy: Path, city: City) -> None:
    second = load_city("elsewhere", copy.parent)
    assert second.catalog == city.catalog
    assert (second.name, second.folder) == ("elsewhere", copy)


def test_the_city_is_as_large_as_promised(city: City) -> None:
    assert len(city.catalog.items) >= 40
    assert len({each.unit for each in city.departments.values()}) >= 20
    assert {each.level for each in city.departments.values()} == {"city", "county", "township"}
    assert city.centre == "430900"
    assert {code for code, region in city.regions.items() if region.local} == {"430971", "430972"}
    assert {len(code) for code in city.regions} == {6, 9}


@pytest.mark.parametrize(
    "word",
    [
        "食品经营",
        "危险化学品经营",
        "医疗机构",
        "公共场所卫生",
        "道路货物运输",
        "建筑工程施工",
        "排水管网",
        "户外广告",
        "特种设备使用登记",
        "农药经营",
        "动物防疫",
        "民办学校",
        "劳务派遣",
        "人力资源服务",
        "娱乐场所",
        "旅行社",
        "取水",
        "排污",
        "城镇燃气",
        "烟花爆竹零售",
        "药品零售",
        "医疗器械",
        "林木采伐",
        "自建房",
        "一件事",
    ],
)
def test_the_list_holds_real_kinds_of_items(city: City, word: str) -> None:
    assert any(word in item.name for item in city.catalog.items.values())


def test_codes_are_whole_and_belong_to_nobody(city: City) -> None:
    for code in [*city.departments, *(code[:18] for code in city.catalog.items)]:
        assert uscc.is_valid(code), code
        assert re.fullmatch(r"PDY\d{5}", code[8:16]), "an organisation body that is never assigned"
    for code in [*city.catalog.items, *city.catalog.not_applicable]:
        assert re.fullmatch(r"[0-9A-Z]{18}[1-9]\d{12}", code)
        assert code[22] == "9"


def test_duties_take_every_form_the_order_knows(city: City) -> None:
    items = list(city.catalog.items.values())
    assert any(len({duty.unit for duty in item.duties}) >= 2 for item in items), "two departments"
    assert any(
        len({duty.section for duty in item.duties if duty.unit == unit and duty.level == "city"}) == 2
        for item in items
        for unit in {duty.unit for duty in item.duties}
    ), "two sections of one department"
    by_city = [item for item in items if city.departments[item.approval_department].level == "city"]
    assert any(duty.level == "county" for item in by_city for duty in item.duties)
    assert {"city", "county", "township"} <= {duty.level for duty in duties(city)}
    assert {duty.role for duty in duties(city)} == {"supervision", "enforcement"}
    assert any(item.members for item in items)
    modes = [item.mode for item in items]
    assert (modes.count("silent"), modes.count("trial")) == (2, 2)
    assert all(item.stages == ("completion",) for item in items if item.instant)
    assert min(item.observation_days for item in items) == 15
    assert max(item.observation_days for item in items) == 45
    assert {item.reporter for item in items} == {"us", "department", "platform"}
    assert sum(item.urgent for item in items) == 1
    assert sum(item.return_normal for item in items) == 1
    assert len({item.scope for item in items}) >= 3
    assert all(set(SCOPE_ALWAYS) <= set(item.scope) <= set(SCOPE_FIELDS) for item in items)
    assert len({item.go_live_at for item in items}) >= 2


def by_place(city: City, unit: str, level: str) -> Duty:
    return next(duty for duty in duties(city) if (duty.unit, duty.level) == (unit, level))


@pytest.mark.parametrize(
    ("unit", "level", "place", "expected"),
    [
        ("market", "county", "430903", "赫山市场监管局"),
        ("market", "county", "430903102", "赫山市场监管局"),
        ("market", "county", "430972", "高新区市场监管局"),
        ("market", "city", "430903102", "市市场监管局"),
        ("township", "township", "430903102", "赫山兰溪镇"),
        ("township", "township", "430903", None),
        ("township", "township", "430921100", None),
        ("emergency", "county", "430971", None),
        ("emergency", "county", "430900", None),
        ("emergency", "county", "430111", None),
        ("emergency", "county", "", None),
    ],
)
def test_a_duty_is_routed_by_place_and_level(
    city: City, unit: str, level: str, place: str, expected: str | None
) -> None:
    found = city.route(by_place(city, unit, level), place)
    assert (found.short if found else None) == expected


def test_a_fixed_department_is_followed_to_its_successor(city: City) -> None:
    duty = next(duty for duty in duties(city) if duty.department and "动物防疫" in duty.name)
    old = city.department(duty.department)
    assert old is not None
    assert old.short == "市畜牧水产局（原）"
    heir = city.route(duty, "430111")
    assert heir is not None
    assert heir.short == "市农业农村局"
    assert heir.section(duty.section) is not None


def test_successors_are_followed_as_a_chain(city: City) -> None:
    oldest = next(each for each in city.departments.values() if each.short == "市政务局（原）")
    heir = city.successor_of(oldest.code)
    assert heir is not None
    assert heir.short == "市数据局"
    assert city.successor_of(heir.code) is heir
    assert city.successor_of("11430900PDY99999X0") is None


def test_what_is_unknown_is_none_and_never_guessed(city: City) -> None:
    assert city.item("x") is None
    assert city.department("x") is None
    assert city.region("430111") is None
    assert city.is_not_applicable(next(iter(city.catalog.not_applicable)))
    assert not city.is_not_applicable("x")


@pytest.mark.parametrize(
    ("status", "result", "event"),
    [
        ("30", None, "accepted"),
        ("90", "40", "granted"),
        ("90", "50", "refused"),
        ("97", None, "refused"),
        ("98", "", "withdrawn"),
        ("99", None, "terminated"),
        ("90", None, None),
        ("55", None, None),
    ],
)
def test_the_source_codes_become_events(
    city: City, status: str, result: str | None, event: str | None
) -> None:
    assert city.statuses.event(status, result) == event
    assert city.statuses.event(status, result, source="another") is None


def test_only_permits_are_licences(city: City) -> None:
    assert city.statuses.is_licence("01")
    assert not city.statuses.is_licence("07")
    assert not city.statuses.is_licence("88")


def test_the_words_agree_with_the_domain(city: City) -> None:
    assert corrected(XK_FIELDS, city.dictionaries.fields["xk"]) == XK_FIELDS
    assert corrected(CF_FIELDS, city.dictionaries.fields["cf"]) == CF_FIELDS
    assert {text: wrong_places(text) for text in city.templates.values() if wrong_places(text)} == {}
    assert city.dictionaries.advice["bad"].restricted == ("告知承诺", "容缺受理")


def test_the_calendar_file_is_read_by_the_calendar(city: City) -> None:
    assert load_working_days(city.folder / "calendar.toml").known_years >= {2026}
    assert {window.basis for window in city.publications if window.ends is None} == {"国家发展改革委令第36号"}


def test_an_item_goes_into_the_ledger_as_json(city: City) -> None:
    item = next(iter(city.catalog.items.values()))
    assert item.body()["go_live_at"] == "2026-03-01T00:00:00+08:00"
    assert item.body()["duties"][0]["unit"] == "market"


def test_every_problem_is_named_at_once(copy: Path) -> None:
    catalog = (copy / "catalog.toml").read_text(encoding="utf-8")
    first = re.search(r'\[\[item\]\]\ncode = "(\w{31})"', catalog)
    assert first
    edit(
        copy,
        "catalog.toml",
        (f'"{first[1]}"', f'"{first[1][:17]}{"A" if first[1][17] != "A" else "B"}{first[1][18:]}"'),
        ('mode = "live"', 'mode = "loud"'),
        ('    "item_name", "item_code"', '    "item_name", "shoe_size"'),
        ('unit = "market"\nlevel = "county"\nsection = "food"', 'section = "food"'),
        ('unit = "urban"', 'unit = "navy"'),
        ("observation_days = 30", "observation_days = 0"),
        ("2026-03-01T00:00:00+08:00", "2026-03-01"),
        ('section = "medical"', 'section = "surgery"'),
    )
    edit(
        copy,
        "departments.toml",
        ('region = "430900"', 'region = "999999"'),
        ('successor = ""', 'successor = "nobody"'),
    )
    edit(copy, "regions.toml", ('parent = "430900"', 'parent = "000000"'))
    edit(copy, "templates.toml", ("编号{reference}", "编号{party}"))
    edit(copy, "reporters.toml", ('record = "CF"', 'record = "XK"'))
    found = "\n".join(problems(copy))
    for sentence in (
        "校验位不对",
        "mode“loud”不在允许的范围",
        "scope 中“shoe_size”不在允许的范围",
        "scope 缺少必有的字段 item_code",
        "既没有指定部门（department），也没有责任单位（unit）",
        "没有 county 级的 navy 单位",
        "observation_days 须是 1 至 366 的整数",
        "go_live_at 须是带时区的时间",
        "没有科室“surgery”",
        "区划“999999”不存在",
        "承接部门“nobody”不存在",
        "上级区划“000000”不存在",
        "占位 {party} 不在 placeholders 之列",
        "text 须以 {reference} 结尾",
        "记录类型“XK”重复",
        "没有说明 CF 由谁报送",
    ):
        assert sentence in found


def double(file: str, table: str) -> Callable[[Path], None]:
    def again(folder: Path) -> None:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        start = text.index(f"[[{table}]]")
        end = text.find(f"\n[[{table}]]", start + 1)
        path.write_text(text + "\n" + text[start:end] + "\n", encoding="utf-8")

    return again


def change(file: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: edit(folder, file, (old, new))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (double("regions.toml", "region"), "区划代码“430900”重复"),
        (double("departments.toml", "department"), "重复"),
        (double("catalog.toml", "item"), "事项编码“"),
        (double("templates.toml", "template"), "短信模板“one”重复"),
        (double("status_codes.toml", "status"), "来源“platform”的状态 30＋结果“”重复"),
        (double("status_codes.toml", "kind"), "事项类型 01 重复"),
        (double("dictionaries.toml", "cf"), "字段“CF_XDR_MC”重复"),
        (change("departments.toml", 'unit = "emergency"', 'unit = "market"'), "无法确定由谁监管"),
        (change("departments.toml", 'level = "county"', 'level = "city"'), "不一致"),
        (
            change("catalog.toml", 'approval_section = "window"', 'approval_section = "roof"'),
            "审批科室“roof”",
        ),
        (change("catalog.toml", "instant = true", "instant = false\nhurried = true"), "不认识的键 hurried"),
        (change("catalog.toml", 'stages = ["acceptance", "completion"]', "stages = []"), "至少要有一个环节"),
        (change("catalog.toml", 'reply = "none"', 'reply = "requested"'), "reply_days"),
        (change("catalog.toml", 'kind = "07"', 'kind = "77"'), "事项类型“77”"),
        (change("catalog.toml", 'kind = "工作备忘录"', 'kind = "口头"'), "口头"),
        (change("catalog.toml", "not_applicable = [", 'not_applicable = [\n"x",'), "不是31位实施编码"),
        (change("catalog.toml", "members = [", 'members = [\n"x",'), "一件事所含事项“x”不存在"),
        (change("catalog.toml", "[[item]]", "[[item"), "不是可读的 TOML 文件"),
        (change("catalog.toml", "urgent = false", 'urgent = "no"'), "urgent 须是 true 或 false"),
        (change("status_codes.toml", 'event = "accepted"', 'event = "lost"'), "event“lost”"),
        (change("templates.toml", 'key = "digest"', 'key = "digested"'), "缺少短信模板 digest"),
        (change("templates.toml", "{section}", "{section"), "花括号不成对"),
        (change("calendar.toml", "min_months = 3", "min_months = 99"), "max_months 小于 min_months"),
        (change("calendar.toml", "to = 2026-03-31", "to = 2020-01-01"), "to 早于 from"),
        (change("dictionaries.toml", 'choices = "penalty_types"', 'choices = "fun"'), "choices“fun”"),
        (lambda folder: (folder / "reporters.toml").unlink(), "reporters.toml：缺少这个文件"),
        (lambda folder: (folder / "regions.toml").write_bytes(b"\xff"), "regions.toml：不是可读的"),
    ],
)
def test_a_broken_file_says_what_is_broken(
    copy: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(copy)
    assert any(sentence in problem for problem in problems(copy))


def test_duties_that_would_lose_one_another_are_refused(city: City) -> None:
    def named(one: Duty, other: Duty) -> list[str]:
        changed = replace(food, duties=(one, other))
        catalog = replace(city.catalog, items={food.code: changed})
        found = list(check_catalog(catalog, city.departments, city.statuses))
        assert all(food.code in problem and food.name in problem for problem in found)
        return found

    food = next(item for item in city.catalog.items.values() if item.name == "食品经营许可")
    duty = food.duties[0]
    places = [each for each in city.departments.values() if each.unit == "market" and each.level == "county"]
    another = next(
        each for each in city.departments.values() if each.unit == "market" and each.level == "city"
    )
    fixed = replace(duty, name="二", unit="", level="", department=another.code)

    [same_section] = named(duty, fixed)
    assert duty.supervision_item in same_section
    assert "编码和科室都相同" in same_section

    other_section = next(section.id for section in another.sections if section.id != duty.section)
    assert named(duty, replace(fixed, section=other_section)) == []
    assert named(duty, replace(fixed, supervision_item="01439070000999")) == []

    here = replace(fixed, department=places[0].code, section=places[0].sections[-1].id)
    assert here.section != duty.section
    [same_department] = named(duty, here)
    assert f"会分到同一部门（{places[0].short}）" in same_department


def test_an_item_without_a_completion_is_refused(copy: Path) -> None:
    edit(copy, "catalog.toml", ('stages = ["acceptance", "completion"]', 'stages = ["acceptance"]'))
    [problem] = problems(copy)
    assert "食品经营许可" in problem
    assert "stages 缺少 completion" in problem


def test_a_circle_of_successors_is_named(copy: Path) -> None:
    city = load_city()
    heir = next(each for each in city.departments.values() if each.short == "市数据局")
    oldest = next(each for each in city.departments.values() if each.short == "市政务局（原）")
    path = copy / "departments.toml"
    text = path.read_text(encoding="utf-8")
    start = text.index(f'code = "{heir.code}"')
    spoilt = text[:start] + text[start:].replace('successor = ""', f'successor = "{oldest.code}"', 1)
    path.write_text(spoilt, encoding="utf-8")
    assert sum("承接部门的链条没有尽头" in problem for problem in problems(copy)) == 3


def test_a_city_that_is_not_there_is_said_in_chinese(tmp_path: Path) -> None:
    with pytest.raises(CityFilesWrong, match="没有城市配置目录 atlantis"):
        load_city("atlantis", tmp_path)


def test_the_error_survives_pickling() -> None:
    wrong = CityFilesWrong(("一", "二"))
    assert str(pickle.loads(pickle.dumps(wrong))) == "城市配置有2处问题：\n一\n二"
