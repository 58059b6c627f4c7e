"""`shenguan reconcile` on a city that has lived: the account for people and for programs, the exit codes."""

import json

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from flows.cli_schemas import schema_of

pytestmark = pytest.mark.stack


def validated(text):
    value = json.loads(text)
    Draft202012Validator(schema_of("reconcile"), format_checker=FormatChecker()).validate(value)
    return value


@pytest.fixture
def day(ask):
    """The business day of most pushes."""
    return str(
        ask(
            "SELECT (receipt_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM effects"
            " WHERE channel = 'push' AND receipt_at IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        )[0][0]
    )


def test_a_day_that_agrees(shenguan, day, ask):
    done = shenguan("reconcile", "--day", day, "--json")
    told = validated(done.out)
    assert (told["first"], told["last"], told["rate"]) == (day, day, 1.0)
    assert told["ours"] == told["agreed"] > 0
    assert done.code == 0
    assert {line["system"] for line in told["lines"]} >= {"platform"}
    assert ask(
        "SELECT count(*) FROM reconciled_days WHERE day = %s AND agreed < ours AND system <> 'sms'", day
    ) == [(0,)]


def test_it_is_read_in_chinese_and_status_tells_the_rate(shenguan, day):
    done = shenguan("reconcile", "--day", day)
    assert done.out.startswith(f"对账 {day}：完整率 100%")
    assert f"{day}：完整率 100%" in shenguan("status").out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--day", "yesterday"), "YYYY-MM-DD"),
        (("--lost", "host-a", "--by", "x", "--code", "000000"), "--after-restore"),
        (("--new-host",), "--by"),
        (("--new-ledger",), "--by"),
        (("--new-ledger", "--after-restore", "--by", "x", "--code", "000000"), "--after-restore"),
    ],
)
def test_a_wrong_use_is_told(shenguan, options, said):
    done = shenguan("reconcile", *options)
    assert done.code == 2
    assert said in done.err


def test_after_restore_on_a_ledger_that_was_not_restored_changes_nothing(shenguan, ask):
    before = ask("SELECT own_id, state, receipt_number FROM effects ORDER BY own_id")
    done = shenguan("reconcile", "--after-restore", "--json")
    told = validated(done.out)
    assert told["restored"]["open"] is True
    assert (told["restored"]["adopted"], told["restored"]["texts_held"], told["locked"]) == (0, 0, False)
    after = ask("SELECT own_id, state, receipt_number FROM effects ORDER BY own_id")
    assert [row for row in after if row in before] == before
