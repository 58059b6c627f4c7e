"""A name is proven by a code that is taken once; guessing comes to nothing; all of it is on record."""

import asyncio
import base64
import re
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest

from tasks.desk.facts import Level, read_desk
from tasks.desk.pages import pages
from tasks.doctor.operators import look_at_operators
from tasks.operators.accounts import (
    FREE_WRONG,
    NoSuchAccount,
    NotProven,
    disable_operator,
    list_operators,
    unlock_operator,
    wait_s,
)
from tasks.steps import take_in_cases

ACTS = "SELECT act, subject, outcome FROM operator_acts WHERE name = %s ORDER BY id"


async def test_a_code_is_taken_once_and_its_neighbour_too(desk):
    await desk("王五")
    code = desk.code("王五")
    assert await desk.prove("王五", code) == "王五"
    with pytest.raises(NotProven, match="已用过"):
        await desk.prove("王五", code)
    assert await desk.prove(" 王五 ", desk.code("王五", 1)) == "王五"
    rows = await desk.world.rows(ACTS, "王五")
    assert [row["outcome"] for row in rows] == ["done", "proved", "used_code", "proved"]


async def test_of_many_at_once_with_the_same_code_one_is_let_in(desk):
    await desk("王五")
    code = desk.code("王五")
    said = await asyncio.gather(*(desk.prove("王五", code) for _ in range(6)), return_exceptions=True)
    assert said.count("王五") == 1
    assert sum(isinstance(each, NotProven) for each in said) == 5


@pytest.fixture
def later(cluster, shared_database):
    """``later(seconds)``: what was written down about codes happened so much earlier."""

    def run(seconds):
        with psycopg.connect(cluster.url("superuser", shared_database), autocommit=True) as conn:
            conn.execute("UPDATE operator_acts SET at = at - make_interval(secs => %s)", (seconds,))

    return run


async def guess(desk, name, times, **given):
    for _ in range(times):
        with pytest.raises(NotProven, match="口令不对"):
            await desk.prove(name, desk.wrong(name), **given)


async def test_wrong_codes_wait_longer_each_time_and_never_for_ever(desk, later):
    await desk("王五")
    await guess(desk, "王五", FREE_WRONG)
    for wrong in range(FREE_WRONG, FREE_WRONG + 12):
        with pytest.raises(NotProven, match="后再试") as told:
            await desk.prove("王五", desk.code("王五"))  # the right one waits too
        assert desk.wrong("王五") not in str(told.value)
        assert 30 <= wait_s(wrong) <= 3600
        later(wait_s(wrong))
        if wrong < FREE_WRONG + 11:
            await guess(desk, "王五", 1)
    assert wait_s(FREE_WRONG + 11) == 3600
    assert await desk.prove("王五", desk.code("王五")) == "王五"
    listed = (await list_operators(desk.world.services.ledger)).operators
    assert [(each.name, each.wrong_codes, each.waits_until) for each in listed] == [("王五", 0, None)]
    rows = await desk.world.rows(ACTS, "王五")
    assert [row["outcome"] for row in rows].count("wrong_code") == FREE_WRONG + 11


async def test_who_knows_prefects_login_delays_nobody_at_the_host(desk):
    await desk("王五")
    now = datetime.now(UTC)
    await guess(desk, "王五", FREE_WRONG, asked_at=now)
    with pytest.raises(NotProven, match="后再试"):
        await desk.prove("王五", desk.code("王五"), asked_at=now)
    assert await desk.prove("王五", desk.code("王五")) == "王五"
    with pytest.raises(NotProven, match="后再试"):
        await desk.prove("王五", desk.code("王五", 1), asked_at=now)


async def test_guessing_is_seen_and_whoever_holds_the_host_ends_the_waiting(desk):
    await desk("王五")
    await desk.world.run(take_in_cases)
    ledger, calendar = desk.world.services.ledger, desk.world.services.calendar
    assert (await read_desk(ledger, calendar)).guessed == ()
    await guess(desk, "王五", FREE_WRONG, asked_at=datetime.now(UTC))
    with pytest.raises(NotProven):
        await desk.prove("赵六", "123456")
    facts = await read_desk(ledger, calendar)
    assert facts.verdict[0] is Level.ATTENTION
    by_key = {page.key: page.body for page in pages(facts)}
    assert "**口令** 王五 在界面表单连续 3 次错误" in by_key["desk-1-overview"]
    assert "| 王五 | 界面表单 | 3 |" in by_key["desk-4-matters"]
    assert "使用不存在的账户名 1 次" in by_key["desk-4-matters"]
    async with ledger.reading() as conn:
        found = await look_at_operators(conn)
    assert [each.level for each in found] == ["attention", "attention"]
    assert "王五 在界面表单连续 3 次口令错误" in found[0].said
    assert "unlock" in found[0].todo
    done = await unlock_operator(ledger, " 王五　")
    assert (done.unlocked, done.wrong_codes) == ("王五", FREE_WRONG)
    assert (await read_desk(ledger, calendar)).guessed == ()
    assert await desk.prove("王五", desk.code("王五"), asked_at=datetime.now(UTC)) == "王五"
    with pytest.raises(NoSuchAccount):
        await unlock_operator(ledger, "赵六")


async def test_a_run_that_waited_is_judged_by_when_it_was_asked_for(desk):
    await desk("王五")
    asked = datetime.now(UTC) - timedelta(minutes=10)
    code = desk.code("王五", -20)
    with pytest.raises(NotProven, match="过期"):
        await desk.prove("王五", code)  # at a command it is ten minutes old
    assert await desk.prove("王五", code, asked_at=asked) == "王五"
    with pytest.raises(NotProven, match="已用过"):
        await desk.prove("王五", code, asked_at=asked)
    with pytest.raises(NotProven, match="过期"):
        await desk.prove("王五", code, asked_at=datetime.now(UTC))  # a newer run with an old code


async def test_what_is_too_old_is_no_wrong_code(desk):
    await desk("王五")
    asked = datetime.now(UTC) - timedelta(minutes=16)
    for _ in range(FREE_WRONG + 2):
        with pytest.raises(NotProven, match="过期：提交后过了 16 分钟才执行"):
            await desk.prove("王五", desk.code("王五", -32), asked_at=asked)
        with pytest.raises(NotProven, match="过期，不计为错误"):
            await desk.prove("王五", desk.code("王五", -4))
    assert await desk.prove("王五", desk.code("王五")) == "王五"
    rows = await desk.world.rows(ACTS, "王五")
    assert [row["outcome"] for row in rows[1:]] == ["expired"] * 2 * (FREE_WRONG + 2) + ["proved"]


async def test_a_clock_ahead_gives_no_code_of_tomorrow(desk):
    await desk("王五")
    ahead = datetime.now(UTC) + timedelta(hours=5)
    with pytest.raises(NotProven, match="口令不对"):
        await desk.prove("王五", desk.code("王五", 600), asked_at=ahead)
    assert await desk.prove("王五", desk.code("王五"), asked_at=ahead) == "王五"


async def test_a_name_that_nobody_has_is_written_down_unless_it_names_a_person(desk):
    for name in ("赵六", "13812345678", "甲" * 60):
        with pytest.raises(NotProven, match="没有这个账户") as told:
            await desk.prove(name, "123456")
        assert "13812345678" not in str(told.value)
    rows = await desk.world.rows("SELECT name, operator_id, outcome FROM operator_acts ORDER BY id")
    assert [(row["name"], row["operator_id"], row["outcome"]) for row in rows] == [
        (name, None, "unknown_name") for name in ("赵六", "（疑似个人信息）", "甲" * 40)
    ]


async def test_who_is_disabled_or_unknown_is_nobody_and_a_new_account_is_another(desk):
    first = await desk("王五")
    for same in ("王五", " 王五　"):
        with pytest.raises(NoSuchAccount, match="已有同名"):
            await desk(same)
    await disable_operator(desk.world.services.ledger, " 王五　")  # spelled as anybody would
    with pytest.raises(NotProven, match="没有这个账户"):
        await desk.prove("王五", desk.code("王五"))
    with pytest.raises(NoSuchAccount):
        await disable_operator(desk.world.services.ledger, "王五")
    old = desk.code("王五")
    second = await desk("王五")
    assert second.secret != first.secret
    if old != desk.code("王五"):
        with pytest.raises(NotProven, match="口令不对"):
            await desk.prove("王五", old)
    assert await desk.prove("王五", desk.code("王五")) == "王五"
    with pytest.raises(NotProven, match="没有这个账户"):
        await desk.prove("赵六", "123456")


@pytest.mark.parametrize("name", ["", "   ", "甲" * 41, "甲\u200b乙", "甲\n乙"])
async def test_a_name_is_one_that_people_can_read(desk, name):
    with pytest.raises(NoSuchAccount):
        await desk(name)


@pytest.mark.parametrize("number", ["13812345678", "430903198001011231", "王五 １３８１２３４５６７８"])
async def test_a_persons_number_is_no_name_and_is_not_repeated(desk, number):
    ledger = desk.world.services.ledger
    for deed in (desk, partial(disable_operator, ledger), partial(unlock_operator, ledger)):
        with pytest.raises(NoSuchAccount) as told:
            await deed(number)
        assert "疑似个人信息" in str(told.value)
        assert not re.search(r"\d{5}", repr(told.value))
    assert await desk.world.rows("SELECT FROM operators") == []
    assert await desk.world.rows("SELECT FROM operator_acts") == []


async def test_the_secret_lies_sealed_and_bound_to_its_account(desk):
    made = await desk("王五")
    await desk("赵六")
    rows = await desk.world.rows("SELECT name, secret_sealed FROM operators")
    for row in rows:
        assert base64.b32decode(made.secret) not in bytes(row["secret_sealed"])
    listed = await list_operators(desk.world.services.ledger)
    assert made.secret not in repr(listed)
