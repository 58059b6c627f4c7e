"""Every row of a file as a record in the wire's shape, or as a problem for a person. None is left out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from adapters.files.csv_rows import open_csv
from adapters.files.findings import FileUnreadable, MappingWrong
from adapters.files.mapping import Mapping
from adapters.files.rows import KEPT_LIMIT, BrokenRow, Row, Sheet
from adapters.files.rules import RowRefused, Sample
from adapters.files.rules import Rule as Way
from adapters.files.targets import EMPTY, KEYS, OPTIONAL_GROUPS, TARGETS, Target, target_of
from adapters.files.xlsx_rows import open_xlsx
from models.domain.canonical import canonical, sha256_hex

SECRET = "secret"  # noqa: S105 - the rule's name


@dataclass(frozen=True, slots=True)
class MappedRecord:
    """A row as a record.

    ``key`` is its number; ``record`` the wire's own shape; ``raw`` the row's bytes; ``samples`` the
    fields that hold invented values (样本). The same row of the same file under the same mapping
    always gives the same ``wire`` bytes, so a second import is a repetition.
    """

    line_no: int
    key: str
    business_date: date
    record: dict[str, Any] = field(repr=False)
    raw: bytes = field(repr=False)
    samples: tuple[str, ...] = ()

    @property
    def wire(self) -> bytes:
        """The record's canonical bytes: what the inbox keeps and admission reads."""
        return canonical(self.record)

    @property
    def sha256(self) -> str:
        """The hash of the record's bytes, which tells a repeated row from a changed one."""
        return sha256_hex(self.wire)


@dataclass(frozen=True, slots=True)
class MappedProblem:
    """A row for quarantine: the rule it breaks, and a Chinese sentence that names line and column.

    No sentence holds a cell's content. ``key`` and ``business_date`` are set where the row says them;
    ``raw`` are the row's bytes, at most 64 KB of them, and none of a row that may be secret
    (``rule`` is then ``secret``).
    """

    line_no: int
    key: str | None
    rule: str
    message: str
    raw: bytes = field(repr=False)
    business_date: date | None = None


Mapped = MappedRecord | MappedProblem


def read_cases(file: Path, mapping: Mapping) -> Iterator[Mapped]:
    """The cases of a CSV, CSV.gz or XLSX file, in the file's order.

    Raises:
        MappingWrong: the mapping is for something else, or reads columns the file lacks.
        FileUnreadable: before the first row, or where the file breaks off.
    """
    return _read(file, mapping, "case")


def read_feedback(file: Path, mapping: Mapping) -> Iterator[Mapped]:
    """The supervision results of a file; as :func:`read_cases`."""
    return _read(file, mapping, "feedback")


def _read(file: Path, mapping: Mapping, kind: str) -> Iterator[Mapped]:
    if mapping.kind != kind:
        raise MappingWrong(mapping.name, (f"映射的种类是 {mapping.kind}，这里需要 {kind}",))
    sheet = _open(file, mapping)
    missing = mapping.missing(sheet.columns)
    if missing:
        sheet.close()
        raise MappingWrong(mapping.name, missing)
    return _all(sheet, mapping)


def _all(sheet: Sheet, mapping: Mapping) -> Iterator[Mapped]:
    try:
        for row in sheet.rows:
            yield _mapped(row, mapping)
    finally:
        sheet.close()


def _open(file: Path, mapping: Mapping) -> Sheet:
    name = file.name.lower()
    if name.endswith(".xlsx"):
        return open_xlsx(file, mapping.sheet)
    if name.endswith((".csv", ".csv.gz")):
        return open_csv(file, mapping.charset, mapping.delimiter)
    raise FileUnreadable(file.name, "只接受 .csv、.csv.gz 与 .xlsx 文件")


def _mapped(row: Row | BrokenRow, mapping: Mapping) -> Mapped:
    if isinstance(row, BrokenRow):
        return MappedProblem(row.line_no, None, row.rule, f"第{row.line_no}行：{row.message}", row.raw)
    key: str | None = None
    try:
        key = str(_value(KEYS[mapping.kind], mapping.fields[KEYS[mapping.kind]], row, mapping))
        business_date = _business_date(row, mapping)
        values = {name: _value(name, rule, row, mapping) for name, rule in mapping.fields.items()}
    except RowRefused as refused:
        message, day = f"第{row.line_no}行：{refused.message}", _day_if_said(row, mapping)
        if not _is_open(row, mapping):
            return MappedProblem(row.line_no, key, SECRET, message, b"", day)
        return MappedProblem(row.line_no, key, refused.rule, message, row.raw[:KEPT_LIMIT], day)
    samples = tuple(name for name, rule in mapping.fields.items() if isinstance(rule, Sample))
    return MappedRecord(row.line_no, key, business_date, _record(values, mapping), row.raw, samples)


def _day_if_said(row: Row, mapping: Mapping) -> date | None:
    try:
        return mapping.business_date.day(row.cells)
    except RowRefused:
        return None


def _is_open(row: Row, mapping: Mapping) -> bool:
    """Whether the row says that it is no secret: a broken one must not be kept either."""
    rule = mapping.fields.get("secrecy")
    try:
        return rule is None or rule.value(row.cells) in {None, "none"}
    except RowRefused:
        return False


def _business_date(row: Row, mapping: Mapping) -> date:
    """The day the record belongs to, of a row that no condition sends to a person.

    Raises:
        RowRefused: a condition holds, or the day is not said.
    """
    for when in mapping.whens:
        if when.holds(row.cells):
            raise RowRefused(when.rule, when.message)
    day = mapping.business_date.day(row.cells)
    if day is None:
        raise RowRefused("missing-field", f"列“{mapping.business_date.column}”为空，没有业务日期")
    return day


def _value(name: str, rule: Way, row: Row, mapping: Mapping) -> Any:
    """The field's value in the form of its target.

    Raises:
        RowRefused: a required field stays empty, or the cell cannot be used.
    """
    target = target_of(mapping.kind, name)
    assert target is not None, "checked when the mapping was loaded"
    value = rule.value(row.cells)
    if value is None:
        if target.required:
            columns = "、".join(rule.columns())
            raise RowRefused("missing-field", f"列“{columns}”为空，必填字段“{name}”没有值")
        return [] if target.kind == "texts" else None
    return _formed(value, target, rule)


def _formed(value: Any, target: Target, rule: Way) -> Any:
    if target.kind == "texts" and isinstance(value, str):
        return [value]
    if target.kind == "whole" and isinstance(value, str):
        if not (value.isascii() and value.isdigit() and int(value) > 0):
            raise RowRefused("not-integer", f"列“{'、'.join(rule.columns())}”不是正整数")
        return int(value)
    return value


def _record(values: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """The wire's nested shape, every field present."""
    record: dict[str, Any] = dict(EMPTY[mapping.kind])
    for name, target in TARGETS[mapping.kind].items():
        _place(record, name, values.get(name, [] if target.kind == "texts" else None))
    for name, value in values.items():
        if name not in TARGETS[mapping.kind]:
            record["penalty"] = record["penalty"] or {}
            _place(record, name, value)
    for group in OPTIONAL_GROUPS[mapping.kind]:
        if all(value is None for value in record[group].values()):
            record[group] = None
    return record


def _place(record: dict[str, Any], name: str, value: Any) -> None:
    group, _, inner = name.rpartition(".")
    (record.setdefault(group, {}) if group else record)[inner] = value
