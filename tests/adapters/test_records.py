"""What a broken record is told: the field's name, and nothing a stranger could have hidden in it."""

import json

import pytest

from adapters.records import parse_case
from models.domain.errors import BrokenRecord
from tests.tasks.records import case, serial

PLAIN = "（名称不规范）"


def message(record):
    with pytest.raises(BrokenRecord) as caught:
        parse_case(json.dumps(record).encode(), "C-1")
    return caught.value.message


@pytest.mark.parametrize(
    "name", ["430902199001011234", "t13800138000", "赵拟宁", "_private", "a b", "x" * 41]
)
def test_a_strange_field_is_not_repeated(name):
    said = message(case(serial()) | {name: 1})
    assert name not in said
    assert PLAIN in said


@pytest.mark.parametrize("name", ["colour", "XK_ZZ", "line12345"])
def test_a_decent_field_name_is(name):
    assert f"“{name}”" in message(case(serial()) | {name: 1})


def test_a_field_inside_a_list_keeps_its_place():
    wrong = case(serial()) | {
        "attachments": [{"name": "申请表", "sha256": "0"}, {"name": "照片", "sha256": 1}]
    }
    assert "attachments.1.sha256" in message(wrong)


@pytest.mark.parametrize("number", ["甲|acceptance|乙", "有\x1f分隔", "乙\n丙", " 甲", ""])
def test_a_number_that_would_break_a_key_is_refused(number):
    said = message(case(serial()) | {"case_no": number})
    assert said.startswith("办件编号")


@pytest.mark.parametrize("field", ["accepted_at", "completed_at", "changed_at"])
def test_the_last_day_of_the_calendar_is_refused(field):
    said = message(case(serial()) | {field: "9999-12-31T00:00:00+08:00"})
    assert "的年份不在1949至2199年之间" in said
    assert "9999" not in said
