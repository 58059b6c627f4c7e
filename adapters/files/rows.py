"""A row of a file as text by column, or why it is none. Nothing is dropped: each is one or the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

ROW_LIMIT = 256 * 1024
"""Bytes of one row, line breaks inside quotes among them."""
CELL_LIMIT = 32 * 1024
"""Characters of one cell."""
COLUMN_LIMIT = 512
FILE_LIMIT = 4 * 1024**3
"""Bytes of one file when unpacked."""
KEPT_LIMIT = 64 * 1024
"""Bytes kept of a row that cannot be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """A readable row. ``line_no`` is where it begins, 1 being the first line of the file."""

    line_no: int
    cells: dict[str, str] = field(repr=False)
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that cannot be read: the rule it breaks, a Chinese sentence without its content, its bytes."""

    line_no: int
    rule: str
    message: str
    raw: bytes = field(repr=False)


Rows = Iterator[Row | BrokenRow]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An opened file: its columns in order, and its rows, to be read once; ``close`` it at the end."""

    columns: tuple[str, ...]
    rows: Rows
    close: Callable[[], None]


def check_cells(cells: list[str], columns: tuple[str, ...]) -> tuple[str, str] | None:
    """The rule and sentence of what is wrong with a row's cells; None when nothing is."""
    if len(cells) != len(columns):
        return "ragged", f"有{len(cells)}格，表头有{len(columns)}列"
    for column, cell in zip(columns, cells, strict=True):
        if len(cell) > CELL_LIMIT:
            return "cell-too-large", f"列“{column}”超过{CELL_LIMIT}个字符"
        if any(sign < " " and sign not in "\t\r\n" for sign in cell):
            return "control-character", f"列“{column}”含有控制字符"
    return None


def check_columns(columns: list[str]) -> str | None:
    """What is wrong with a header, in Chinese; None when it can be used."""
    if len(columns) > COLUMN_LIMIT:
        return f"表头超过{COLUMN_LIMIT}列"
    if not any(columns):
        return "没有表头"
    if not all(columns):
        return f"表头第{columns.index('') + 1}列没有列名"
    twice = sorted({name for name in columns if columns.count(name) > 1})
    return f"列名重复：{'、'.join(twice)}" if twice else None
