"""The table of working days: chinesecalendar's published years and the city's own corrections."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import chinese_calendar


class WorkingDays(NamedTuple):
    """What the working-day arithmetic takes: settled days, and the years whose table is known."""

    days: Mapping[date, bool]
    known_years: frozenset[int]


class CalendarFileWrong(ValueError):  # noqa: N818 - named as the finding it is
    """The city's calendar file cannot be used; ``problems`` are Chinese sentences."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "；".join(self.problems)


def load_working_days(path: Path | None = None) -> WorkingDays:
    """The published years of chinesecalendar, corrected by the ``[[day]]`` entries of a file.

    An entry is ``date = 2027-02-08`` and ``working = true|false``; ``known_years = [2027]`` at the
    top says that the file holds that year whole. A file that is not there corrects nothing.

    Raises:
        CalendarFileWrong: naming every entry that cannot be read.
    """
    days = dict.fromkeys(chinese_calendar.holidays, False) | dict.fromkeys(chinese_calendar.workdays, True)
    years = {day.year for day in days}
    if path is not None and path.exists():
        document = _read(path)
        days |= _corrections(path.name, document)
        years |= _years(path.name, document)
    return WorkingDays(days, frozenset(years))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise CalendarFileWrong((f"{path.name}：不是可读的 TOML 文件（{wrong}）",)) from wrong


def _corrections(name: str, document: dict[str, Any]) -> dict[date, bool]:
    days: dict[date, bool] = {}
    problems: list[str] = []
    entries = document.get("day", [])
    for number, entry in enumerate(entries if isinstance(entries, list) else [None], start=1):
        day = entry.get("date") if isinstance(entry, dict) else None
        working = entry.get("working") if isinstance(entry, dict) else None
        # A TOML date-time is a date to Python; here it would be a mistake.
        if type(day) is not date or not isinstance(working, bool):
            problems.append(f"{name}：第 {number} 个 [[day]] 须写明 date（日期）与 working（true 或 false）")
        elif day in days:
            problems.append(f"{name}：第 {number} 个 [[day]] 与前面的 {day.isoformat()} 重复")
        else:
            days[day] = working
    if problems:
        raise CalendarFileWrong(tuple(problems))
    return days


def _years(name: str, document: dict[str, Any]) -> set[int]:
    years = document.get("known_years", [])
    if not isinstance(years, list) or not all(type(year) is int for year in years):
        raise CalendarFileWrong((f"{name}：known_years 须是年份的列表，如 [2027]",))
    return set(years)
