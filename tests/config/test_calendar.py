"""The table of working days, as published and as a city corrects it."""

import pickle
from datetime import date
from pathlib import Path

import pytest

from config.calendar import CalendarFileWrong, load_working_days
from models.domain.workdays import Calendar

CITY = Path(__file__).parents[2] / "config" / "yiyang" / "calendar.toml"


def test_the_published_years_are_known() -> None:
    calendar = Calendar(*load_working_days())
    assert not calendar.is_working(date(2026, 10, 1))
    assert calendar.is_working(date(2026, 10, 10))
    assert not calendar.is_provisional(2026)
    assert calendar.is_provisional(2027)


def test_the_citys_own_file_is_read() -> None:
    calendar = Calendar(*load_working_days(CITY))
    assert not calendar.is_working(date(2027, 1, 1))


def test_a_city_corrects_days_and_adds_a_year(tmp_path: Path) -> None:
    file = tmp_path / "calendar.toml"
    file.write_text(
        "known_years = [2027]\n[[day]]\ndate = 2026-10-01\nworking = true\n"
        "[[day]]\ndate = 2027-02-08\nworking = false\n"
    )
    calendar = Calendar(*load_working_days(file))
    assert calendar.is_working(date(2026, 10, 1))
    assert not calendar.is_working(date(2027, 2, 8))
    assert not calendar.is_provisional(2027)


def test_a_file_that_is_not_there_corrects_nothing(tmp_path: Path) -> None:
    assert load_working_days(tmp_path / "none.toml") == load_working_days()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[day]]\ndate = 2027-02-08", "第 1 个"),
        ('[[day]]\ndate = "2027-02-08"\nworking = true', "第 1 个"),
        ("[[day]]\ndate = 2027-02-08T00:00:00\nworking = true", "第 1 个"),
        ("[[day]]\ndate = 2027-02-08\nworking = 1", "第 1 个"),
        ("[[day]]\ndate = 2027-02-08\nworking = true\n[[day]]\ndate = 2027-02-08\nworking = false", "重复"),
        ("day = 1", "第 1 个"),
        ("day = [1]", "第 1 个"),
        ('known_years = ["2027"]', "known_years"),
        ("known_years = 2027", "known_years"),
        ("[[day", "TOML"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "calendar.toml"
    file.write_text(text)
    with pytest.raises(CalendarFileWrong, match=named) as caught:
        load_working_days(file)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    file = tmp_path / "calendar.toml"
    file.write_bytes("# 日历".encode("gbk"))
    with pytest.raises(CalendarFileWrong, match="TOML"):
        load_working_days(file)
