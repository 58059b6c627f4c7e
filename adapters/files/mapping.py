"""A mapping file (TOML): which column of a department's file fills which field of our record.

::

    kind = "case"                      # or "feedback"
    source = "chicago"                 # the name under which the ledger keeps these records
    charset = "utf-8"                  # or "gb18030"; nothing is guessed
    delimiter = ","
    sheet = "办件"                      # XLSX only; the first when absent
    business_date = { column = "term_start", format = "%Y-%m-%d" }

    [fields]
    case_no = { column = "record_id", prefix = "CHI-" }
    operation = { const = "i" }
    status = { map = { column = "status", table = { AAI = "90" } } }
    licence_action = { map = { columns = ["status", "type"], table = { "AAI|NEW" = "issue" } } }
    accepted_at = { date = { column = "start", format = "%Y-%m-%d", zone = "Asia/Shanghai", at = "09:00" } }
    party.id_number = { sample = { column = "account", kind = "uscc" } }

    [[when]]                           # rows that go to a person; no row is ever left out
    column = "record"
    blank = true                       # or is_in = [...], or not_in = [...]
    rule = "orphan"
    message = "没有办件编号，无法对应办件"
"""

import tomllib
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.files.csv_rows import CHARSETS
from adapters.files.findings import MappingWrong
from adapters.files.mapping_rules import fits, read_moment, read_rule
from adapters.files.rules import Moment, Rule
from adapters.files.targets import TARGETS, Target, target_of

_TOP = {"kind", "source", "charset", "delimiter", "sheet", "business_date", "fields", "when"}
_WHEN = {"column", "blank", "is_in", "not_in", "rule", "message"}
_CONDITIONS = ("blank", "is_in", "not_in")


@dataclass(frozen=True, slots=True)
class When:
    """Rows that a person must see, and what that person reads."""

    column: str
    condition: str
    values: frozenset[str]
    rule: str
    message: str

    def holds(self, cells: MappingOf[str, str]) -> bool:
        """Whether this row is one of them."""
        text = cells[self.column].strip()
        if self.condition == "blank":
            return not text
        return (text in self.values) == (self.condition == "is_in")


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping. ``fields`` are rules by the field's dotted name."""

    name: str
    kind: str
    source: str
    charset: str
    delimiter: str
    sheet: str | None
    business_date: Moment
    fields: MappingOf[str, Rule]
    whens: tuple[When, ...]

    def missing(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Every column the mapping reads and a file with these columns lacks, in Chinese."""
        wanted = {name for rule in (*self.fields.values(), self.business_date) for name in rule.columns()}
        wanted |= {when.column for when in self.whens}
        return tuple(f"文件没有列“{name}”" for name in sorted(wanted - set(columns)))


def load_mapping(path: Path) -> Mapping:
    """The mapping in this file.

    Raises:
        MappingWrong: with every problem at once, in Chinese.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingWrong(path.name, (f"打不开映射文件（{error.strerror}）",)) from error
    except ValueError as error:
        raise MappingWrong(path.name, (f"不是有效的 TOML：{error}",)) from error
    problems = [f"不认识的设置“{name}”" for name in sorted(set(given) - _TOP)]
    kind = _text(given, "kind", "", problems)
    if kind not in TARGETS:
        problems.append("kind 应为 case 或 feedback")
    charset = _text(given, "charset", "utf-8", problems)
    if charset not in CHARSETS:
        problems.append(f"charset 应为 {' 或 '.join(CHARSETS)}")
    delimiter = _text(given, "delimiter", ",", problems)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        problems.append("delimiter 应为一个字符，且不能是引号或换行")
    source = _text(given, "source", "", problems)
    if not source:
        problems.append("缺少 source")
    business_date = read_moment("business_date", given.get("business_date"), problems)
    fields = _fields(kind, given.get("fields"), problems) if kind in TARGETS else {}
    whens = _whens(given.get("when", []), problems)
    sheet = _text(given, "sheet", "", problems) or None
    if problems or business_date is None:
        raise MappingWrong(path.name, tuple(problems))
    return Mapping(path.stem, kind, source, charset, delimiter, sheet, business_date, fields, whens)


def _text(given: dict[str, Any], name: str, otherwise: str, problems: list[str]) -> str:
    value = given.get(name, otherwise)
    if isinstance(value, str):
        return value
    problems.append(f"{name} 应为文本")
    return otherwise


def _fields(kind: str, given: Any, problems: list[str]) -> dict[str, Rule]:
    if not isinstance(given, dict) or not given:
        problems.append("缺少 [fields]")
        return {}
    rules: dict[str, Rule] = {}
    for name, value in _flat(kind, given).items():
        target = target_of(kind, name)
        if target is None:
            problems.append(f"没有字段“{name}”")
            continue
        rule = read_rule(name, value, problems)
        if rule is not None:
            problems.extend(fits(name, target, rule))
            rules[name] = rule
    tried = set(_flat(kind, given))
    problems.extend(f"必填字段“{name}”没有来源" for name in _required(kind) if name not in tried)
    return rules


def _required(kind: str) -> list[str]:
    targets: MappingOf[str, Target] = TARGETS[kind]
    return [name for name, target in targets.items() if target.required]


def _flat(kind: str, given: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Fields by dotted name, however the TOML nests them."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = f"{before}{key}"
        inside = isinstance(value, dict) and any(isinstance(each, dict) for each in value.values())
        if target_of(kind, name) is None and inside and _is_group(kind, name):
            found |= _flat(kind, value, f"{name}.")
        else:
            found[name] = value
    return found


def _is_group(kind: str, name: str) -> bool:
    groups = {each.rpartition(".")[0] for each in TARGETS[kind]} | (
        {"penalty"} if kind == "feedback" else set()
    )
    return name in groups


def _whens(given: Any, problems: list[str]) -> tuple[When, ...]:
    whens = []
    for number, each in enumerate(given if isinstance(given, list) else [given], start=1):
        where = f"第{number}个 [[when]]"
        if not isinstance(each, dict):
            problems.append(f"{where} 应为表")
            continue
        problems.extend(f"{where} 有不认识的设置“{name}”" for name in sorted(set(each) - _WHEN))
        said = [name for name in _CONDITIONS if name in each]
        lacking = [name for name in ("column", "rule", "message") if not isinstance(each.get(name), str)]
        problems.extend(f"{where} 缺少 {name}" for name in lacking)
        if len(said) != 1:
            problems.append(f"{where} 应恰有 blank、is_in、not_in 之一")
        elif said == ["blank"] and each["blank"] is not True:
            problems.append(f"{where} 的 blank 只能为 true")
        elif said != ["blank"] and not _texts(each[said[0]]):
            problems.append(f"{where} 的 {said[0]} 应为文本的列表")
        elif not lacking:
            values = frozenset() if said == ["blank"] else frozenset(each[said[0]])
            whens.append(When(each["column"], said[0], values, each["rule"], each["message"]))
    return tuple(whens)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
