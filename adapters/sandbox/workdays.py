"""The credit system's own working days: its limit of seven counts by this table.

Days off on weekdays and worked weekend days as announced by the State Council each November;
years the table does not know count weekdays. A world may give its own lists.
"""

from collections.abc import Iterable
from datetime import date, timedelta

_OFF = {
    2025: "0101 0128 0129 0130 0131 0203 0204 0404 0501 0502 0505 0602 1001 1002 1003 1006 1007 1008",
    2026: "0101 0102 0216 0217 0218 0219 0220 0223 0406 0501 0504 0505 0619 0925 1001 1002 1005 1006 1007",
}
_ON = {
    2025: "0126 0208 0427 0928 1011",
    2026: "0104 0214 0228 0509 0920 1010",
}
_SATURDAY = 5


class Workdays:
    """Which days count. ``off`` and ``on`` add to the table, as `YYYY-MM-DD`."""

    def __init__(self, *, off: Iterable[str] = (), on: Iterable[str] = ()) -> None:
        self._off = _dates(_OFF) | {date.fromisoformat(text) for text in off}
        self._on = _dates(_ON) | {date.fromisoformat(text) for text in on}

    def is_workday(self, day: date) -> bool:
        """Whether offices are open on the day."""
        return day in self._on or (day.weekday() < _SATURDAY and day not in self._off)

    def within(self, begins: date, ends: date, days: int) -> bool:
        """Whether at most so many working days lie after ``begins``, up to and with ``ends``."""
        day = begins
        passed = 0
        while day < ends:
            day += timedelta(days=1)
            passed += self.is_workday(day)
            if passed > days:
                return False
        return True


def _dates(table: dict[int, str]) -> set[date]:
    return {date(y, int(d[:2]), int(d[2:])) for y, days in table.items() for d in days.split()}
