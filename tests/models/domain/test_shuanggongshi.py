"""双公示 records: what is built passes, and each broken rule is named by its field."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.party_codes import id_card_check_sign
from models.domain.shuanggongshi import (
    FOREVER,
    Finding,
    cf_record,
    check_cf,
    check_xk,
    modern_codes,
    xk_record,
)
from models.domain.shuanggongshi_fields import CF_FIELDS, OLDER_CODES, XK_FIELDS, corrected
from models.domain.workdays import Calendar

TODAY = date(2026, 3, 16)  # a Monday
CALENDAR = Calendar({}, frozenset({2026}))
COMPANY = "91230500MA1B3N1N2M"
OFFICE = "11511301008778183N"
PERSON = "430902190001010012"


def licence(**changes: str | None) -> dict[str, str]:
    plain: dict[str, str | None] = {
        "party_name": "益阳某食品有限公司",
        "party_kind": "法人及非法人组织",
        "id_type": "统一社会信用代码",
        "id_number": COMPANY,
        "legal_person": "某某",
        "document_title": "食品经营许可决定书",
        "document_number": "益市监许〔2026〕1号",
        "licence_number": "JY14309000000001",
        "content": "食品销售",
        "decided_on": "2026-03-13",
        "department_name": "益阳市市场监督管理局",
        "department_code": OFFICE,
    }
    return xk_record(**(plain | changes))  # type: ignore[arg-type]


def penalty(**changes: str) -> dict[str, str]:
    return {
        "CF_XDR_MC": "益阳某食品有限公司",
        "CF_XDR_LB": "法人及非法人组织",
        "CF_XDR_SHXYM": COMPANY,
        "CF_FRDB": "某某",
        "CF_WSH": "益市监罚〔2026〕1号",
        "CF_WFXW": "超范围经营",
        "CF_SY": "超出许可范围经营",
        "CF_YJ": "《食品安全法》第一百二十二条",
        "CF_CFLB": "警告、罚款",
        "CF_NR": "警告，罚款 2000 元",
        "CF_NR_FK": "0.2",
        "CF_JDRQ": "2026-03-13",
        "CF_GSJZQ": "2027-03-13",
        "CF_CFJG": "益阳市市场监督管理局",
        "CF_CFJGDM": OFFICE,
        "CF_SJLY": "益阳市市场监督管理局",
        "CF_SJLYDM": OFFICE,
    } | changes


def xk(**changes: str) -> set[str]:
    return {str(finding) for finding in check_xk(licence() | changes, TODAY, CALENDAR)}


def cf(**changes: str) -> set[str]:
    return {str(finding) for finding in check_cf(penalty(**changes), TODAY, CALENDAR)}


def test_a_licence_of_a_company_passes() -> None:
    record = licence()
    assert check_xk(record, TODAY, CALENDAR) == ()
    assert record["XK_YXQZ"] == "2026-03-13"
    assert record["XK_YXQZI"] == FOREVER
    assert "BZ" not in record


def test_a_licence_of_a_person_carries_no_company_code() -> None:
    number = f"43090219000101001{id_card_check_sign('43090219000101001')}"
    record = licence(party_kind="自然人", id_type="身份证", id_number=number, legal_person="某某")
    assert "XK_XDR_SHXYM" not in record
    assert "XK_FRDB" not in record
    assert record["XK_XDR_ZJHM"] == number
    assert check_xk(record, TODAY, CALENDAR) == ()
    record["XK_XDR_ZJHM"] = PERSON
    assert [str(finding) for finding in check_xk(record, TODAY, CALENDAR)] == ["XK_XDR_ZJHM:id-check"]


def test_without_a_document_number_the_licence_number_stands_in() -> None:
    assert licence(document_number="")["XK_WSH"] == "JY14309000000001"


def test_a_trader_needs_a_code_but_no_legal_person() -> None:
    record = licence(party_kind="个体工商户", legal_person=None)
    assert check_xk(record, TODAY, CALENDAR) == ()
    record.pop("XK_XDR_SHXYM")
    assert [str(finding) for finding in check_xk(record, TODAY, CALENDAR)] == ["XK_XDR_SHXYM:required"]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"XK_XDR_MC": ""}, {"XK_XDR_MC:required"}),
        ({"XK_XDR_MC": "名" * 201}, {"XK_XDR_MC:length"}),
        ({"XK_XDR_LB": "02"}, {"XK_XDR_LB:choice"}),
        ({"XK_XDR_SHXYM": "91230500MA1B3N1N2N"}, {"XK_XDR_SHXYM:uscc-check"}),
        ({"XK_XDR_SHXYM": "91230500MA1B3N1N3M"}, {"XK_XDR_SHXYM:uscc-organization"}),
        ({"XK_FRDB": ""}, {"XK_FRDB:required"}),
        ({"XK_FR_ZJLX": "身份证", "XK_FR_ZJHM": PERSON}, {"XK_FR_ZJHM:id-check"}),
        ({"XK_FR_ZJLX": "护照号", "XK_FR_ZJHM": "E1"}, set()),
        ({"XK_XKLB": "其他"}, {"XK_XKLB:choice"}),
        ({"XK_XKLB": "其他-备案"}, set()),
        ({"XK_JDRQ": "2026/03/13"}, {"XK_JDRQ:date"}),
        ({"XK_JDRQ": "2026-02-30"}, {"XK_JDRQ:date"}),
        ({"XK_JDRQ": "20260313"}, {"XK_JDRQ:date"}),
        ({"XK_JDRQ": "2026-03-17"}, {"XK_JDRQ:future"}),
        ({"XK_JDRQ": "2026-03-05"}, set()),
        ({"XK_JDRQ": "2026-03-04"}, {"XK_JDRQ:late"}),
        ({"XK_YXQZI": "2026-03-12"}, {"XK_YXQZI:order"}),
        ({"XK_XKJGDM": "1"}, {"XK_XKJGDM:uscc-length"}),
        ({"XK_ZT": "3"}, {"XK_ZT:choice"}),
        ({"XK_XDR": "x"}, {"XK_XDR:unexpected"}),
        (
            {"XK_XDR_LB": "自然人", "XK_XDR_ZJLX": "护照号", "XK_XDR_ZJHM": "E1"},
            {"XK_XDR_SHXYM:unexpected"},
        ),
        ({"XK_XDR_LB": "自然人", "XK_XDR_SHXYM": ""}, {"XK_XDR_ZJLX:required", "XK_XDR_ZJHM:required"}),
    ],
)
def test_each_broken_rule_of_a_licence_is_named(changes: dict[str, str], rules: set[str]) -> None:
    assert xk(**changes) == rules


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, set()),
        ({"CF_CFLB": "警告，罚款;没收违法所得"}, {"CF_NR_WFFF:required"}),
        ({"CF_CFLB": "责令改正"}, {"CF_CFLB:choice"}),
        ({"CF_CFLB": "其他-责令改正"}, set()),
        ({"CF_NR_FK": ""}, {"CF_NR_FK:required"}),
        ({"CF_NR_FK": "2000元"}, {"CF_NR_FK:amount"}),
        ({"CF_NR_FK": "0.1234567"}, {"CF_NR_FK:amount"}),
        ({"CF_CFLB": "吊销许可证件"}, {"CF_NR_ZKDX:required"}),
        ({"CF_CFLB": "暂扣许可证件", "CF_NR_ZKDX": "食品经营许可证 JY1"}, set()),
        ({"CF_GSJZQ": "2026-03-12"}, {"CF_GSJZQ:order"}),
        ({"CF_JDRQ": ""}, {"CF_JDRQ:required"}),
        ({"CF_JDRQ": "2026-01-01"}, {"CF_JDRQ:late"}),
    ],
)
def test_each_broken_rule_of_a_penalty_is_named(changes: dict[str, str], rules: set[str]) -> None:
    assert cf(**changes) == rules


def test_a_penalty_is_read_as_departments_write_it() -> None:
    raw = penalty(
        CF_XDR_SHXYM="统一社会信用代码：91230500ma1b3n1n2m（1/1）", CF_JDRQ="2026/03/13", CF_SJLY=" "
    )
    raw["CF_XZJG"] = raw.pop("CF_CFJG")
    raw["UNKNOWN"] = "x"
    record = cf_record(raw)
    assert record["CF_XDR_SHXYM"] == COMPANY
    assert record["CF_JDRQ"] == "2026-03-13"
    assert record["CF_CFJG"] == "益阳市市场监督管理局"
    assert "CF_SJLY" not in record
    assert "UNKNOWN" not in record


def test_a_code_of_today_wins_over_an_older_one() -> None:
    assert modern_codes({"XK_FDDB": "old", "XK_FRDB": "new"}) == {"XK_FRDB": "new"}
    assert modern_codes({"XK_FDDB": "old", "XK_FRDB": None}) == {"XK_FRDB": "old"}


def test_older_codes_lead_to_codes_of_today() -> None:
    today = {field.code for field in (*XK_FIELDS, *CF_FIELDS)}
    assert set(OLDER_CODES.values()) <= today
    assert not set(OLDER_CODES) & today


def test_a_recalled_length_is_corrected_by_configuration() -> None:
    fields = corrected(XK_FIELDS, {"XK_WSH": {"length": 3}, "XK_ZT": {"choices": ["9"]}})
    rules = {str(finding) for finding in check_xk(licence(), TODAY, CALENDAR, fields)}
    assert rules == {"XK_WSH:length", "XK_ZT:choice"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"XK_NONE": {"length": 1}},
        {"XK_WSH": {"length": 0}},
        {"XK_WSH": {"need": "all"}},
        {"XK_ZT": {"choices": []}},
    ],
)
def test_a_correction_that_cannot_be_is_refused(wrong: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ValueError, match="XK_"):
        corrected(XK_FIELDS, wrong)


@given(
    st.dictionaries(
        st.sampled_from([field.code for field in XK_FIELDS]), st.text("QZ#", min_size=1, max_size=300)
    )
)
def test_no_finding_repeats_a_value(changes: dict[str, str]) -> None:
    # None of these signs stands in any message of ours.
    for finding in check_xk(licence() | changes, TODAY, CALENDAR):
        assert not set(finding.message) & set("QZ#")


@given(st.integers(0, 40))
def test_late_begins_after_the_seventh_working_day(days: int) -> None:
    decided = TODAY - timedelta(days)
    found = xk(XK_JDRQ=decided.isoformat(), XK_YXQZ=decided.isoformat())
    late = CALENDAR.add_working_days(decided, 7) < TODAY
    assert ("XK_JDRQ:late" in found) == late


def test_a_finding_reads_as_field_and_rule() -> None:
    assert str(Finding("XK_JDRQ", "late", "晚了")) == "XK_JDRQ:late"
