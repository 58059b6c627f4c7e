"""Rows of an XLSX sheet. A formula is not computed and its last result not believed: the row is broken."""

import json
import zipfile
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl

from adapters.files.findings import FileUnreadable
from adapters.files.rows import KEPT_LIMIT, BrokenRow, Row, Rows, Sheet, check_cells, check_columns

UNPACKED_LIMIT = 512 * 1024**2
_EXACT = 10**15
"""From here on a spreadsheet keeps no number exactly: credit codes and id numbers must be text."""
_BROKEN_KINDS = {
    "f": ("formula", "列“{column}”是公式，请改为数值"),
    "e": ("error-cell", "列“{column}”是错误值"),
}


def open_xlsx(path: Path, sheet: str | None = None) -> Sheet:
    """The columns and rows of a sheet, by name or the first.

    Cells become text: dates as YYYY-MM-DD, moments as YYYY-MM-DDTHH:MM:SS, whole numbers without
    a point. A row's bytes are the JSON of its cells.

    Raises:
        FileUnreadable: no such file or sheet, not an XLSX file, oversized when unpacked, no header.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > UNPACKED_LIMIT:
            raise FileUnreadable(path.name, f"解开后超过{UNPACKED_LIMIT // 1024**2}MB")
        book = openpyxl.load_workbook(path, read_only=True, keep_links=False)
    except OSError as error:
        raise FileUnreadable(path.name, f"打不开（{error.strerror}）") from error
    except (zipfile.BadZipFile, KeyError, ValueError, SyntaxError) as error:
        raise FileUnreadable(path.name, "不是有效的 XLSX 文件") from error
    if sheet is not None and sheet not in book.sheetnames:
        book.close()
        raise FileUnreadable(path.name, f"没有名为“{sheet}”的工作表")
    page = book[sheet] if sheet else book.worksheets[0]
    lines = enumerate(page.iter_rows(), start=1)
    header = next(lines, (1, ()))[1]
    columns = [_text(cell.value).strip() for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    wrong = check_columns(columns)
    if wrong:
        book.close()
        raise FileUnreadable(path.name, wrong)
    return Sheet(tuple(columns), _rows(lines, tuple(columns)), book.close)


def _rows(lines: Any, columns: tuple[str, ...]) -> Rows:
    for number, cells in lines:
        given = list(cells)
        while len(given) > len(columns) and given[-1].value is None:
            given.pop()
        texts = [_text(cell.value) for cell in given]
        texts += [""] * (len(columns) - len(texts))
        if not any(texts):
            continue
        raw = json.dumps(texts, ensure_ascii=False).encode("utf-8", "backslashreplace")
        wrong = _broken(given, columns) or check_cells(texts, columns)
        if wrong:
            yield BrokenRow(number, *wrong, raw[:KEPT_LIMIT])
        else:
            yield Row(number, dict(zip(columns, texts, strict=True)), raw)


def _broken(cells: list[Any], columns: tuple[str, ...]) -> tuple[str, str] | None:
    for column, cell in zip(columns, cells, strict=False):
        # Empty cells of a sheet that is streamed have no kind.
        kind = getattr(cell, "data_type", "n")
        if kind in _BROKEN_KINDS:
            rule, sentence = _BROKEN_KINDS[kind]
            return rule, sentence.format(column=column)
        if isinstance(cell.value, int | float) and abs(cell.value) >= _EXACT:
            return "number-too-long", f"列“{column}”的数字超过15位，表格软件已改掉末几位，请改为文本"
    return None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return str(value)
