"""The senders' guard: the journal is ahead of every call, and an older ledger sends nothing."""

import asyncio
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from config.settings import Settings
from tasks.doctor.journal import look_at_journal
from tasks.restore.guarding import MESSAGES, SenderGuard
from tasks.restore.restoring import RestoreHalted, after_restore, new_host, new_ledger
from tasks.steps import admit_cases, recover, send_pushes, tell_liaisons
from tests.tasks.dying import DEAD, die_at
from tests.tasks.records import case, serial


async def journal_of(world):
    """The waves that this ledger's journal holds."""
    async with world.services.ledger.writing() as conn:
        assert await world.services.guard.may_send(conn) is None
    return list(world.services.guard._journal.waves())


async def of_another_host(world, folder: Path):
    """The same services on a host with a journal folder of its own."""
    services = world.services
    guard = SenderGuard(folder, services.calendar, most_bytes=2**24, host="another")
    return replace(services, guard=guard)


async def taken_back(world, marks=1):
    """The ledger as a backup holds it that was made some intents ago."""
    await world.change("UPDATE sender_guard SET mark = mark - %s", marks)


async def test_each_wave_stands_in_the_journal_with_its_tries_and_a_text_with_its_news(world):
    await world.arrive(case(serial()), case(serial()))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    pushes, text = await journal_of(world)
    assert {entry.own_id for entry in pushes.entries} == set(
        await world.column("SELECT own_id FROM effects WHERE channel = 'push'")
    )
    assert {(entry.attempt, entry.about) for entry in pushes.entries} == {(1, None)}
    (entry,) = text.entries
    (row,) = await world.rows("SELECT * FROM effects WHERE channel = 'sms'")
    assert entry.own_id == row["own_id"]
    assert (entry.about["target"], entry.about["key"], entry.about["sha256"]) == (
        row["target"],
        row["business_key"],
        row["content_sha256"],
    )
    assert {push for push, _ in entry.about["news"]} == {each.own_id for each in pushes.entries}
    assert await world.value("SELECT mark FROM sender_guard") == text.mark == pushes.mark + 1


async def test_a_worker_that_dies_between_intent_and_call_has_written_its_journal(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    assert await asyncio.to_thread(die_at, world.settings, "send_pushes", "after_intent") == DEAD
    (wave,) = await journal_of(world)
    assert [entry.own_id for entry in wave.entries] == await world.column("SELECT own_id FROM effects")


async def test_a_ledger_older_than_the_journal_locks_all_senders_with_one_incident(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    await taken_back(world)
    await world.arrive(case(serial()))
    did = await world.run(admit_cases, send_pushes, tell_liaisons, send_pushes, recover)
    assert did["send_pushes"] == {"withheld": 1}
    assert did["tell_liaisons"] == {"withheld": 1}
    assert len(world.stored("platform")) == 1
    assert world.stored("sms") == []
    assert await world.column("SELECT state FROM effects ORDER BY planned_at") == ["accepted", "planned"], (
        "reading in and admission go on"
    )
    (lock,) = await world.rows("SELECT * FROM sender_locks")
    assert (lock["cause"], lock["journal_mark"] - lock["ledger_mark"]) == ("ledger_older", 1)
    assert lock["opened_at"] is None
    (incident,) = await world.rows("SELECT * FROM incidents")
    assert (incident["kind"], incident["count"]) == ("senders_locked", 1)
    assert incident["owner"]
    assert incident["due_at"]
    await world.change("UPDATE sender_guard SET mark = mark + 5")
    assert (await send_pushes(world.services)) == {"withheld": 1}, "the lock stands in the ledger"


async def test_a_host_without_a_journal_of_a_ledger_that_has_sent_sends_nothing(world, tmp_path):
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    other = await of_another_host(world, tmp_path)
    assert await send_pushes(other) == {"withheld": 1}
    assert len(world.stored("platform")) == 1
    (incident,) = await world.rows("SELECT kind, key FROM incidents")
    assert incident == {"kind": "journal_missing", "key": "another"}
    assert (await send_pushes(world.services))["accepted"] == 1, "a host that knows goes on"


async def test_a_new_host_joins_once_a_person_says_so(world, tmp_path):
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    other = await of_another_host(world, tmp_path)
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    assert await send_pushes(other) == {"withheld": 1}
    await new_host(other)
    assert (await send_pushes(other))["accepted"] == 1
    assert await world.value("SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0
    assert await world.column("SELECT host FROM sender_journals WHERE host = 'another'") == ["another"]
    await world.run(send_pushes)
    await taken_back(world)
    assert await send_pushes(world.services) == {"withheld": 1}, "it has seen how far the other came"
    with pytest.raises(RestoreHalted, match="锁定"):
        await new_host(await of_another_host(world, tmp_path / "third"))


async def test_the_lock_waits_for_every_hosts_journal(world, tmp_path):
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    other = await of_another_host(world, tmp_path)
    assert await send_pushes(other) == {"withheld": 1}
    await new_host(other)
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    assert (await send_pushes(other))["accepted"] == 1
    await taken_back(world)
    await world.run(send_pushes)
    first = await after_restore(world.services, by="值班")
    assert (first.open, first.waiting_for) == (False, ("another",))
    assert await send_pushes(world.services) == {"withheld": 1}
    second = await after_restore(other, by="值班")
    assert (second.open, second.waiting_for) == (True, ())
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    assert (await send_pushes(world.services))["accepted"] == 1


async def test_a_journal_that_was_changed_stops_its_host(world):
    await world.arrive(case(serial()), case(serial()))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    guard = world.services.guard
    (path,) = guard._journal.folder.glob("*.journal")
    path.write_bytes(path.read_bytes().replace(b"PS", b"PX", 1))
    services = replace(world.services, guard=SenderGuard(guard._folder, guard._calendar, most_bytes=2**24))
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    assert await send_pushes(services) == {"withheld": 1}
    assert await world.column("SELECT kind FROM incidents") == ["journal_broken"]


async def test_nothing_leaves_while_the_journal_cannot_be_written(world, monkeypatch):
    await world.arrive(case(serial()))
    await world.run(admit_cases)

    def broken(*_):
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("adapters.journal.journal.os.fdatasync", broken)
        assert await send_pushes(world.services) == {"not_done": 1}
    assert world.stored("platform") == []
    (row,) = await world.rows("SELECT answer FROM effect_attempts")
    assert row["answer"] == "journal_unwritable"
    await world.wait_is_over()
    assert (await send_pushes(world.services))["accepted"] == 1


@pytest.mark.parametrize("lost", [1, 3])
async def test_a_restore_between_lease_and_intent_is_found_by_the_intent(world, lost):
    """The mark is looked at again in the transaction that moves it."""
    await world.arrive(*(case(serial()) for _ in range(3)))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    guard, real = world.services.guard, world.services.guard.may_send

    async def then_restored(conn):
        assert await real(conn) is None
        await conn.execute("UPDATE sender_guard SET mark = mark - %s", (lost,))

    guard.may_send = then_restored
    with pytest.raises(Exception, match="台账停在第"):
        await send_pushes(world.services)
    del guard.may_send
    assert len(world.stored("platform")) == 3


def before_its_first_send(world, cluster, database):
    """The ledger as a backup holds it that was made before anything was sent."""
    with psycopg.connect(cluster.url("superuser", database), autocommit=True) as conn:
        conn.execute("DELETE FROM sender_guard")
        conn.execute("DELETE FROM sender_journals")
    world.services.guard.close()


async def test_a_ledger_put_back_to_before_its_first_send_is_known_by_the_journal_beside_it(
    world, cluster, shared_database
):
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    identity = await world.value("SELECT installation FROM sender_guard")
    before_its_first_send(world, cluster, shared_database)
    await world.arrive(case(serial()))
    assert (await world.run(admit_cases, send_pushes))["send_pushes"] == {"withheld": 1}
    assert len(world.stored("platform")) == 1
    (lock,) = await world.rows("SELECT cause, ledger_mark, journal_mark FROM sender_locks")
    assert lock == {"cause": "ledger_older", "ledger_mark": 0, "journal_mark": 2}
    assert await world.column("SELECT message FROM incidents") == [MESSAGES["ledger_empty"]]
    back = await after_restore(world.services, by="值班")
    assert back.open
    assert await world.value("SELECT installation FROM sender_guard") == identity, "it is that ledger again"
    assert (await world.run(send_pushes))["send_pushes"]["accepted"] == 1


async def test_a_new_ledger_beside_anothers_journal_goes_on_once_a_person_says_that_it_is_new(
    world, cluster, shared_database
):
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    with pytest.raises(RestoreHalted, match="全新"):
        await new_ledger(world.services, by="张工")
    other = await world.value("SELECT installation FROM sender_guard")
    before_its_first_send(world, cluster, shared_database)
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    await new_ledger(world.services, by="张工")
    assert await world.value("SELECT installation FROM sender_guard") != other
    assert (await world.run(send_pushes))["send_pushes"]["accepted"] == 1
    assert await world.column("SELECT opened_by FROM sender_locks") == ["张工"]
    assert await world.value("SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0
    journals = {path.parent.name for path in world.services.guard._folder.glob("*/*.journal")}
    assert str(other) in journals, "the other's journal stays"
    assert len(journals) == 2


async def test_the_doctor_names_a_journal_that_is_missing_changed_unwritable_or_ahead(world, tmp_path):
    folder = world.services.guard._folder

    async def doctor(**more):
        (found,) = await look_at_journal(Settings(**(world.settings | {"journal_dir": str(folder)} | more)))
        return found

    assert (await doctor()).level == "fine", "nothing has left yet"
    await world.arrive(case(serial()), case(serial()))
    await world.run(admit_cases, send_pushes, tell_liaisons)
    told = await doctor()
    assert (told.level, told.said) == ("fine", "到第 2 次外发，台账到第 2 次")

    missing = await doctor(journal_dir=str(tmp_path / "elsewhere"))
    assert missing.level == "bad"
    assert "没有这套台账的外发日志" in missing.said
    assert "reconcile" in missing.todo

    (path,) = folder.glob("*/*.journal")
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"PS", b"PX", 1))
    changed = await doctor()
    assert changed.level == "bad"
    assert "被改动" in changed.said
    path.write_bytes(kept)

    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    unwritable = await doctor(journal_dir=str(in_the_way))
    assert unwritable.level == "bad"
    assert str(in_the_way) in unwritable.said

    await taken_back(world)
    ahead = await doctor()
    assert ahead.level == "bad"
    assert "比对外已发出的内容旧" in ahead.said
    assert await world.value("SELECT count(*) FROM sender_locks") == 0, "the doctor only looks"
    assert (await doctor()).level == "bad"
    await world.arrive(case(serial()))
    await world.run(admit_cases, send_pushes)
    locked = await doctor()
    assert (locked.level, "已锁定" in locked.said) == ("bad", True)
