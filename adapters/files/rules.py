"""How one field gets its value from a row: one of column, const, map, date and sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from adapters.files.samples import KINDS

JOINT = "|"
"""Between the cells of a map over several columns."""


class RowRefused(Exception):  # noqa: N818 - named as the finding it is
    """This row gives no value for a field: the rule, and a Chinese sentence without the cell's content."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(rule, message)
        self.rule = rule
        self.message = message


class Rule(Protocol):
    """One way to a value."""

    def columns(self) -> tuple[str, ...]:
        """The columns it reads."""

    def value(self, cells: Mapping[str, str]) -> Any:
        """The value, None for a blank cell.

        Raises:
            RowRefused: the cell cannot be used.
        """


@dataclass(frozen=True, slots=True)
class Column:
    """The cell as it is, between a prefix and a suffix."""

    column: str
    prefix: str = ""
    suffix: str = ""

    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def value(self, cells: Mapping[str, str]) -> str | None:
        """The text, without blanks around it."""
        text = cells[self.column].strip()
        return f"{self.prefix}{text}{self.suffix}" if text else None


@dataclass(frozen=True, slots=True)
class Const:
    """The same value for every row."""

    constant: Any

    def columns(self) -> tuple[str, ...]:
        """None."""
        return ()

    def value(self, _cells: Mapping[str, str]) -> Any:
        """The value."""
        return self.constant


@dataclass(frozen=True, slots=True)
class Lookup:
    """The table's value for the cell, or for several cells joined; an unknown one is nobody's guess."""

    names: tuple[str, ...]
    table: Mapping[str, str]

    def columns(self) -> tuple[str, ...]:
        """The columns whose cells are looked up."""
        return self.names

    def value(self, cells: Mapping[str, str]) -> str | None:
        """The table's value; an empty one stands for none.

        Raises:
            RowRefused: unknown-value.
        """
        texts = [cells[name].strip() for name in self.names]
        key = JOINT.join(texts)
        if key in self.table:
            return self.table[key] or None
        if not any(texts):
            return None
        raise RowRefused("unknown-value", f"列“{'、'.join(self.names)}”的值不在对照表内")


@lru_cache(maxsize=4096)
def _parsed(text: str, form: str) -> datetime:
    # Files repeat the same days; reading a format is the dearest part of a row.
    return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the mapping's


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, or with a zone a moment: the time of day is the cell's own or ``at``."""

    column: str
    form: str
    zone: ZoneInfo | None = None
    at: time | None = None

    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def read(self, cells: Mapping[str, str]) -> datetime | None:
        """What the cell says, without a zone.

        Raises:
            RowRefused: not-date.
        """
        text = cells[self.column].strip()
        if not text:
            return None
        try:
            return _parsed(text, self.form)
        except ValueError:
            raise RowRefused("not-date", f"列“{self.column}”不是 {self.form} 格式的日期") from None

    def day(self, cells: Mapping[str, str]) -> date | None:
        """The day the cell names."""
        moment = self.read(cells)
        return moment.date() if moment else None

    def value(self, cells: Mapping[str, str]) -> str | None:
        """The day as YYYY-MM-DD, or the moment with its offset."""
        moment = self.read(cells)
        if moment is None:
            return None
        if self.zone is None:
            return moment.date().isoformat()
        if self.at is not None:
            moment = datetime.combine(moment.date(), self.at)
        return moment.replace(tzinfo=self.zone).isoformat()


@dataclass(frozen=True, slots=True)
class Sample:
    """An invented value derived from the cell."""

    column: str
    kind: str

    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def value(self, cells: Mapping[str, str]) -> str | None:
        """The invention; None for a blank cell."""
        text = cells[self.column].strip()
        return KINDS[self.kind](text) if text else None
