"""A held text goes once more only when two people ask for it, and then under the protocol."""

import asyncio
from datetime import timedelta

import pytest

from models.ledger.connection import LedgerSaidNo
from tasks.operators.accounts import NotProven, disable_operator
from tasks.operators.deciding import decide
from tasks.operators.releasing import CannotRelease, release_text
from tasks.restore.restoring import after_restore
from tasks.steps import admit_cases, match_receipts, recover, send_pushes, tell_liaisons
from tests.tasks.records import NOW, case, serial

TEXTS = {"method": "POST", "path_regex": "^/sms"}
LOST = {"match": TEXTS, "do": {"kind": "store_then_reset"}, "times": 1}
STATE = "SELECT state, asked_by, confirmed_by, reason, attempts FROM effects WHERE own_id = %s"


@pytest.fixture
async def held(world):
    """The own id of a text that may or may not have arrived; its news has gone on."""
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    await world.faults("sms", LOST)
    await world.run(send_pushes, tell_liaisons)
    await world.at(NOW + timedelta(minutes=61))
    await world.run(match_receipts, tell_liaisons)
    assert await world.column("SELECT state FROM effects WHERE channel = 'sms' ORDER BY state") == [
        "accepted",
        "held",
    ]
    return await world.value("SELECT own_id FROM effects WHERE channel = 'sms' AND state = 'held'")


async def release(desk, own_id, name, steps=0):
    services = desk.world.services
    return await release_text(services.ledger, services.sealing, own_id, by=name, code=desk.code(name, steps))


async def test_one_asks_another_confirms_and_it_goes_once(desk, held):
    world = desk.world
    await desk("王五")
    await desk("赵六")
    before = len(world.stored("sms"))
    asked = await release(desk, held, "王五")
    assert (asked.step, asked.asked_by, asked.confirmed_by) == ("asked", "王五", None)
    await world.run(recover, tell_liaisons, match_receipts)
    assert len(world.stored("sms")) == before, "asking alone sends nothing"
    released = await release(desk, held, "赵六")
    assert (released.step, released.confirmed_by) == ("released", "赵六")
    await world.run(tell_liaisons, match_receipts)
    await world.run(tell_liaisons, match_receipts)
    assert len(world.stored("sms")) == before + 1
    (row,) = await world.rows(STATE, held)
    assert row["state"] in {"accepted", "delivered"}
    assert (row["asked_by"], row["confirmed_by"]) == ("王五", "赵六")
    told = "SELECT event, actor FROM history WHERE entity_id = %s AND actor IN ('王五', '赵六') ORDER BY id"
    assert [tuple(line.values()) for line in await world.rows(told, held)] == [
        ("release_asked", "王五"),
        ("released", "赵六"),
    ]
    with pytest.raises(CannotRelease, match="不在暂挂中"):
        await release(desk, held, "王五", 1)


async def test_one_person_is_not_two(desk, held):
    await desk("王五")
    await release(desk, held, "王五")
    with pytest.raises(CannotRelease, match="另一人"):
        await release(desk, held, " 王五 ", 1)
    await disable_operator(desk.world.services.ledger, "王五")
    await desk("王五")  # another account of the same name is the same person
    with pytest.raises(CannotRelease, match="另一人"):
        await release(desk, held, "王五")
    assert await desk.world.value("SELECT state FROM effects WHERE own_id = %s", held) == "held"


async def test_without_a_code_nothing_moves(desk, held):
    await desk("王五")
    await desk("赵六")
    services = desk.world.services
    wrong = desk.wrong("王五")
    with pytest.raises(NotProven):
        await release_text(services.ledger, services.sealing, held, by="王五", code=wrong)
    assert await desk.world.value("SELECT asked_by FROM effects WHERE own_id = %s", held) is None
    await release(desk, held, "王五")
    with pytest.raises(NotProven):  # somebody else's code
        await release_text(services.ledger, services.sealing, held, by="赵六", code=desk.wrong("赵六"))
    assert await desk.world.value("SELECT state FROM effects WHERE own_id = %s", held) == "held"


async def test_of_two_that_confirm_at_once_one_does(desk, held):
    for name in ("王五", "赵六", "孙八"):
        await desk(name)
    await release(desk, held, "王五")
    done = await asyncio.gather(
        release(desk, held, "赵六"), release(desk, held, "孙八"), return_exceptions=True
    )
    assert [getattr(each, "step", None) for each in done].count("released") == 1
    assert sum(isinstance(each, CannotRelease) for each in done) == 1
    before = len(desk.world.stored("sms"))
    await desk.world.run(tell_liaisons, match_receipts)
    assert len(desk.world.stored("sms")) == before + 1


async def test_a_released_text_of_unknown_outcome_is_held_again_and_asks_for_two_again(desk, held):
    world = desk.world
    await desk("王五")
    await desk("赵六")
    await release(desk, held, "王五")
    await release(desk, held, "赵六")
    await world.faults("sms", LOST)
    await world.run(tell_liaisons)
    await world.at(world.now + timedelta(minutes=61))
    await world.run(match_receipts)
    assert await world.value("SELECT state FROM effects WHERE own_id = %s", held) == "held"
    asked = await release(desk, held, "赵六", 1)
    assert (asked.step, asked.asked_by) == ("asked", "赵六")


async def test_a_released_text_waits_for_the_morning(desk, held):
    world = desk.world
    await desk("王五")
    await desk("赵六")
    await world.at(NOW.replace(hour=21))
    await release(desk, held, "王五")
    done = await release(desk, held, "赵六")
    assert done.goes_after == NOW.replace(hour=8) + timedelta(days=1)
    before = len(world.stored("sms"))
    await world.run(tell_liaisons)
    assert len(world.stored("sms")) == before
    await world.at(NOW.replace(hour=8) + timedelta(days=1))
    await world.run(tell_liaisons)
    assert len(world.stored("sms")) == before + 1


async def test_only_a_held_text_that_nobody_decided_is_released(desk, held):
    world = desk.world
    await desk("王五")
    push = await world.value("SELECT own_id FROM effects WHERE channel = 'push' LIMIT 1")
    with pytest.raises(CannotRelease, match="不是短信"):
        await release(desk, push, "王五")
    with pytest.raises(CannotRelease, match="没有这个编号"):
        await release(desk, "SMX", "王五")
    await decide(world.services.ledger, held, by="王五", note_said="已致电核实")
    with pytest.raises(CannotRelease, match="裁定"):
        await release(desk, held, "王五")


@pytest.mark.parametrize("asked", ["NULL", "'赵六'"])
async def test_the_database_itself_wants_two(desk, held, asked):
    with pytest.raises(LedgerSaidNo, match="two_persons_release"):
        await desk.world.change(
            f"UPDATE effects SET asked_by = {asked}, confirmed_by = '赵六' WHERE own_id = %s", held
        )


@pytest.mark.parametrize("journal", ["kept", "lost"])
async def test_what_two_people_let_go_after_the_backup_is_not_let_go_again_from_the_restored_ledger(
    desk, held, journal
):
    world = desk.world
    await desk("王五")
    await desk("赵六")
    await release(desk, held, "王五")
    (backup,) = await world.rows("SELECT * FROM effects WHERE own_id = %s", held)
    await release(desk, held, "赵六")
    await world.run(tell_liaisons, match_receipts)
    there = len(world.stored("sms"))
    names = ("state", "reason", "owner", "due_at", "asked_by", "confirmed_by", "attempts", "receipt_number")
    await world.change(
        f"UPDATE effects SET {', '.join(f'{name} = %s' for name in names)} WHERE own_id = %s",
        *(backup[name] for name in names),
        held,
    )
    await world.change("UPDATE sender_guard SET mark = mark - 1")
    assert (await world.run(tell_liaisons))["tell_liaisons"] == {"withheld": 1}
    lost = [world.services.guard.host] if journal == "lost" else []
    back = await after_restore(world.services, by="值班", lost=lost)
    assert (back.open, back.texts_held) == (True, 1)
    (row,) = await world.rows(STATE, held)
    assert (row["state"], row["reason"], row["asked_by"]) == ("held", "restored", None)
    for name in ("王五", "赵六"):
        with pytest.raises(CannotRelease, match="恢复前已外发"):
            await release(desk, held, name, 1)
    await world.run(recover, tell_liaisons, match_receipts)
    assert len(world.stored("sms")) == there
    again = await after_restore(world.services, by="值班", lost=lost)
    assert again.texts_held == 0, "what is held for this already is not counted anew"
