"""Codes against python-stdnum, and against the dirt that real feeds hold."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from models.domain.party_codes import (
    check_id_card,
    check_organization,
    check_uscc,
    clean_code,
    clean_person_id,
    code_kind,
    id_card_check_sign,
    organization_check_sign,
    upgrade_id_card,
    uscc_check_sign,
)

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# Published by their owners and quoted in public samples.
PUBLIC = (
    "91230500MA1B3N1N2M",
    "91330203674737244W",
    "91110000600037341L",
    "12441500196720244T",
    "11511301008778183N",
)


@st.composite
def lawful_uscc(draw: st.DrawFn, head: str = ALPHABET) -> str:
    """An invented code that passes both checks."""
    front = draw(st.text(head, min_size=8, max_size=8))
    body = draw(st.text(ALPHABET, min_size=8, max_size=8))
    seventeen = front + body + organization_check_sign(body)
    return seventeen + uscc_check_sign(seventeen)


@st.composite
def lawful_id_card(draw: st.DrawFn) -> str:
    """An invented id number whose day exists and whose sign fits; the region is the oracle's need."""
    day = draw(st.dates(min_value=date(1900, 1, 1)))
    seventeen = f"430902{day:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return seventeen + id_card_check_sign(seventeen)


@pytest.mark.parametrize("code", PUBLIC)
def test_public_codes_hold(code: str) -> None:
    assert check_uscc(code) is None
    assert uscc.is_valid(code)


@given(lawful_uscc())
def test_letters_are_lawful_in_the_first_eight_places(code: str) -> None:
    assert check_uscc(code) is None
    assert check_organization(code[8:17]) is None


@given(lawful_uscc(head="0123456789"), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_the_oracle_agrees_where_it_can(code: str, place: int, sign: str) -> None:
    changed = code[:place] + sign + code[place + 1 :]
    assume(changed[:8].isdigit())
    # The oracle does not look at the inner digit; whatever passes here passes there.
    if check_uscc(changed) is None:
        assert uscc.is_valid(changed)
    elif check_uscc(changed) == "uscc-check":
        assert not uscc.is_valid(changed)


@given(lawful_uscc(), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_wrong_sign_is_always_seen(code: str, place: int, sign: str) -> None:
    assume(code[place] != sign)
    assert check_uscc(code[:place] + sign + code[place + 1 :]) is not None


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("", "uscc-length"),
        ("91230500MA1B3N1N2", "uscc-length"),
        ("91230500MA1B3N1N2I", "uscc-alphabet"),
        ("91230500ma1b3n1n2m", "uscc-alphabet"),
        ("91230500MA1B3N1N3M", "uscc-organization"),
        ("91230500MA1B3N1N2N", "uscc-check"),
    ],
)
def test_a_broken_credit_code_names_its_rule(code: str, rule: str) -> None:
    assert check_uscc(code) == rule


@pytest.mark.parametrize(
    ("code", "rule"), [("12345678", "organization-shape"), ("600037342", "organization-check")]
)
def test_a_broken_organization_code_names_its_rule(code: str, rule: str) -> None:
    assert check_organization(code) == rule


@given(lawful_id_card())
def test_id_numbers_agree_with_the_oracle(number: str) -> None:
    assert check_id_card(number) is None
    assert ric.calc_check_digit(number) == number[17]


@given(lawful_id_card(), st.integers(0, 17), st.sampled_from("0123456789X"))
def test_one_wrong_sign_of_an_id_number_is_always_seen(number: str, place: int, sign: str) -> None:
    assume(number[place] != sign)
    assert check_id_card(number[:place] + sign + number[place + 1 :]) is not None


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("43090219900230123", "id-length"),
        ("43090219900230123x", "id-alphabet"),
        ("430902199002301234", "id-date"),
        ("430902000002201234", "id-date"),
        ("430902199002201230", "id-check"),
        ("４30902199002201230", "id-alphabet"),
    ],
)
def test_a_broken_id_number_names_its_rule(number: str, rule: str) -> None:
    assert check_id_card(number) == rule


@given(st.dates(date(1900, 1, 1), date(1999, 12, 31)), st.integers(0, 995))
def test_fifteen_digits_become_the_eighteen_they_were(born: date, sequence: int) -> None:
    body = f"430902{born:%Y%m%d}{sequence:03d}"
    assert upgrade_id_card(body[:6] + body[8:]) == body + id_card_check_sign(body)


def test_a_centenarian_was_born_in_the_century_before() -> None:
    assert upgrade_id_card("430902981231996").startswith("43090218981231996")
    assert check_id_card(upgrade_id_card("430902981231996")) is None
    assert upgrade_id_card("not a number") == "not a number"


@pytest.mark.parametrize(
    "cell",
    [
        "统一社会信用代码：91230500MA1B3N1N2M",
        "91230500MA1B3N1N2M（1/1）",
        "91230500MA1B3N1N2M(1/1)",
        "91230500MA1B3N1N2M()",
        "91230500ma1b3n1n2m",
        "９１２３０５００ＭＡ１Ｂ３Ｎ１Ｎ２Ｍ",
        " 代码_1: 9123 0500 MA1B 3N1N 2M （ 1 / 1 ）",
        "91230500MA1B3N1N2M：",
        "信用代码91230500MA1B3N1N2M。",
    ],
)
def test_real_dirt_is_taken_away(cell: str) -> None:
    assert clean_code(cell) == "91230500MA1B3N1N2M"


@pytest.mark.parametrize("cell", ["", "  ", "undefined", "()", "（1/1）", "无", "NULL", "信用代码："])
def test_cells_that_say_nothing_are_empty(cell: str) -> None:
    assert clean_code(cell) == ""


@given(st.text())
def test_cleaning_twice_changes_nothing_more(cell: str) -> None:
    once = clean_code(cell)
    assert clean_code(once) == once


@given(lawful_uscc())
def test_a_clean_code_stays_whole(code: str) -> None:
    assert clean_code(code) == code


def test_a_masked_code_stays_masked() -> None:
    assert clean_code("4***************1x") == "4***************1X"


def test_a_person_id_that_repeats_other_cells_is_none() -> None:
    assert clean_person_id("王小明 ", name="王小明") == ""
    assert clean_person_id("91230500ma1b3n1n2m", company_code="91230500MA1B3N1N2M") == ""
    assert clean_person_id("430902900220123", name="王小明") == upgrade_id_card("430902900220123")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("91230500MA1B3N1N2M", "uscc"),
        ("430902900220123", "id_card"),
        ("430900000001234", "registration"),
        ("4309001234567", "registration"),
        ("60003734-1", "organization"),
        ("60003734-2", "unknown"),
        ("某公司", "unknown"),
    ],
)
def test_a_cleaned_code_shows_its_kind(code: str, kind: str) -> None:
    assert code_kind(code) == kind
