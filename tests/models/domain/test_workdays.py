"""Working days over a table, and hours in which nobody is texted."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.workdays import SHANGHAI, Calendar, business_day, next_text_time, start_of_day

# 2026: National Day 1–7 October, made up for on Saturday 10 October.
AUTUMN = Calendar(
    {date(2026, 10, day): False for day in range(1, 8)} | {date(2026, 10, 10): True}, frozenset({2026})
)
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
MOMENTS = st.integers(1_577_836_800, 2_050_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))


def test_holidays_and_make_up_days_come_before_weekdays() -> None:
    assert not AUTUMN.is_working(date(2026, 10, 1))
    assert AUTUMN.is_working(date(2026, 10, 10))
    assert not AUTUMN.is_working(date(2026, 10, 11))
    assert AUTUMN.is_working(date(2026, 10, 12))


def test_the_limit_runs_over_the_holidays() -> None:
    # Decided on Wednesday 30 September: seven working days are 8, 9, 10, 12, 13, 14, 15 October.
    assert AUTUMN.add_working_days(date(2026, 9, 30), 7) == date(2026, 10, 15)
    assert AUTUMN.working_days_between(date(2026, 9, 30), date(2026, 10, 15)) == 7
    assert AUTUMN.working_days_between(date(2026, 10, 15), date(2026, 9, 30)) == -7


def test_unknown_years_count_weekdays_and_say_so() -> None:
    assert AUTUMN.is_provisional(2027)
    assert not AUTUMN.is_provisional(2026)
    assert AUTUMN.is_working(date(2027, 10, 1))


def test_working_days_are_counted_forward() -> None:
    with pytest.raises(ValueError, match="forward"):
        AUTUMN.add_working_days(date(2026, 1, 1), -1)


@given(DAYS, st.integers(0, 60))
def test_adding_and_counting_agree(start: date, count: int) -> None:
    end = AUTUMN.add_working_days(start, count)
    assert AUTUMN.working_days_between(start, end) == count
    assert count == 0 or AUTUMN.is_working(end)


@given(DAYS, st.integers(0, 100), st.integers(0, 100))
def test_counts_add_up_over_a_day_between(start: date, first: int, second: int) -> None:
    middle = start + timedelta(first)
    end = middle + timedelta(second)
    assert AUTUMN.working_days_between(start, end) == AUTUMN.working_days_between(
        start, middle
    ) + AUTUMN.working_days_between(middle, end)


@given(MOMENTS)
def test_a_text_never_goes_at_night(now: datetime) -> None:
    at = next_text_time(now)
    assert at >= now
    assert at - now <= timedelta(hours=12)
    assert time(8) <= at.astimezone(SHANGHAI).time() < time(20)
    assert next_text_time(at) == at
    assert next_text_time(now, urgent=True) == now


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-23T07:59:59+08:00", "2026-11-23T08:00:00+08:00"),
        ("2026-11-23T08:00:00+08:00", "2026-11-23T08:00:00+08:00"),
        ("2026-11-23T19:59:59+08:00", "2026-11-23T19:59:59+08:00"),
        ("2026-11-23T20:00:00+08:00", "2026-11-24T08:00:00+08:00"),
        ("2026-12-31T23:00:00+08:00", "2027-01-01T08:00:00+08:00"),
    ],
)
def test_the_edges_of_the_night(now: str, then: str) -> None:
    assert next_text_time(datetime.fromisoformat(now)) == datetime.fromisoformat(then)


@given(DAYS)
def test_a_day_begins_and_ends_in_shanghai(day: date) -> None:
    begins = start_of_day(day)
    assert business_day(begins) == day
    assert business_day(begins - timedelta(microseconds=1)) == day - timedelta(1)
