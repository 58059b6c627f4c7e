"""Mapping files: every problem is named at once; a good one fills records the strict reader accepts."""

from datetime import date

import pytest

from adapters.files import (
    FileUnreadable,
    MappedProblem,
    MappedRecord,
    MappingWrong,
    load_mapping,
    read_cases,
    read_feedback,
)
from adapters.files.samples import KINDS
from adapters.records import parse_case, parse_feedback
from models.domain.party_codes import check_id_card, check_uscc

HEADER = "号,日,果,名,账,址,类\n"
GOOD = """
kind = "case"
source = "本局"
business_date = { column = "日", format = "%Y/%m/%d" }
[fields]
case_no = { column = "号", prefix = "BJ-", suffix = "-1" }
data_version = { const = 2 }
operation = { const = "u" }
changed_at = { date = { column = "日", format = "%Y/%m/%d", zone = "Asia/Shanghai", at = "08:30" } }
region = { const = "430902" }
secrecy = { const = "none" }
"place_of_business.region" = { const = "430902" }
place_of_business.address = { column = "址" }
item_code = { const = "X" }
item_name = { const = "某项" }
department = { const = "D" }
status = { map = { column = "果", table = { "准" = "90", "不准" = "90", "撤回" = "98" } } }
result = { map = { column = "果", table = { "准" = "40", "不准" = "50", "撤回" = "" } } }
licence_action = { map = { columns = ["果", "类"], table = { "准|新" = "issue", "撤回|新" = "" } } }
accepted_at = { date = { column = "日", format = "%Y/%m/%d", zone = "Asia/Shanghai" } }
decided_on = { date = { column = "日", format = "%Y/%m/%d" } }
document.number = { sample = { column = "号", kind = "document" } }
document.title = { const = "决定书" }
[fields.party]
name = { column = "名" }
kind = { const = "法人及非法人组织" }
id_type = { const = "统一社会信用代码" }
id_number = { sample = { column = "账", kind = "uscc" } }
phone = { sample = { column = "账", kind = "phone" } }
[[when]]
column = "名"
is_in = ["测试"]
rule = "test-row"
message = "测试数据，请人工确认"
"""


def mapping(room, text=GOOD, name="m.toml"):
    path = room / name
    path.write_text(text, encoding="utf-8")
    return load_mapping(path)


def problems(room, text):
    with pytest.raises(MappingWrong) as wrong:
        mapping(room, text)
    return wrong.value.problems


def mapped(room, *lines, text=GOOD):
    file = room / "a.csv"
    file.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return list(read_cases(file, mapping(room, text)))


def test_a_row_becomes_a_record_in_the_wires_shape(tmp_path):
    [one] = mapped(tmp_path, "7,2026/03/02,准,拟安店,88,某路1号,新")
    assert isinstance(one, MappedRecord)
    assert (one.line_no, one.key, one.business_date) == (2, "BJ-7-1", date(2026, 3, 2))
    assert one.record["changed_at"] == "2026-03-02T08:30:00+08:00"
    assert one.record["accepted_at"] == "2026-03-02T00:00:00+08:00"
    assert one.record["document"] == {"title": "决定书", "number": "样本许字〔7〕号"}
    assert (one.record["decided_on"], one.record["licence_action"]) == ("2026-03-02", "issue")
    assert one.samples == ("document.number", "party.id_number", "party.phone")
    record = parse_case(one.wire, one.key)
    assert check_uscc(record.party.id_number) is None
    assert record.result == "40"
    assert "拟安店" not in repr(one)


def test_the_same_row_is_a_repetition_and_a_changed_one_is_not(tmp_path):
    line = "7,2026/03/02,准,拟安店,88,某路1号,新"
    first, again, changed = mapped(tmp_path, line, line, line.replace("1号", "2号"))
    assert (first.key, first.sha256) == (again.key, again.sha256)
    assert changed.key == first.key
    assert changed.sha256 != first.sha256


@pytest.mark.parametrize(
    ("line", "rule", "said"),
    [
        ("7,2026-03-02,准,甲,88,路,新", "not-date", "列“日”不是 %Y/%m/%d"),
        ("7,2026/03/02,待定,甲,88,路,新", "unknown-value", "列“果”的值不在对照表内"),
        ("7,2026/03/02,准,甲,88,路,变", "unknown-value", "列“果、类”的值不在对照表内"),
        ("7,2026/03/02,,甲,88,路,", "missing-field", "列“果”为空"),
        (",2026/03/02,准,甲,88,路,新", "missing-field", "必填字段“case_no”"),
        ("7,,准,甲,88,路,新", "missing-field", "业务日期"),
        ("7,2026/03/02,准,甲,,路,新", "missing-field", "party.id_number"),
        ("7,2026/03/02,准,测试,88,路,新", "test-row", "测试数据"),
        ("7,2026/03/02", "ragged", "有2格"),
    ],
)
def test_a_row_that_cannot_be_mapped_names_line_rule_and_column(line, rule, said, tmp_path):
    [one] = mapped(tmp_path, line)
    assert isinstance(one, MappedProblem)
    assert (one.line_no, one.rule, one.raw) == (2, rule, f"{line}\n".encode())
    assert one.message.startswith("第2行：")
    assert said in one.message


def test_blank_optional_cells_and_empty_table_values_are_null(tmp_path):
    [one] = mapped(tmp_path, "7,2026/03/02,撤回,甲,88,,新")
    assert (
        one.record["result"]
        is one.record["licence_action"]
        is one.record["place_of_business"]["address"]
        is None
    )
    without = "\n".join(line for line in GOOD.splitlines() if not line.startswith("document."))
    [one] = mapped(tmp_path, "7,2026/03/02,准,甲,88,路,新", text=without)
    assert one.record["document"] is None


def test_feedback_may_carry_measures_party_and_a_penalty(tmp_path):
    text = """
kind = "feedback"
source = "本局"
delimiter = ";"
charset = "gb18030"
business_date = { column = "日", format = "%Y%m%d" }
[fields]
feedback_no = { column = "号" }
version = { column = "版" }
operation = { const = "i" }
changed_at = { const = "2026-03-02T09:00:00+08:00" }
department = { const = "D" }
kind = { const = "penalty" }
happened_on = { date = { column = "日", format = "%Y%m%d" } }
measures = { map = { column = "罚", table = { A = "罚款" } } }
party.name = { column = "名" }
party.id_number = { sample = { column = "名", kind = "id_number" } }
penalty.CF_WSH = { column = "号", prefix = "罚" }
"""
    file = tmp_path / "a.csv"
    file.write_bytes("号;日;版;罚;名\n1;20260302;3;A;甲\n2;20260302;三;A;甲\n".encode("gb18030"))
    first, second = read_feedback(file, mapping(tmp_path, text))
    record = parse_feedback(first.wire, first.key)
    assert (record.version, record.measures, record.penalty) == (3, ("罚款",), {"CF_WSH": "罚1"})
    assert record.party is not None
    assert check_id_card(record.party.id_number) is None
    assert second.rule == "not-integer"
    with pytest.raises(MappingWrong, match="这里需要 case"):
        read_cases(file, mapping(tmp_path, text))


def test_every_problem_of_a_mapping_is_named_at_once(tmp_path):
    spoiled = GOOD.replace('kind = "case"', 'kind = "case"\nstrange = 1\ncharset = "gbk"\ndelimiter = ""')
    spoiled = spoiled.replace('source = "本局"\n', "")
    spoiled = spoiled.replace('operation = { const = "u" }', "operation = { }")
    spoiled = spoiled.replace("data_version = { const = 2 }", 'data_version = { const = "2" }')
    spoiled = spoiled.replace(
        'region = { const = "430902" }\nsecrecy', 'region = { column = "a", const = "b" }\nsecrecy'
    )
    spoiled = spoiled.replace('item_code = { const = "X" }', 'item_kode = { const = "X" }')
    spoiled = spoiled.replace('kind = "uscc"', 'kind = "passport"')
    spoiled = spoiled.replace(
        'decided_on = { date = { column = "日", format = "%Y/%m/%d" } }', 'decided_on = { column = "日" }'
    )
    spoiled = spoiled.replace('zone = "Asia/Shanghai" }', 'zone = "Asia/Nowhere" }')
    spoiled = spoiled.replace('is_in = ["测试"]', "is_in = []")
    said = "\n".join(problems(tmp_path, spoiled))
    for part in (
        "不认识的设置“strange”", "charset", "delimiter", "缺少 source", "“operation”应恰有",
        "“data_version”的 const", "“region”应恰有", "没有字段“item_kode”", "必填字段“item_code”没有来源",
        "sample 种类", "“decided_on”是日期", "zone 不是已知时区", "is_in 应为",
    ):  # fmt: skip
        assert part in said
    assert len(problems(tmp_path, spoiled)) >= 13


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('column = "号", prefix', "column = 1, prefix", "应为文本"),
        ("{ const = 2 }", "{ const = true }", "const 应为文本"),
        ('const = "u" }', 'const = "u", zone = "x" }', "不认识的设置：zone"),
        ('operation = { const = "u" }', 'operation = "u"', "应为表"),
        ('"430902" }\nsecrecy', '"" }\nsecrecy', "非空文本"),
        ('format = "%Y/%m/%d" }\n[fields]', 'format = "%H" }\n[fields]', "format 没有日期"),
        ('at = "08:30"', 'at = "八点半"', "at 不是时刻"),
        ('zone = "Asia/Shanghai", at', "at", "没有 zone"),
        (
            'map = { column = "果", table = { "准" = "90", "不准" = "90", "撤回" = "98" } }',
            'map = { column = "果" }',
            "应有 column",
        ),
        ('columns = ["果", "类"]', "columns = []", "列名"),
        ('table = { "准" = "90", "不准" = "90", "撤回" = "98" }', "table = {}", "非空的文本对照表"),
        ('column = "账", kind = "uscc"', 'kind = "uscc"', "应有文本 column"),
        (
            'item_name = { const = "某项" }',
            'item_name = { date = { column = "日", format = "%d" } }',
            "不是日期",
        ),
        (', zone = "Asia/Shanghai", at = "08:30" }', " }", "应带 zone"),
        ('is_in = ["测试"]', 'is_in = ["测试"]\nblank = true', "之一"),
        ('is_in = ["测试"]', "blank = false", "只能为 true"),
        ('rule = "test-row"\n', "", "缺少 rule"),
        ('rule = "test-row"', 'rule = "test-row"\nskip = true', "不认识的设置“skip”"),
        ('kind = "case"', 'kind = "cases"', "kind 应为"),
        ('source = "本局"', "source = 3", "source 应为文本"),
        ("[fields]", "[felds]", "不认识的设置“felds”"),
        ("[[when]]", "[when", "TOML"),
    ],
)
def test_each_problem_has_its_sentence(old, new, said, tmp_path):
    assert old in GOOD
    assert said in "\n".join(problems(tmp_path, GOOD.replace(old, new)))


def test_columns_the_file_lacks_are_all_named(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("号,日\n1,2026/03/02\n", encoding="utf-8")
    with pytest.raises(MappingWrong) as wrong:
        read_cases(file, mapping(tmp_path))
    assert wrong.value.problems == tuple(
        f"文件没有列“{name}”" for name in sorted(("果", "名", "账", "址", "类"))
    )
    with pytest.raises(MappingWrong, match="打不开"):
        load_mapping(tmp_path / "none.toml")
    with pytest.raises(FileUnreadable, match="只接受"):
        read_cases(tmp_path / "a.xls", mapping(tmp_path))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_samples_are_the_same_every_time_and_differ_between_values(kind):
    make = KINDS[kind]
    values = [str(number) for number in range(0, 1_000_000, 997)] + ["A-1", "甲"]
    made = [make(value) for value in values]
    assert made == [make(value) for value in values]
    if kind == "address":
        assert all("样本" in each for each in made)
        return
    assert len(set(made)) == len(values)
    if kind in {"name", "document"}:
        assert all("样本" in each for each in made)
    if kind == "uscc":
        assert {check_uscc(each) for each in made} == {None}
    if kind == "id_number":
        assert {check_id_card(each) for each in made} == {None}
