"""Check digits, working days and the journal, against independent oracles."""

import asyncio
import random
from datetime import date, timedelta

import chinese_calendar
import pytest
from stdnum.cn import ric, uscc

from adapters.sandbox.checks import identity_fits, organisation_fits, uscc_fits
from adapters.sandbox.ledger import Journal
from adapters.sandbox.workdays import Workdays

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def test_credit_codes_hold_both_check_digits():
    draw = random.Random(1)
    good = 0
    for _ in range(3000):
        body = "91430902MA" + "".join(draw.choice(ALPHABET) for _ in range(7))
        code = body + uscc.calc_check_digit(body)
        assert uscc_fits(code) == organisation_fits(code[8:17]) == _inner_holds(code[8:17])
        good += uscc_fits(code)
        assert not uscc_fits(body + ALPHABET[(ALPHABET.index(code[17]) + 1) % 31])
    assert good > 50
    assert not uscc_fits("91430902ma0000023l")
    assert not uscc_fits("")


def _inner_holds(code):
    total = sum(int(c, 36) * w for c, w in zip(code[:8], (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return code[8] == "0123456789X"[(11 - total % 11) % 11]


def test_identity_numbers_hold_as_stdnum_says():
    draw = random.Random(2)
    for _ in range(300):
        born = f"{draw.randint(1990, 2005)}{draw.randint(1, 12):02d}{draw.randint(1, 31):02d}"
        body = f"110101{born}{draw.randint(0, 999):03d}"
        number = body + ric.calc_check_digit(body + "0")
        assert identity_fits(number) == ric.is_valid(number)
        wrong = body + ("1" if number[17] == "0" else "0")
        assert not identity_fits(wrong)


def test_the_table_of_working_days_is_the_state_councils():
    ours = Workdays()
    day = date(2025, 1, 1)
    while day.year < 2027:
        assert ours.is_workday(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)


def test_seven_working_days_leave_out_the_day_of_decision():
    ours = Workdays(off=["2026-03-04"], on=["2026-03-07"])
    assert ours.within(date(2026, 3, 2), date(2026, 3, 10), 7) is True
    assert ours.within(date(2026, 3, 2), date(2026, 3, 11), 7) is True
    assert ours.within(date(2026, 3, 2), date(2026, 3, 12), 7) is False


async def test_a_journal_that_the_disk_refuses_tells_everybody_and_keeps_no_part(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "j.jsonl")
    await journal.append([b'{"n":1}'])
    with monkeypatch.context() as patch:

        def full(_):
            raise OSError(28, "No space left on device")

        patch.setattr("adapters.sandbox.ledger.os.fsync", full)
        waits = [journal.append([b'{"n":2}']), journal.append([b'{"n":3}'])]
        found = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(error) for error in found] == [OSError, OSError]
    await journal.append([b'{"n":4}'])
    assert [line["n"] for line in journal.lines()] == [1, 4]
    await journal.close()


async def test_a_journal_drops_a_cut_last_line_and_refuses_a_broken_middle(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":')
    journal = Journal(path)
    assert [line["n"] for line in journal.lines()] == [1]
    await journal.close()
    path.write_bytes(b'{"n":1}\n{"n\n{"n":2}\n')
    journal = Journal(path)
    with pytest.raises(ValueError, match=r"delimiter|string|Invalid"):
        list(journal.lines())
    await journal.close()
