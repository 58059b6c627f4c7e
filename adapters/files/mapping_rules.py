"""The rules of a mapping file read and checked, one field at a time; problems are collected, in Chinese."""

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.files.rules import Column, Const, Lookup, Moment, Rule, Sample
from adapters.files.samples import KINDS
from adapters.files.targets import Target

_WAYS = ("column", "const", "map", "date", "sample")
_BESIDE = {"column": {"prefix", "suffix"}}


def read_rule(name: str, given: Any, problems: list[str]) -> Rule | None:
    """The rule of one field; None, with the problems said, when it cannot be used."""
    if not isinstance(given, dict):
        problems.append(f'字段“{name}”应为表，例如 {{ column = "…" }}')
        return None
    ways = [way for way in _WAYS if way in given]
    if len(ways) != 1:
        problems.append(f"字段“{name}”应恰有 {'、'.join(_WAYS)} 之一")
        return None
    way = ways[0]
    strange = sorted(set(given) - {way} - _BESIDE.get(way, set()))
    if strange:
        problems.append(f"字段“{name}”有不认识的设置：{'、'.join(strange)}")
        return None
    readers: dict[str, Callable[[str, Any, list[str]], Rule | None]] = {
        "column": lambda name, _, problems: _column(name, given, problems),
        "const": _const,
        "map": _lookup,
        "date": read_moment,
        "sample": _sample,
    }
    return readers[way](name, given[way], problems)


def read_moment(name: str, given: Any, problems: list[str]) -> Moment | None:
    """The rule of a date or a moment; None, with the problems said, when it cannot be used."""
    inside = _inside(name, given, {"column", "format"}, {"zone", "at"}, problems)
    if inside is None:
        return None
    before = len(problems)
    form = inside["format"]
    if not any(sign in form for sign in ("%d", "%j", "%x", "%c")):
        problems.append(f"“{name}”的 format 没有日期")
    zone = None
    if "zone" in inside:
        try:
            zone = ZoneInfo(inside["zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            problems.append(f"“{name}”的 zone 不是已知时区")
    at = None
    if "at" in inside:
        try:
            at = time.fromisoformat(inside["at"])
        except ValueError:
            problems.append(f"“{name}”的 at 不是时刻")
        if zone is None:
            problems.append(f"“{name}”有 at 而没有 zone")
    return Moment(inside["column"], form, zone, at) if len(problems) == before else None


def fits(name: str, target: Target, rule: Rule) -> list[str]:
    """Why this rule cannot fill this field; empty when it can."""
    if isinstance(rule, Const):
        return _const_fits(name, target, rule.constant)
    moment = isinstance(rule, Moment)
    if target.kind in {"date", "moment"}:
        if not isinstance(rule, Moment):
            return [f"字段“{name}”是日期或时间，应使用 date"]
        if (rule.zone is None) != (target.kind == "date"):
            wanted = "不带 zone" if target.kind == "date" else "带 zone"
            return [f"字段“{name}”的 date 应{wanted}"]
    elif moment:
        return [f"字段“{name}”不是日期，不能使用 date"]
    return []


def _const_fits(name: str, target: Target, value: Any) -> list[str]:
    texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    right = {
        "text": isinstance(value, str) and bool(value),
        "whole": isinstance(value, int) and not isinstance(value, bool) and value > 0,
        "date": isinstance(value, str) and _is_date(value),
        "moment": isinstance(value, str) and _is_moment(value),
        "texts": texts,
    }
    forms = {
        "text": "非空文本",
        "whole": "正整数",
        "date": "日期文本",
        "moment": "带时区的时间文本",
        "texts": "文本的列表",
    }
    return [] if right[target.kind] else [f"字段“{name}”的 const 应为{forms[target.kind]}"]


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_moment(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).utcoffset() is not None
    except ValueError:
        return False


def _column(name: str, given: dict[str, Any], problems: list[str]) -> Column | None:
    if not all(isinstance(value, str) for value in given.values()) or not given["column"]:
        problems.append(f"字段“{name}”的 column、prefix、suffix 应为文本")
        return None
    return Column(given["column"], given.get("prefix", ""), given.get("suffix", ""))


def _const(name: str, value: Any, problems: list[str]) -> Const | None:
    if isinstance(value, str | int | list) and not isinstance(value, bool):
        return Const(value)
    problems.append(f"字段“{name}”的 const 应为文本、整数或列表")
    return None


def _lookup(name: str, given: Any, problems: list[str]) -> Lookup | None:
    if not isinstance(given, dict) or set(given) not in ({"column", "table"}, {"columns", "table"}):
        problems.append(f"字段“{name}”的 map 应有 column（或 columns）与 table")
        return None
    names = given["columns"] if "columns" in given else [given["column"]]
    if not isinstance(names, list) or not names or not all(isinstance(each, str) and each for each in names):
        problems.append(f"字段“{name}”的 map 的列名应为文本")
        return None
    table = given["table"]
    if not isinstance(table, dict) or not table or not all(isinstance(each, str) for each in table.values()):
        problems.append(f"字段“{name}”的 map 的 table 应为非空的文本对照表")
        return None
    return Lookup(tuple(names), table)


def _sample(name: str, given: Any, problems: list[str]) -> Sample | None:
    inside = _inside(name, given, {"column", "kind"}, set(), problems)
    if inside is None:
        return None
    if inside["kind"] not in KINDS:
        problems.append(f"字段“{name}”的 sample 种类应为 {'、'.join(KINDS)} 之一")
        return None
    return Sample(inside["column"], inside["kind"])


def _inside(
    name: str, given: Any, wanted: set[str], allowed: set[str], problems: list[str]
) -> dict[str, str] | None:
    names = set(given) if isinstance(given, dict) else set()
    if not wanted <= names or names - wanted - allowed or not all(isinstance(v, str) for v in given.values()):
        problems.append(
            f"“{name}”应有文本 {'、'.join(sorted(wanted))}"
            + (f"，可有 {'、'.join(sorted(allowed))}" if allowed else "")
        )
        return None
    return dict(given)
