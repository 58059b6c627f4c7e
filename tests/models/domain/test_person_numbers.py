"""A person's number is told from a matter's own, which may look much like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.log_privacy import looks_personal
from models.domain.party_codes import id_card_check_sign
from models.domain.person_numbers import ANY_YEAR, is_of_a_person

BODY = "43090319800101123"
RIGHT = BODY + id_card_check_sign(BODY)


@pytest.mark.parametrize(
    "number",
    [
        RIGHT,
        f"{BODY}X",
        f"{BODY}x",
        f"{RIGHT}-1",
        f"办{RIGHT}",
        "13800138000",
        "+8613800138000",
        "１３８００１３８０００",
    ],
)
def test_a_person_s_number_is_known(number: str) -> None:
    assert is_of_a_person(number, year=2026)


@pytest.mark.parametrize(
    "number",
    [
        "ZZ00000001",
        f"1{RIGHT}",
        f"{RIGHT}7",
        "430903198013011234",
        "No.13800138000-1",
        "12800138000",
        "1380013800",
    ],
)
def test_another_number_is_none(number: str) -> None:
    assert not is_of_a_person(number, year=2026)


@given(st.integers(2011, 2026), st.integers(0, 9999))
def test_a_city_s_numbers_of_region_day_and_serial_are_no_persons(year: int, serial: int) -> None:
    number = f"430900{year}0701{serial:04d}"
    assert not is_of_a_person(number, year=year)
    mistyped = number[17] != id_card_check_sign(number)
    assert is_of_a_person(number, year=ANY_YEAR) is not mistyped
    assert looks_personal(number) is not mistyped
