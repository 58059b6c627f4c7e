"""Whether a value has the shape the contract gives it: type, length, enum, pattern, no strangers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from adapters.sandbox.clock import moment


@dataclass(frozen=True, slots=True)
class Text:
    """A string of `least`..`most` characters; `form` is a pattern's name, ``date`` or ``time``."""

    most: int
    least: int = 1
    form: str = ""
    among: frozenset[str] = frozenset()
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer, not below ``least``."""

    least: int = 1
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An object with these fields and no others; ``needed`` must be there."""

    fields: Mapping[str, "Shape"]
    needed: frozenset[str] = frozenset()
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """An array of `least`..`most` values of one shape."""

    of: "Shape"
    most: int
    least: int = 0
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Anything:
    """An object that is looked at elsewhere."""

    nullable: bool = False


Shape = Text | Whole | Record | Rows | Anything
Error = dict[str, str]

PATTERNS = {
    "own_id": re.compile(r"[A-Za-z0-9._:-]{1,128}"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "uscc": re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}"),
    "digits14": re.compile(r"\d{14}"),
    "region": re.compile(r"\d{6}(\d{3})?"),
    "amount": re.compile(r"\d{1,12}(\.\d{1,6})?"),
}


def one_of(*values: str, nullable: bool = False) -> Text:
    """A string out of a closed list."""
    return Text(max(map(len, values)), among=frozenset(values), nullable=nullable)


def faults_in(value: Any, shape: Shape, path: str = "") -> list[Error]:  # noqa: PLR0911 - one a kind of shape
    """Every break of the shape, as `{field, rule, message}`; empty when it fits."""
    if value is None:
        return [] if shape.nullable else [error(path, "type", "不能为空值")]
    match shape:
        case Text():
            return _text(value, shape, path)
        case Whole():
            if type(value) is not int:
                return [error(path, "type", "应为整数")]
            return [] if value >= shape.least else [error(path, "range", f"不能小于 {shape.least}")]
        case Rows():
            if not isinstance(value, list):
                return [error(path, "type", "应为数组")]
            if not shape.least <= len(value) <= shape.most:
                return [error(path, "length", f"应有 {shape.least}–{shape.most} 项")]
            return [e for i, row in enumerate(value) for e in faults_in(row, shape.of, f"{path}[{i}]")]
        case Record():
            return _record(value, shape, path)
        case Anything():
            return [] if isinstance(value, dict) else [error(path, "type", "应为对象")]


def error(field: str, rule: str, message: str) -> Error:
    """One finding about one field; never holds the value."""
    return {"field": field, "rule": rule, "message": message}


def _record(value: Any, shape: Record, path: str) -> list[Error]:
    if not isinstance(value, dict):
        return [error(path, "type", "应为对象")]
    prefix = f"{path}." if path else ""
    found = [error(prefix + name, "required", "缺少必填项") for name in sorted(shape.needed - set(value))]
    for name, inner in value.items():
        known = shape.fields.get(name)
        if known is None:
            found.append(error(prefix + name[:64], "unknown-field", "接口没有这个字段"))
        else:
            found += faults_in(inner, known, prefix + name)
    return found


def _text(value: Any, shape: Text, path: str) -> list[Error]:
    if not isinstance(value, str):
        return [error(path, "type", "应为字符串")]
    if not shape.least <= len(value) <= shape.most:
        return [error(path, "length", f"应为 {shape.least}–{shape.most} 字")]
    if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
        return [error(path, "characters", "含有不能存储的字符")]
    if shape.among and value not in shape.among:
        return [error(path, "enum", "不在取值范围内")]
    if shape.form and not _has_form(value, shape.form):
        return [error(path, "format", f"格式应为 {shape.form}")]
    return []


def _has_form(value: str, form: str) -> bool:
    if form == "date":
        return day(value) is not None
    if form == "time":
        try:
            moment(value)
        except ValueError:
            return False
        return True
    return PATTERNS[form].fullmatch(value) is not None


def day(value: str) -> date | None:
    """The date in `YYYY-MM-DD`; None for anything else."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
