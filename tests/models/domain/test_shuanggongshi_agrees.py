"""Our check and the credit simulator's, written apart, come to the same verdict."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sandbox.shuanggongshi import record_errors
from adapters.sandbox.workdays import Workdays
from config.calendar import load_working_days
from models.domain.shuanggongshi import check_cf, check_xk
from models.domain.shuanggongshi_fields import CF_FIELDS, LEGAL, NATURAL, TRADER, XK_FIELDS, Field
from models.domain.workdays import Calendar

TODAY = date(2026, 10, 15)
CALENDAR = Calendar(*load_working_days())
CHECKS = {"XK": check_xk, "CF": check_cf}
COMPANY, OFFICE, PERSON = "91230500MA1B3N1N2M", "11511301008778183N", "430902190001010013"
# Blank texts are left out: what we build has none.
PLAIN = {
    "DATE": ["2026-10-14", "2026-09-30", "2026-09-29", "2026-10-16", "2099-12-31", "2026-02-30"],
    "CODE": [COMPANY, OFFICE, "91230500MA1B3N1N2N", "91230500MA1B3N1N3M", COMPANY.lower(), "600037341"],
    "TEXT": ["x", "某某", "", "字" * 65, "字" * 5001, "a\x00b", "0.2", "0.2000001", "2000元", "2026/10/14"],
    "LIST": [LEGAL, NATURAL, TRADER, "普通", "其他", "其他-备案", "罚款", "警告、罚款", "吊销许可证件;罚款"],
    "ID": ["身份证", "护照号", PERSON, "430902190001010012", "1", "2"],
}
VALUES = st.sampled_from([value for values in PLAIN.values() for value in values])


def good(field: Field, kind: str) -> str:
    short = field.code.removeprefix(f"{kind}_")
    if field.form == "date":
        return "2099-12-31" if short in {"YXQZI", "GSJZQ"} else "2026-10-14"
    if field.form == "uscc":
        return COMPANY
    given = {"XDR_LB": LEGAL, "XKLB": "普通", "ZT": "1", "CFLB": "警告"}
    return given.get(short, "某某" if field.need in {"all", "legal"} else "")


@pytest.mark.parametrize(("kind", "fields"), [("XK", XK_FIELDS), ("CF", CF_FIELDS)])
@given(data=st.data())
def test_both_come_to_the_same_verdict(kind: str, fields: tuple[Field, ...], data: st.DataObject) -> None:
    record = {field.code: text for field in fields if (text := good(field, kind))}
    codes = st.sampled_from([*(field.code for field in fields), "XK_NONE"])
    record |= data.draw(st.dictionaries(codes, VALUES, max_size=4))
    ours = CHECKS[kind](record, TODAY, CALENDAR)
    theirs = record_errors(kind, record, today=TODAY, workdays=Workdays())
    assert bool(ours) == bool(theirs), (ours, theirs)


def test_the_plain_record_passes_both() -> None:
    for kind, fields in (("XK", XK_FIELDS), ("CF", CF_FIELDS)):
        record = {field.code: text for field in fields if (text := good(field, kind))}
        assert CHECKS[kind](record, TODAY, CALENDAR) == ()
        assert record_errors(kind, record, today=TODAY, workdays=Workdays()) == []


def test_both_count_the_same_working_days() -> None:
    first, simulated = date(2025, 1, 1), Workdays()
    days = [first + timedelta(number) for number in range(730)]
    assert [day for day in days if simulated.is_workday(day) != CALENDAR.is_working(day)] == []
