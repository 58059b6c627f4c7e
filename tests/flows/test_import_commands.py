"""`shenguan cases import`, `feedback import` and `real` as people and programs use them."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.tasks.import_files import (
    CASES_HEADER,
    case_row,
    cases_mapping,
    inspections_mapping,
    sheet,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """The command line where nothing is set and nothing is there."""
    from typer.testing import CliRunner

    from flows.cli import app

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(app, [str(one) for one in arguments])

    return run


def test_an_import_says_what_became_of_each_row(shenguan, tmp_path):
    rows = [case_row(900_001, "2026-03-11"), case_row(900_002, "2026-03-12", "不详")]
    path = sheet(tmp_path, "办件.csv", CASES_HEADER, rows)
    done = shenguan("cases", "import", path, "--mapping", cases_mapping(tmp_path), "--json")
    assert done.code == 1, done.err  # somebody has to look at a row
    report = json.loads(done.out)
    assert (report["rows"], report["admitted"], report["quarantined"]) == (2, 1, 1)
    assert report["first_line_of_rule"] == {"unknown-value": 3}
    schema = json.loads((ROOT / "docs" / "schemas" / "cases-import.json").read_text())
    Draft202012Validator(schema).validate(report)
    assert json.loads((tmp_path / "var" / "import" / "cases.json").read_text()) == report
    again = shenguan("cases", "import", path, "--mapping", cases_mapping(tmp_path))
    assert "接收 0，重复 2，隔离 0" in again.out
    assert "1 行仍在隔离" in again.out
    assert "第 3 行" in again.out


def test_every_problem_of_a_mapping_is_named_at_once(bare, tmp_path):
    path = sheet(tmp_path, "办件.csv", CASES_HEADER, [])
    mapping = cases_mapping(tmp_path)
    text = mapping.read_text(encoding="utf-8").replace('source = "赫山本地系统"', 'sauce = "x"')
    mapping.write_text(text.replace("party.name", "party.nome"), encoding="utf-8")
    done = bare("cases", "import", path, "--mapping", mapping)
    assert done.exit_code == 2
    for named in (
        "不认识的设置“sauce”",
        "缺少 source",
        "没有字段“party.nome”",
        "必填字段“party.name”没有来源",
    ):
        assert named in done.stderr


def test_columns_the_file_lacks_are_named(bare, tmp_path):
    path = sheet(tmp_path, "办件.csv", "编号,日期,结果,名称", [])
    done = bare("cases", "import", path, "--mapping", cases_mapping(tmp_path))
    assert done.exit_code == 2
    assert "文件没有列“地址”" in done.stderr
    assert "文件没有列“账号”" in done.stderr


def test_a_mapping_for_the_other_kind_is_refused(bare, tmp_path):
    path = sheet(tmp_path, "办件.csv", CASES_HEADER, [])
    done = bare("cases", "import", path, "--mapping", inspections_mapping(tmp_path))
    assert done.exit_code == 2
    assert "映射的种类是 feedback，这里需要 case" in done.stderr


def test_a_header_in_another_charset_is_told(bare, tmp_path):
    path = sheet(tmp_path, "办件.csv", CASES_HEADER, [case_row(1, "2026-03-11")], "gb18030")
    done = bare("cases", "import", path, "--mapping", cases_mapping(tmp_path))
    assert done.exit_code == 2
    assert "utf-8" in done.stderr


def test_where_the_real_records_are_not_there_it_ends_with_two(bare, tmp_path):
    done = bare("real", "--data", tmp_path)
    assert done.exit_code == 2
    assert "没有真实记录" in done.stderr
    assert "chicago_inspections.csv.gz" in done.stderr
