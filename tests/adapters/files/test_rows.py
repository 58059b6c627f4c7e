"""Rows out of CSV, CSV.gz and XLSX: every one is read or broken, with its line and its bytes."""

import gzip
import io
import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from adapters.files import FileUnreadable
from adapters.files.csv_rows import open_csv
from adapters.files.rows import CELL_LIMIT, KEPT_LIMIT, ROW_LIMIT, BrokenRow, Row
from adapters.files.xlsx_rows import open_xlsx

HEAD = "编号,名称\n"


def rows(path, charset="utf-8"):
    sheet = open_csv(path, charset)
    try:
        return list(sheet.rows)
    finally:
        sheet.close()


def written(room, text, name="a.csv", charset="utf-8"):
    path = room / name
    path.write_bytes(text.encode(charset) if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_keeps_its_line_and_its_own_bytes(mark, end, tmp_path):
    text = f'{mark}编号,名称{end}1,"两行{end}的格"{end}2,乙{end}'
    first, second = rows(written(tmp_path, text))
    assert first == Row(2, {"编号": "1", "名称": f"两行{end}的格"}, f'1,"两行{end}的格"{end}'.encode())
    assert (second.line_no, second.cells) == (4, {"编号": "2", "名称": "乙"})


def test_gzip_is_known_by_its_bytes(tmp_path):
    path = written(tmp_path, gzip.compress((HEAD + "1,甲\n").encode()), "a.csv.gz")
    assert [row.cells for row in rows(path)] == [{"编号": "1", "名称": "甲"}]


def test_a_torn_gzip_says_so_after_what_it_held(tmp_path):
    packed = gzip.compress(HEAD.encode() + b"".join(b"%d,a%d\n" % (n, n * 7919) for n in range(50_000)))
    sheet = open_csv(written(tmp_path, packed[: len(packed) // 2], "a.csv.gz"), "utf-8")
    read = []
    with pytest.raises(FileUnreadable, match="不完整"):
        read.extend(sheet.rows)
    sheet.close()
    assert read[0].cells == {"编号": "0", "名称": "a0"}
    with pytest.raises(FileUnreadable):
        open_csv(written(tmp_path, b"\x1f\x8b not gzip", "b.csv.gz"), "utf-8")


def test_a_charset_is_declared_and_never_guessed(tmp_path):
    path = written(tmp_path, HEAD + "1,甲\n", charset="gb18030")
    assert rows(path, "gb18030")[0].cells["名称"] == "甲"
    with pytest.raises(FileUnreadable, match="表头不是 utf-8"):
        open_csv(path, "utf-8")
    mixed = written(tmp_path, HEAD.encode() + "1,甲\n".encode("gb18030") + "2,乙\n".encode())
    broken, fine = rows(mixed)
    assert (broken.rule, broken.raw) == ("charset", "1,甲\n".encode("gb18030"))
    assert fine.cells["编号"] == "2"
    with pytest.raises(FileUnreadable, match="UTF-16"):
        open_csv(written(tmp_path, HEAD.encode("utf-16")), "utf-8")
    with pytest.raises(FileUnreadable, match="声明"):
        open_csv(written(tmp_path, "\ufeff" + HEAD), "gb18030")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("1", "ragged"),
        ("1,甲,多", "ragged"),
        ("1,甲\x00", "control-character"),
        ("1," + "长" * (CELL_LIMIT + 1), "cell-too-large"),
        ('1,"没有关上', "open-quote"),
        ('1,"关上"之后', "open-quote"),
        ("1," + "x" * (ROW_LIMIT + 1), "row-too-large"),
    ],
)
def test_a_broken_row_spoils_no_other(line, rule, tmp_path):
    before, broken, after = rows(written(tmp_path, f"{HEAD}0,前\n{line}\n2,后\n"))
    assert isinstance(before, Row)
    assert isinstance(broken, BrokenRow)
    assert (broken.line_no, broken.rule) == (3, rule)
    assert line.encode().startswith(broken.raw.rstrip(b"\n")[:1000])
    assert len(broken.raw) <= KEPT_LIMIT
    assert "甲" not in broken.message
    assert "没有关上" not in broken.message
    assert after.cells == {"编号": "2", "名称": "后"}
    assert after.line_no == 4


def test_a_quote_left_open_swallows_nothing(tmp_path):
    text = HEAD + '1,"开\n' + "".join(f"{number},行{number}\n" for number in range(2, 60_000))
    read = rows(written(tmp_path, text))
    assert len(read) == 59_999
    assert [row.rule for row in read if isinstance(row, BrokenRow)] == ["open-quote"]


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "空的"), ("\n1,2\n", "没有表头"), ("a,,b\n", "第2列"), ("a,b,a\n", "重复"), ('a,"b\n', "引号")],
)
def test_a_header_that_cannot_be_used_stops_the_file(text, why, tmp_path):
    with pytest.raises(FileUnreadable, match=why):
        open_csv(written(tmp_path, text), "utf-8")
    with pytest.raises(FileUnreadable, match="打不开"):
        open_csv(tmp_path / "none.csv", "utf-8")


def workbook(room, *lines, title="办件"):
    book = openpyxl.Workbook()
    book.active.title = title
    for line in lines:
        book.active.append(line)
    path = room / "a.xlsx"
    book.save(path)
    return path


def test_cells_of_a_sheet_become_text(tmp_path):
    day, moment = date(2026, 3, 2), datetime(2026, 3, 2, 9, 30)  # noqa: DTZ001 - a sheet has no zones
    path = workbook(
        tmp_path,
        ["编号", "日期", "时间", "数", "小数", "空", "是"],
        [1, day, moment, 123456789012345, 0.1, None, True],
        [],
        [2.0, "文本"],
    )
    first, second = open_xlsx(path).rows
    assert list(first.cells.values()) == [
        "1",
        "2026-03-02",
        "2026-03-02T09:30:00",
        "123456789012345",
        "0.1",
        "",
        "TRUE",
    ]
    assert (second.line_no, second.cells["编号"], second.cells["日期"], second.cells["是"]) == (
        4,
        "2",
        "文本",
        "",
    )
    assert second.raw.startswith('["2", "文本"'.encode())


def test_formulas_errors_and_cells_beyond_the_header_are_broken(tmp_path):
    path = workbook(tmp_path, ["编号", "数"], [1, "=1+1"], [2, "#N/A"], [3, 4, 5], [6, 10**17], [7, 8])
    formula, error, beyond, long, fine = open_xlsx(path, "办件").rows
    assert [formula.rule, error.rule, beyond.rule] == ["formula", "error-cell", "ragged"]
    assert "列“数”" in formula.message
    assert long.rule == "number-too-long"
    assert fine.cells == {"编号": "7", "数": "8"}


def test_what_is_no_sheet_stops_the_file(tmp_path):
    path = workbook(tmp_path, ["编号"])
    with pytest.raises(FileUnreadable, match="工作表"):
        open_xlsx(path, "没有")
    with pytest.raises(FileUnreadable, match="表头"):
        open_xlsx(workbook(tmp_path))
    with pytest.raises(FileUnreadable, match="XLSX"):
        open_xlsx(written(tmp_path, HEAD, "b.xlsx"))
    with pytest.raises(FileUnreadable, match="打不开"):
        open_xlsx(tmp_path / "none.xlsx")
    with zipfile.ZipFile(tmp_path / "c.xlsx", "w") as packed:
        packed.writestr("nothing.txt", "x")
    with pytest.raises(FileUnreadable, match="XLSX"):
        open_xlsx(tmp_path / "c.xlsx")


def test_a_packed_bomb_is_refused_before_it_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.files.xlsx_rows.UNPACKED_LIMIT", 1000)
    with pytest.raises(FileUnreadable, match="解开后"):
        open_xlsx(workbook(tmp_path, ["编号"], *[[n] for n in range(500)]))
    monkeypatch.setattr("adapters.files.csv_rows.FILE_LIMIT", 1000)
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as packed:
        packed.write(HEAD.encode() + b"1,a\n" * 10_000)
    with pytest.raises(FileUnreadable, match="解开后"):
        rows(written(tmp_path, bomb.getvalue(), "a.csv.gz"))
