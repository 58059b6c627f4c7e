"""What a record may not say is named in Chinese, and without the value."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from models.domain.record import Document, Party, Place, PlatformCreditCheck, RuleBroken
from tests.models.domain.samples import AT, CASE, CREDIT, FEEDBACK

PERSON = "430903198001011233"
PHONE = "13800138000"
NAIVE = AT.replace(tzinfo=None)
BROKEN: list[tuple[Callable[[], Any], str]] = [
    (lambda: replace(CASE, case_no=" "), "办件编号"),
    (lambda: replace(CASE, case_no="9" * 65), "办件编号"),
    (lambda: replace(CASE, case_no="C|99"), "办件编号含有控制字符、竖线"),
    (lambda: replace(CASE, case_no="C\x1f99"), "办件编号含有控制字符、竖线"),
    (lambda: replace(CASE, case_no="C99 "), "首尾空格"),
    (lambda: replace(CASE, changed_at=AT.replace(year=2200)), "变更时间的年份不在1949至2199年之间"),
    (lambda: replace(CASE, accepted_at=AT.replace(year=1)), "受理时间的年份"),
    (lambda: replace(CASE, completed_at=AT.replace(year=9999)), "办结时间的年份"),
    (lambda: replace(CASE, decided_on=date.max), "决定日期的年份"),
    (lambda: replace(CASE, valid_from=date(1948, 1, 1)), "有效期起的年份"),
    (lambda: replace(CASE, valid_to=date.max), "有效期止的年份"),
    (lambda: replace(CASE, data_version=0), "数据版本号"),
    (lambda: replace(CASE, item_name="9" * 257), "事项名称超过256"),
    (lambda: replace(CASE, item_code="9" * 65), "事项编码"),
    (lambda: replace(CASE, licence_number="9" * 65), "许可编号"),
    (lambda: replace(CASE, content="9" * 4001), "许可内容"),
    (lambda: replace(CASE, content="99\x00"), "许可内容含有空字符"),
    (lambda: replace(CASE, changed_at=NAIVE), "变更时间缺少时区"),
    (lambda: replace(CASE, accepted_at=NAIVE), "受理时间缺少时区"),
    (lambda: replace(CASE, completed_at=NAIVE), "办结时间缺少时区"),
    (lambda: replace(CASE, valid_from=date(2026, 3, 2), valid_to=date(2026, 3, 1)), "有效期止早于有效期起"),
    (lambda: replace(CASE.party, name="9" * 201), "行政相对人名称"),
    (lambda: replace(CASE.party, id_number="9" * 65), "证件号码"),
    (lambda: replace(CASE.party, phone="9" * 4001), "联系电话"),
    (lambda: Place(region="4309"), "行政区划"),
    (lambda: Place(region="４３０９０２"), "行政区划"),
    (lambda: Place(region="430902", address="9" * 4001), "经营地址"),
    (lambda: Document(title="9" * 257, number="1"), "文书名称"),
    (lambda: Document(title="1", number="9" * 65), "文书号"),
    (lambda: PlatformCreditCheck(number="1", checked_at=NAIVE, grade="good"), "信用查询时间缺少时区"),
    (lambda: replace(FEEDBACK, feedback_no=""), "反馈编号"),
    (lambda: replace(FEEDBACK, feedback_no="F|99"), "反馈编号含有控制字符、竖线"),
    (lambda: replace(FEEDBACK, happened_on=date.min), "发生日期的年份"),
    (lambda: replace(FEEDBACK, rectification_due=date.max), "整改期限的年份"),
    (lambda: replace(FEEDBACK, version=-1), "数据版本号"),
    (lambda: replace(FEEDBACK, changed_at=NAIVE), "变更时间"),
    (lambda: replace(FEEDBACK, summary="9" * 2001), "情况说明"),
    (lambda: replace(FEEDBACK, kind="penalty"), "缺少处罚信息"),
    (lambda: replace(CREDIT, record_no="9" * 65), "信用记录编号"),
    (lambda: replace(CREDIT, record_no="R\n99"), "信用记录编号含有控制字符、竖线"),
    (lambda: replace(CREDIT, valid_to=date.max), "有效期止的年份"),
    (lambda: replace(CREDIT, version=0), "数据版本号"),
    (lambda: replace(CREDIT, changed_at=NAIVE), "变更时间"),
    (lambda: replace(CASE, item_code=""), "事项编码应为1至64个字符"),
    (lambda: replace(CASE, item_code="99\n"), "事项编码含有控制字符"),
    (lambda: replace(CASE, department="9" * 65), "受理部门超过64个字符"),
    *(
        (lambda field=field, number=number: replace(CASE, **{field: number}), f"{label}疑似自然人的证件号码")
        for field, label in {
            "case_no": "办件编号",
            "item_code": "事项编码",
            "parent_case_no": "关联办件编号",
            "department": "受理部门",
            "region": "行政区划",
        }.items()
        for number in (PERSON, PHONE)
    ),
    *(
        (lambda field=field, number=number: replace(FEEDBACK, **{field: number}), f"{label}疑似自然人")
        for field, label in {
            "feedback_no": "反馈编号",
            "case_no": "办件编号",
            "item_code": "事项编码",
            "department": "反馈部门",
        }.items()
        for number in (PERSON, PHONE)
    ),
    (lambda: replace(CREDIT, record_no=PERSON), "信用记录编号疑似自然人"),
]


@pytest.mark.parametrize(("build", "named"), BROKEN)
def test_a_broken_rule_is_named_without_the_value(build: Callable[[], Any], named: str) -> None:
    with pytest.raises(RuleBroken, match=named) as caught:
        build()
    said = str(caught.value).replace("2199年", "")
    assert [value for value in ("99", PERSON, PHONE) if value in said] == []


def test_a_term_of_one_day_and_a_place_by_township_are_fine() -> None:
    day = date(2026, 3, 1)
    assert replace(CASE, valid_from=day, valid_to=day).valid_to == day
    assert Place(region="430902101").region == "430902101"
    assert Party(name="某", kind="自然人", id_type="身份证", id_number="1").legal_person is None
    assert PlatformCreditCheck(number="1", checked_at=datetime.now(AT.tzinfo), grade="good").grade == "good"


@pytest.mark.parametrize(
    ("changes", "abnormal"),
    [
        ({}, False),
        ({"kind": "read", "result": "不符合"}, False),
        ({"result": "符合"}, False),
        ({"result": "符合", "handling": "通过"}, False),
        ({"result": "符合", "handling": "限期整改"}, True),
        ({"result": "基本符合"}, True),
        ({"result": "不符合", "handling": "移交执法"}, True),
        ({"kind": "measure"}, True),
        ({"kind": "penalty", "penalty": {"CF_WSH": "1"}}, True),
        ({"kind": "rectification", "rectification": "合格"}, True),
        ({"kind": "policy"}, True),
    ],
)
def test_what_the_approval_side_must_hear_of(changes: dict[str, Any], abnormal: bool) -> None:
    assert replace(FEEDBACK, **changes).abnormal is abnormal
