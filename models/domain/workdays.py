"""Working days over a given table, and the hours in which a liaison may be texted.

The table comes from outside (the State Council publishes it each November, cities add 调休);
here is only arithmetic. The day a period starts on is not counted (《民法典》第二百零一条).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone

# Asia/Shanghai has kept one offset since 1991; a fixed one needs no time-zone files.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
QUIET_FROM = time(20)
QUIET_UNTIL = time(8)
_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are worked.

    ``days`` holds the days that are settled one by one, holidays False and make-up days True;
    every other day follows its weekday. ``known_years`` are the years whose table is published:
    in all others the answer is provisional.
    """

    days: Mapping[date, bool] = field(default_factory=dict)
    known_years: frozenset[int] = frozenset()

    def is_working(self, day: date) -> bool:
        """Whether this day is worked."""
        return self.days.get(day, day.weekday() < _SATURDAY)

    def is_provisional(self, year: int) -> bool:
        """Whether this year's holidays are unknown, so that its weekdays are counted instead."""
        return year not in self.known_years

    def add_working_days(self, start: date, count: int) -> date:
        """The ``count``-th working day after ``start``; ``start`` itself for 0.

        Raises:
            ValueError: the count is negative.
        """
        if count < 0:
            raise ValueError("working days are counted forward")
        day = start
        left = count
        while left:
            day += _DAY
            left -= self.is_working(day)
        return day

    def working_days_between(self, start: date, end: date) -> int:
        """How many working days lie after ``start`` up to and with ``end``.

        Negative when ``end`` comes first: then those after ``end`` up to and with ``start``.
        """
        if end < start:
            return -self.working_days_between(end, start)
        return sum(self.is_working(start + _DAY * step) for step in range(1, (end - start).days + 1))


def business_day(moment: datetime) -> date:
    """The day an aware moment falls on in Asia/Shanghai."""
    return moment.astimezone(SHANGHAI).date()


def start_of_day(day: date) -> datetime:
    """The moment (UTC) at which this day begins in Asia/Shanghai."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def next_text_time(now: datetime, *, urgent: bool = False) -> datetime:
    """The first moment from ``now`` on at which a text may go: never 20:00–08:00 unless urgent.

    Takes an aware business time; answers ``now`` itself or the coming 08:00, in UTC.
    """
    local = now.astimezone(SHANGHAI)
    if urgent or QUIET_UNTIL <= local.time() < QUIET_FROM:
        return now.astimezone(UTC)
    day = local.date() if local.time() < QUIET_UNTIL else local.date() + _DAY
    return datetime.combine(day, QUIET_UNTIL, SHANGHAI).astimezone(UTC)
