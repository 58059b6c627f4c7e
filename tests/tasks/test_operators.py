"""A name is proven by a code that is taken once; guessing comes to nothing; all of it is on record."""

import asyncio
import base64

import pytest

from tasks.operators import LOCK_AFTER, NoSuchAccount, NotProven, disable_operator, list_operators

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


async def test_guessing_locks_for_a_while_and_longer_each_time(desk, cluster):
    await desk("王五")
    wrong = desk.wrong("王五")
    for left in range(LOCK_AFTER - 1, 0, -1):
        with pytest.raises(NotProven, match=f"再错 {left} 次"):
            await desk.prove("王五", wrong)
    with pytest.raises(NotProven, match="暂停 5 分钟"):
        await desk.prove("王五", wrong)
    with pytest.raises(NotProven, match="后再试") as told:
        await desk.prove("王五", desk.code("王五"))  # the right one waits too
    assert wrong not in str(told.value)
    waits = "UPDATE operators SET locked_until = clock_timestamp() - interval '1 s' RETURNING name"
    await desk.world.change(waits)
    for _ in range(LOCK_AFTER - 1):
        with pytest.raises(NotProven, match="再错"):
            await desk.prove("王五", wrong)
    with pytest.raises(NotProven, match="暂停 10 分钟"):
        await desk.prove("王五", wrong)
    await desk.world.change(waits)
    assert await desk.prove("王五", desk.code("王五")) == "王五"
    listed = (await list_operators(desk.world.services.ledger)).operators
    assert [(each.name, each.wrong_codes, each.locked_until) for each in listed] == [("王五", 0, None)]


async def test_who_is_disabled_or_unknown_is_nobody_and_a_new_account_is_another(desk):
    first = await desk("王五")
    for same in ("王五", " 王五　"):
        with pytest.raises(NoSuchAccount, match="已有同名"):
            await desk(same)
    await disable_operator(desk.world.services.ledger, "王五")
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


async def test_the_secret_lies_sealed_and_bound_to_its_account(desk):
    made = await desk("王五")
    await desk("赵六")
    rows = await desk.world.rows("SELECT name, secret_sealed FROM operators")
    for row in rows:
        assert base64.b32decode(made.secret) not in bytes(row["secret_sealed"])
    listed = await list_operators(desk.world.services.ledger)
    assert made.secret not in repr(listed)
