"""Business days and hours of the world's year. Aware times with +08:00; no clock is read."""

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import cache

ZONE = timezone(timedelta(hours=8))
BEGINS = date(2026, 3, 2)  # a Monday
ARRIVAL_DAYS = 35  # business days on which cases arrive
LENGTH = 90  # calendar days within which every observation period should pass
_SATURDAY = 5
# State Council's notice for 2026, from the day the world begins.
_HOLIDAYS = frozenset(
    {
        date(2026, 4, 6),
        date(2026, 5, 1),
        date(2026, 5, 4),
        date(2026, 5, 5),
        date(2026, 6, 19),
        date(2026, 9, 25),
        *(date(2026, 10, day) for day in (1, 2, 5, 6, 7)),
    }
)
_MADE_UP = frozenset({date(2026, 5, 9), date(2026, 9, 20), date(2026, 10, 10)})


def works(day: date) -> bool:
    """Whether the day is a working day."""
    return day in _MADE_UP or (day.weekday() < _SATURDAY and day not in _HOLIDAYS)


def later(day: date, working_days: int) -> date:
    """The day that many working days after ``day`` (before it, for a negative number)."""
    step = timedelta(days=1 if working_days > 0 else -1)
    for _ in range(abs(working_days)):
        day += step
        while not works(day):
            day += step
    return day


@cache
def arrival_days() -> tuple[date, ...]:
    """The business days on which cases arrive."""
    return (BEGINS, *(later(BEGINS, count) for count in range(1, ARRIVAL_DAYS)))


def office_moment(draw: random.Random, day: date) -> datetime:
    """A moment of this day between 08:30 and 17:30."""
    return at(day, 8 * 3600 + 1800) + timedelta(seconds=draw.randrange(9 * 3600))


def odd_moment(draw: random.Random, day: date) -> datetime:
    """A moment outside office hours: in the evening, before dawn, or on the weekend after."""
    if draw.random() < 0.4:  # noqa: PLR2004 - a share
        day += timedelta(days=_SATURDAY - day.weekday() if day.weekday() < _SATURDAY else 0)
        return office_moment(draw, day)
    # The world begins in the morning: nothing comes before its first dawn.
    hour = draw.choice((19, 20, 21, 22, 23) if day == BEGINS else (19, 20, 21, 22, 23, 5, 6))
    return at(day, hour * 3600) + timedelta(seconds=draw.randrange(3600))


def at(day: date, seconds: int = 0) -> datetime:
    """The moment that many seconds after midnight."""
    return datetime.combine(day, time(), ZONE) + timedelta(seconds=seconds)


def written(moment: datetime) -> str:
    """RFC 3339 with +08:00, whole seconds."""
    return moment.replace(microsecond=0).isoformat()


@dataclass(frozen=True, slots=True)
class Span:
    """The days on which something may arrive: first and last, both of them business days or not."""

    first: date
    last: date

    def pick(self, draw: random.Random) -> date:
        """One of the arrival days inside the span; the first of the world if none is."""
        days = [day for day in arrival_days() if self.first <= day <= self.last]
        return draw.choice(days or [BEGINS])
