"""Rows of a CSV file, plain or gzip, by bytes: a row's own bytes stay at hand, whatever they are."""

import csv
import gzip
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from adapters.files.findings import FileUnreadable
from adapters.files.rows import (
    FILE_LIMIT,
    KEPT_LIMIT,
    ROW_LIMIT,
    BrokenRow,
    Row,
    Rows,
    Sheet,
    check_cells,
    check_columns,
)

CHARSETS = {"utf-8": "utf-8", "gb18030": "gb18030"}
_BOM = b"\xef\xbb\xbf"
_FOREIGN = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"
# In UTF-8 and GB18030 these bytes are never part of another sign.
_QUOTE, _LINE_END = b'"', b"\n"


def open_csv(path: Path, charset: str, delimiter: str = ",") -> Sheet:
    """The columns and rows of a CSV or CSV.gz file.

    ``charset`` is what the mapping declares: utf-8 (with or without mark) or gb18030. Nothing is
    guessed: a row in another charset is a broken row.

    Raises:
        FileUnreadable: no such file, packed wrongly, no usable header; later, while rows are read,
            a torn or oversized file.
    """
    lines = _Lines(_opened(path), path.name)
    try:
        columns = _header(lines, path.name, charset, delimiter)
    except BaseException:
        lines.close()
        raise
    return Sheet(columns, _rows(lines, columns, charset, delimiter), lines.close)


def _header(lines: "_Lines", name: str, charset: str, delimiter: str) -> tuple[str, ...]:
    first = next(lines, None)
    if first is None:
        raise FileUnreadable(name, "文件是空的")
    if first[1].startswith(_FOREIGN):
        raise FileUnreadable(name, "文件是 UTF-16 编码，请另存为 UTF-8")
    if first[1].startswith(_BOM):
        if charset != "utf-8":
            raise FileUnreadable(name, f"文件带有 UTF-8 标记，映射却声明为 {charset}")
        first = (first[0], first[1].removeprefix(_BOM))
    lines.push_back(first)
    line_no, raw, whole = next(_joined(lines))
    try:
        columns = [column.strip() for column in _split(raw.decode(charset), delimiter)] if whole else []
    except UnicodeDecodeError:
        raise FileUnreadable(name, f"第{line_no}行表头不是 {charset} 编码") from None
    except csv.Error:
        raise FileUnreadable(name, f"第{line_no}行表头的引号不成对") from None
    wrong = check_columns(columns) if whole else "表头的引号不成对"
    if wrong:
        raise FileUnreadable(name, wrong)
    return tuple(columns)


def _opened(path: Path) -> tuple[BinaryIO, ...]:
    """What to read from, and what lies below it."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise FileUnreadable(path.name, f"打不开（{error.strerror}）") from error
    packed = file.read(2) == _GZIP
    file.seek(0)
    return (gzip.GzipFile(fileobj=file), file) if packed else (file,)  # type: ignore[return-value]


class _Lines(Iterator[tuple[int, bytes]]):
    """Physical lines with their numbers, none longer than the limit plus one; some can be put back."""

    def __init__(self, files: tuple[BinaryIO, ...], name: str) -> None:
        self._files = files
        self._name = name
        self._number = 0
        self._size = 0
        self._waiting: deque[tuple[int, bytes]] = deque()

    def __next__(self) -> tuple[int, bytes]:
        if self._waiting:
            return self._waiting.popleft()
        line = self._read(ROW_LIMIT + 1)
        if not line:
            self.close()
            raise StopIteration
        self._number += 1
        rest = line
        while not rest.endswith(_LINE_END) and len(rest) > ROW_LIMIT:
            rest = self._read(ROW_LIMIT + 1)
        return self._number, line

    def close(self) -> None:
        """Nothing more is read."""
        for file in self._files:
            file.close()

    def push_back(self, *lines: tuple[int, bytes]) -> None:
        """These lines come next, in this order."""
        self._waiting.extendleft(reversed(lines))

    def _read(self, limit: int) -> bytes:
        try:
            line = self._files[0].readline(limit) if not self._files[0].closed else b""
        except (OSError, EOFError, zlib.error) as error:
            raise FileUnreadable(self._name, f"第{self._number}行之后读不下去，文件可能不完整") from error
        self._size += len(line)
        if self._size > FILE_LIMIT:
            raise FileUnreadable(self._name, f"解开后超过{FILE_LIMIT // 1024**3}GB")
        return line


def _joined(lines: _Lines) -> Iterator[tuple[int, bytes, bool]]:
    """Logical rows: lines are joined while a quote is open. False marks a row that never closed.

    Such a row is its first line alone; what follows is read again on its own.
    """
    for number, line in lines:
        parts = [(number, line)]
        size, quotes = len(line), line.count(_QUOTE)
        while quotes % 2 and size <= ROW_LIMIT:
            more = next(lines, None)
            if more is None:
                break
            parts.append(more)
            size += len(more[1])
            quotes += more[1].count(_QUOTE)
        whole = quotes % 2 == 0 and size <= ROW_LIMIT
        if not whole:
            lines.push_back(*parts[1:])
            parts = parts[:1]
        yield number, b"".join(part for _, part in parts), whole


def _rows(lines: _Lines, columns: tuple[str, ...], charset: str, delimiter: str) -> Rows:
    for number, raw, whole in _joined(lines):
        if not raw.strip(b"\r\n"):
            continue
        kept = raw[:KEPT_LIMIT]
        if len(raw) > ROW_LIMIT:
            yield BrokenRow(number, "row-too-large", f"一行超过{ROW_LIMIT // 1024}KB", kept)
            continue
        if not whole:
            yield BrokenRow(number, "open-quote", "引号不成对", kept)
            continue
        try:
            cells = _split(raw.decode(charset), delimiter)
        except UnicodeDecodeError:
            yield BrokenRow(number, "charset", f"不是 {charset} 编码", kept)
            continue
        except csv.Error:
            yield BrokenRow(number, "open-quote", "引号使用有误", kept)
            continue
        wrong = check_cells(cells, columns)
        if wrong:
            yield BrokenRow(number, *wrong, kept)
        else:
            yield Row(number, dict(zip(columns, cells, strict=True)), raw)


def _split(text: str, delimiter: str) -> list[str]:
    return next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter, strict=True), [])
