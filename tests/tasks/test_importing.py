"""Files of a department's own system through the whole loop, on the days of their records."""

from datetime import date, datetime

import pytest

from adapters.files import FileUnreadable, load_mapping
from tasks.evidence.subjects import RAW_FIELD
from tasks.imports.clock import ClockIsReal
from tasks.imports.importing import by_week, choose_clock, import_files
from tasks.imports.lines import read_file
from tests.tasks.import_files import (
    CASES_HEADER,
    INSPECTIONS_HEADER,
    case_row,
    cases_mapping,
    inspections_mapping,
    sheet,
    workbook,
)
from tests.tasks.records import serial

BASE = 100


@pytest.fixture
def n():
    """Numbers of this test's own: the simulators remember."""
    return serial() * BASE


def rows_from(n):
    return [
        case_row(n + 1, "2026-03-11"),
        case_row(n + 2, "2026-03-24"),
        case_row(n + 3, "2026-04-02", "申诉中"),  # line 4: nobody's guess
        case_row(n + 1, "2026-03-11"),  # line 5: once more
        f"{n + 4},2026-04-03,准予",  # line 6: cells are missing
        case_row(n + 5, "2026-13-01"),  # line 7: no such month
    ]


def checks_from(n):
    return [
        f"{n + 71},{n + 1},2026-03-30,不合格",
        f"{n + 72},{n + 2},2026-03-20,合格",  # before its case began
        f"{n + 73},,2026-04-01,不合格",  # line 4: names nothing
        f"{n + 74},{n + 99},2026-04-02,合格",  # line 5: names a case nobody knows
        f"{n + 75},{n + 3},2026-04-20,不合格",  # line 6: names the case that lies with a person
    ]


def cases_file(folder, rows, charset="utf-8"):
    path = sheet(folder, "办件.csv", CASES_HEADER, rows, charset)
    return read_file(path, load_mapping(cases_mapping(folder, charset)), "case")


def checks_file(folder, rows):
    path = sheet(folder, "检查.csv.gz", INSPECTIONS_HEADER, rows)
    return read_file(path, load_mapping(inspections_mapping(folder)), "feedback")


async def bring(world, *files):
    return await import_files(world.services, files, on="record", tell=world.outside.set_clock)


async def test_every_row_is_admitted_repeated_or_with_a_person(world, tmp_path, n):
    cases, checks = await bring(
        world, cases_file(tmp_path, rows_from(n)), checks_file(tmp_path, checks_from(n))
    )
    assert (cases.rows, cases.admitted, cases.repeated, cases.quarantined) == (6, 2, 1, 3)
    assert cases.by_rule == {"unknown-value": 1, "ragged": 1, "not-date": 1}
    assert cases.first_line_of_rule == {"unknown-value": 4, "ragged": 6, "not-date": 7}
    assert (checks.rows, checks.admitted, checks.quarantined) == (5, 2, 3)
    assert checks.by_rule == {"orphan": 2, "case-quarantined": 1}
    assert checks.first_line_of_rule == {"orphan": 4, "case-quarantined": 6}
    assert cases.adds_up
    assert checks.adds_up
    rows = await world.rows("SELECT * FROM quarantine ORDER BY kind, line_no")
    assert [row["line_no"] for row in rows] == [4, 6, 7, 4, 5, 6]
    assert all(row["owner"] and row["due_at"] for row in rows)
    assert rows[0]["message"].startswith("第4行：")
    assert rows[3]["message"] == "第4行：检查没有写明办件编号，无法对应办件，请人工判断"


async def test_what_follows_is_done_on_the_records_own_days(world, tmp_path, n):
    await bring(world, cases_file(tmp_path, rows_from(n)), checks_file(tmp_path, checks_from(n)))
    pushed = await world.rows(
        "SELECT c.case_no, min(h.pushed_at) AS at FROM handovers h JOIN cases c ON c.id = h.case_id"
        " GROUP BY c.case_no ORDER BY 1"
    )
    days = {row["case_no"]: row["at"].date() for row in pushed}
    assert days == {f"BD-{n + 1}": date(2026, 3, 11), f"BD-{n + 2}": date(2026, 3, 24)}
    refused = await world.value("SELECT count(*) FROM effects WHERE state NOT IN ('accepted', 'delivered')")
    assert refused == 0
    # the credit system takes a decision within seven working days: it took both
    assert len([one for one in world.stored("credit") if one["kind"] == "XK"]) == 2
    returned = [one["content"] for one in world.stored("platform") if "|feedback|" in one["business_key"]]
    assert [one["feedback_no"] for one in returned] == [f"JC-{n + 71}"]
    assert await world.value("SELECT count(*) FROM sms_texts") >= 2
    # time went on to the end of the observation, so that silence could close what it may
    assert await world.column("SELECT state FROM cases ORDER BY case_no") == ["settled", "settled"]


async def test_a_second_import_changes_nothing(world, tmp_path, n):
    await bring(world, cases_file(tmp_path, rows_from(n)), checks_file(tmp_path, checks_from(n)))
    before = await world.rows("SELECT own_id, state FROM effects ORDER BY 1")
    stored = {kind: len(world.stored(kind)) for kind in ("platform", "credit", "sms")}
    cases, checks = await bring(
        world, cases_file(tmp_path, rows_from(n)), checks_file(tmp_path, checks_from(n))
    )
    assert (cases.rows, cases.admitted, cases.repeated, cases.quarantined) == (6, 0, 6, 0)
    assert (checks.rows, checks.admitted, checks.repeated, checks.quarantined) == (5, 0, 5, 0)
    assert (cases.still_quarantined, checks.still_quarantined) == (3, 3)
    assert checks.by_rule == {"orphan": 2, "case-quarantined": 1}
    assert await world.rows("SELECT own_id, state FROM effects ORDER BY 1") == before
    assert {kind: len(world.stored(kind)) for kind in stored} == stored
    assert await world.value("SELECT count(*) FROM quarantine") == 6


async def test_a_row_with_a_problem_is_kept_with_its_exact_bytes(world, tmp_path, n):
    await bring(world, cases_file(tmp_path, rows_from(n), "gb18030"))
    row = (await world.rows("SELECT inbox_id FROM quarantine WHERE rule = 'ragged'"))[0]
    sealed = await world.value("SELECT raw_sealed FROM inbox_raw WHERE inbox_id = %s", row["inbox_id"])
    raw = world.services.sealing.open_sealed(RAW_FIELD, row["inbox_id"], sealed)
    assert raw.rstrip(b"\r\n") == rows_from(n)[4].encode("gb18030")


async def test_a_file_in_another_charset_is_told_row_by_row(world, tmp_path, n):
    path = sheet(tmp_path, "办件.csv", "编号,日期,结果,名称,账号,地址", [], "utf-8")
    path.write_bytes(path.read_bytes() + case_row(n + 8, "2026-03-11").encode("gb18030") + b"\n")
    file = read_file(path, load_mapping(cases_mapping(tmp_path)), "case")
    (report,) = await bring(world, file)
    assert report.by_rule == {"charset": 1}
    assert (await world.rows("SELECT message FROM quarantine"))[0]["message"] == "第2行：不是 utf-8 编码"


async def test_a_workbook_is_a_file_like_another(world, tmp_path, n):
    path = workbook(tmp_path, "办件.xlsx", CASES_HEADER, rows_from(n)[:3])
    (report,) = await bring(world, read_file(path, load_mapping(cases_mapping(tmp_path)), "case"))
    assert (report.rows, report.admitted, report.quarantined) == (3, 2, 1)


async def test_results_find_cases_of_another_source(world, tmp_path, n):
    await bring(world, cases_file(tmp_path, rows_from(n)))
    (report,) = await bring(world, checks_file(tmp_path, checks_from(n)[:2]))
    assert (report.rows, report.admitted) == (2, 2)
    assert await world.column("SELECT matched_by FROM feedback ORDER BY feedback_no") == ["case", "case"]


async def test_the_clock_never_runs_backwards(world, tmp_path, n):
    later = datetime.fromisoformat("2026-06-01T10:00:00+08:00")
    await world.at(later)
    assert await choose_clock(world.services, None) == "record"
    await bring(world, cases_file(tmp_path, rows_from(n)[:1]))
    assert await world.value("SELECT min(business_at) >= %s FROM history", later)


async def test_a_ledger_on_the_machines_clock_is_not_sent_back(world, tmp_path, n):
    await bring(world, cases_file(tmp_path, rows_from(n)[:1]))
    await world.change(
        "UPDATE business_clock SET anchor_business = clock_timestamp(), anchor_machine = clock_timestamp(),"
        " rate = 1"
    )
    assert await choose_clock(world.services, None) == "now"
    with pytest.raises(ClockIsReal, match="--clock now"):
        await bring(world, cases_file(tmp_path, rows_from(n)))


def test_time_goes_forward_once_and_no_result_comes_before_its_case(tmp_path, n):
    weeks = list(by_week([cases_file(tmp_path, rows_from(n)), checks_file(tmp_path, checks_from(n))]))
    assert [week.day for week in weeks] == sorted(week.day for week in weeks)
    handed = [
        (week.day, file.kind, line.line_no) for week in weeks for file, rows in week.rows for line in rows
    ]
    assert len(handed) == len(rows_from(n)) + len(checks_from(n))
    assert (date(2026, 3, 24), "feedback", 3) in handed  # inspected on the 20th, its case is of the 24th
    assert (date(2026, 3, 11), "case", 7) in handed  # says no day: goes with the rows before it


def test_a_file_that_breaks_off_is_refused_whole(tmp_path, n):
    path = sheet(tmp_path, "办件.csv.gz", CASES_HEADER, rows_from(n) * 200)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FileUnreadable, match=r"办件\.csv\.gz"):
        read_file(path, load_mapping(cases_mapping(tmp_path)), "case")
