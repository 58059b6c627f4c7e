"""Masks show what a person needs to recognise, and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.masks import mask_id_number, mask_name, mask_phone


@pytest.mark.parametrize(
    ("name", "shown"), [("张三", "张**"), (" 欧阳小明 ", "欧**"), ("", ""), ("张", "张**")]
)
def test_names(name: str, shown: str) -> None:
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    ("phone", "shown"), [("18012341999", "180****1999"), ("0737123", "*******"), ("", "")]
)
def test_phones(phone: str, shown: str) -> None:
    assert mask_phone(phone) == shown


@pytest.mark.parametrize(("number", "shown"), [("43090219900101001X", "4***************1X"), ("12", "**")])
def test_id_numbers(number: str, shown: str) -> None:
    assert mask_id_number(number) == shown


@given(st.text("0123456789X", min_size=1, max_size=40))
def test_at_least_as_much_is_hidden_as_the_tail_shows(number: str) -> None:
    for mask, tail in ((mask_phone, 4), (mask_id_number, 2)):
        shown = mask(number)
        assert len(shown) == len(number)
        assert shown.count("*") >= min(tail, len(number))
