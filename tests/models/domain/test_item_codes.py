"""Item codes are read where they have parts; case numbers stay as they came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.item_codes import check_case_no, check_supervision_item, parse_item_code


@given(
    st.from_regex(r"[0-9A-HJ-NPQRTUWXY]{18}", fullmatch=True),
    st.from_regex(r"[1-9]", fullmatch=True),
    st.from_regex(r"[0-9A-Z]{12}", fullmatch=True),
)
def test_an_implementation_code_has_three_parts(agency: str, level: str, catalog: str) -> None:
    code = parse_item_code(agency + level + catalog)
    assert code is not None
    assert (code.agency, code.level, code.catalog) == (agency, level, catalog)
    assert str(code) == agency + level + catalog


@pytest.mark.parametrize(
    "text",
    [
        "",
        "442199806003",
        "511Z07001006-511602000000-000-11511301008778183N-1-00",
        "12441500196720244T34421998060030",
        "12441500196720244T3442199806003\n",
        "１2441500196720244T3442199806003",
    ],
)
def test_other_forms_have_no_parts(text: str) -> None:
    assert parse_item_code(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "12441500196720244T3442199806003202206230068",
        "511Z07001006-511602000000-000",
        "赫政务〔2026〕8号",
        "x" * 64,
    ],
)
def test_case_numbers_are_opaque(text: str) -> None:
    assert check_case_no(text) is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "case-no-empty"),
        ("x" * 65, "case-no-length"),
        (" 1", "case-no-signs"),
        ("a|b", "case-no-signs"),
        ("a\nb", "case-no-signs"),
        ("a\x1fb", "case-no-signs"),
        ("a\ud800b", "case-no-signs"),
    ],
)
def test_what_would_break_a_key_is_no_case_number(text: str, rule: str) -> None:
    assert check_case_no(text) == rule


def test_supervision_items_have_fourteen_digits() -> None:
    assert check_supervision_item("43090012345678") is None
    assert check_supervision_item("4309001234567") == "supervision-item-shape"
    assert check_supervision_item("4309001234567X") == "supervision-item-shape"
