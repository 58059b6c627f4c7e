"""Leaves are written where the facts are, sealed without a gap, and their heads lie outside the database."""

import asyncio
import errno
import json
import os
from dataclasses import replace
from hashlib import sha256

import psycopg
import pytest

from config.settings import Settings
from models.domain.merkle import Peaks, hashes_in, leaf_hash, root_of
from models.evidence import folder as folder_module
from models.evidence.folder import EvidenceFolder
from models.evidence.signing import Signer, create_signing_key
from tasks.doctor.evidence import look_at_evidence
from tasks.draining import drain
from tasks.evidence.log import verify_log
from tasks.evidence.sealer import EvidenceBroken, Sealer, SealingStopped
from tasks.resuming import CannotResume, Resumed, resume, resume_after_restore
from tasks.standing import read_status
from tasks.steps import admit_cases, send_pushes
from tests.tasks.records import case, serial


@pytest.fixture
def log_of(world, tmp_path):
    """A sealer over the world's ledger with a folder and key of this test's own; call it for another."""
    key = tmp_path / "evidence.key"
    create_signing_key(key)

    def make(folder=tmp_path / "evidence"):
        services = world.services
        return Sealer(services.ledger, services.calendar, EvidenceFolder(folder), Signer.load(key), every_s=0)

    make.folder = EvidenceFolder(tmp_path / "evidence")
    make.verifier = Signer.load(key).verifier
    return make


async def pushed(world, cases=3):
    await world.arrive(*(case(serial()) for _ in range(cases)))
    return await world.run(admit_cases, send_pushes)


async def leaves(world):
    return [
        json.loads(each) for each in await world.column("SELECT leaf FROM evidence_leaves ORDER BY number")
    ]


async def test_every_message_try_and_answer_has_its_leaf(world):
    await pushed(world, 2)
    found = await leaves(world)
    kinds = [each["kind"] for each in found]
    tries = await world.rows("SELECT own_id, attempt, leaf, answer_leaf, started_at FROM effect_attempts")
    assert kinds.count("inward") == await world.value("SELECT count(*) FROM inbox") == 2
    assert kinds.count("intent") == kinds.count("answer") == len(tries) > 0
    bodies = {
        row["own_id"]: bytes(row["body_sealed"]) for row in await world.rows("SELECT * FROM effect_bodies")
    }
    for row in tries:
        (intent,) = (each for each in found if each["kind"] == "intent" and each["own_id"] == row["own_id"])
        (answer,) = (each for each in found if each["kind"] == "answer" and each["own_id"] == row["own_id"])
        assert intent["sealed"] == sha256(bodies[row["own_id"]]).hexdigest()
        assert intent["at"] == row["started_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert (intent["attempt"], answer["outcome"]) == (row["attempt"], "accepted")
        assert answer["receipt"]
        assert row["leaf"] < row["answer_leaf"]


async def test_a_commitment_is_to_the_exact_bytes_and_shows_none_of_them(world):
    await pushed(world, 1)
    (row,) = await world.rows(
        "SELECT b.own_id, b.body_sealed, l.leaf FROM effect_bodies b JOIN effect_attempts a USING (own_id)"
        " JOIN evidence_leaves l ON l.number = a.leaf LIMIT 1"
    )
    sealing = world.services.sealing
    sealed = bytes(row["body_sealed"])
    body = sealing.open_sealed("effects.body", row["own_id"], sealed)
    leaf = json.loads(row["leaf"])

    def committed(own_id, content):
        return sealing.commitment("effects.body", own_id, sealed, content).hex()

    assert leaf["commitment"] == committed(row["own_id"], body)
    assert leaf["commitment"] not in {committed(row["own_id"], body + b" "), committed("another", body)}
    assert sha256(body).hexdigest() not in row["leaf"]


async def test_without_a_leaf_there_is_no_call(world, cluster, shared_database):
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    owner = cluster.url("owner", shared_database)
    with psycopg.connect(owner, autocommit=True) as conn:
        conn.execute("REVOKE INSERT ON evidence_leaves FROM shenguan_app")
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await world.run(send_pushes)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await world.arrive(case(serial()))
        finally:
            conn.execute("GRANT INSERT ON evidence_leaves TO shenguan_app")
    assert world.stored("platform") == []
    assert await world.value("SELECT count(*) FROM inbox") == 1


async def test_positions_have_no_gap_and_the_head_is_signed_outside(world, log_of):
    await pushed(world)
    sealer = log_of()
    done = await sealer.seal()
    texts = await world.column(
        "SELECT l.leaf FROM evidence_positions p JOIN evidence_leaves l"
        " ON number = p.leaf ORDER BY p.position"
    )
    hashes = [leaf_hash(text.encode()) for text in texts]
    assert await world.column("SELECT position FROM evidence_positions ORDER BY 1") == list(range(len(texts)))
    head = log_of.folder.last_head()
    assert (head.size, head.root) == (len(texts), root_of(hashes)) == (done.leaves, head.root)
    assert head.is_signed_by(log_of.verifier)
    assert log_of.folder.hashes(0, head.size) == b"".join(hashes)
    assert (await sealer.seal()).heads == 0, "nothing new, no head"
    await pushed(world, 1)
    await log_of().seal()
    second = log_of.folder.last_head()
    assert second.previous == head.digest()
    assert second.size > head.size


async def test_a_head_that_was_not_written_is_written_by_the_next_round(world, log_of, monkeypatch):
    await pushed(world)
    await log_of().seal()
    first = log_of.folder.last_head()

    def full(file, content, place):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    await pushed(world, 1)
    with monkeypatch.context() as patch:
        patch.setattr(folder_module.os, "pwrite", full)
        for _ in range(2):
            with pytest.raises(SealingStopped):
                await log_of().seal()
    assert log_of.folder.last_head() == first
    assert await world.column("SELECT kind FROM incidents WHERE closed_at IS NULL") == ["evidence_stopped"]
    await pushed(world, 1)
    done = await log_of().seal()
    assert done.heads == 2
    sizes = [head.size for _, head in log_of.folder.heads()]
    assert sizes == await world.column("SELECT size FROM evidence_seals ORDER BY size")
    assert await world.column("SELECT kind FROM incidents WHERE closed_at IS NULL") == []


async def test_a_line_that_was_cut_off_counts_as_not_written(world, log_of):
    await pushed(world)
    await log_of().seal()
    await pushed(world, 1)
    await log_of().seal()
    path = log_of.folder.path / "heads.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    await log_of().seal()
    assert path.read_bytes() == whole


async def test_many_sealers_at_once_give_every_leaf_one_position(world, log_of):
    async def work():
        sealer, heads = log_of(), 0
        for _ in range(15):
            heads += (await sealer.seal()).heads
            await asyncio.sleep(0.01)
        return heads

    heads, *_ = await asyncio.gather(
        asyncio.gather(*(work() for _ in range(4))), *(pushed(world, 2) for _ in range(3))
    )
    last = await log_of().seal()
    written = [head for _, head in log_of.folder.heads()]
    assert len(written) == sum(heads) + last.heads
    count = await world.value("SELECT count(*) FROM evidence_leaves")
    assert await world.column("SELECT position FROM evidence_positions ORDER BY 1") == list(range(count))
    assert written[-1].size == count


async def test_a_leaf_that_commits_late_is_sealed_all_the_same(world, log_of):
    ledger = world.services.ledger
    async with ledger.writing() as slow:
        await slow.execute('INSERT INTO evidence_leaves (leaf) VALUES (\'{"kind":"late"}\')')
        await pushed(world, 1)
        for _ in range(3):
            await log_of().seal()
            await pushed(world, 1)
    await log_of().seal()
    await pushed(world, 1)
    await log_of().seal()
    assert await world.value("SELECT count(*) FROM evidence_leaves") == log_of.folder.last_head().size


@pytest.mark.parametrize("gone", ["heads", "folder", "line", "key"])
async def test_heads_that_went_back_are_an_incident_and_nothing_is_sealed(world, log_of, gone, tmp_path):
    for _ in range(3):
        await pushed(world, 1)
        await log_of().seal()
    sealer, path = log_of(), log_of.folder.path / "heads.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if gone == "heads":
        path.unlink()
    elif gone == "folder":
        sealer = log_of(tmp_path / "another")
    elif gone == "line":
        path.write_bytes(b"".join(lines[:1]))
    else:
        other = tmp_path / "other.key"
        create_signing_key(other)
        services = world.services
        folder = EvidenceFolder(log_of.folder.path)
        sealer = Sealer(services.ledger, services.calendar, folder, Signer.load(other), every_s=0)
    await pushed(world, 1)
    before = await world.value("SELECT count(*) FROM evidence_positions")
    with pytest.raises(EvidenceBroken):
        await sealer.seal()
    assert await world.value("SELECT count(*) FROM evidence_positions") == before
    assert await world.column("SELECT kind FROM incidents") == ["evidence_broken"]


@pytest.mark.parametrize("line", [b"[" * 100_000, b"half a sign", b"{}"], ids=["deep", "half", "none"])
async def test_a_head_that_cannot_be_read_is_an_incident(world, log_of, line):
    await pushed(world, 1)
    await log_of().seal()
    path = log_of.folder.path / "heads.jsonl"
    if line == b"half a sign":
        head = json.loads(path.read_bytes())
        line = json.dumps(head | {"at": "\ud800"}).encode()
    path.write_bytes(line + b"\n")
    with pytest.raises(EvidenceBroken, match="无法读取"):
        await log_of().seal()
    assert await world.column("SELECT kind FROM incidents") == ["evidence_broken"]


async def test_a_ledger_that_went_back_is_an_incident(world, log_of, cluster, shared_database):
    for _ in range(2):
        await pushed(world, 1)
        await log_of().seal()
    with psycopg.connect(cluster.url("superuser", shared_database), autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("DELETE FROM evidence_seals WHERE size = (SELECT max(size) FROM evidence_seals)")
    with pytest.raises(EvidenceBroken, match="备份"):
        await log_of().seal()


@pytest.mark.parametrize("table", ["evidence_leaves", "evidence_positions", "evidence_seals"])
@pytest.mark.parametrize("verb", ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET {column} = {column}"])
@pytest.mark.parametrize("role", ["app", "owner", "superuser"])
async def test_nobody_changes_evidence(cluster, shared_database, world, table, verb, role):
    column = {"evidence_leaves": "leaf", "evidence_positions": "leaf_hash", "evidence_seals": "root"}[table]
    with (
        psycopg.connect(cluster.url(role, shared_database)) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(verb.format(table, column=column))


@pytest.mark.parametrize("by_hand", [True, False])
async def test_a_restored_ledger_goes_on_behind_the_heads_it_still_has(
    world, log_of, cluster, shared_database, by_hand
):
    ledger = world.services.ledger
    for _ in range(3):
        await pushed(world, 1)
        await log_of().seal()
    with pytest.raises(CannotResume, match="无须"):
        await resume(ledger, log_of.folder, log_of.verifier, by="张工", note="试")
    heads = [head for _, head in log_of.folder.heads()]
    with psycopg.connect(cluster.url("superuser", shared_database), autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        size = heads[0].size
        conn.execute(
            "DELETE FROM evidence_leaves WHERE number IN"
            " (SELECT leaf FROM evidence_positions WHERE position >= %s)",
            (size,),
        )
        conn.execute("DELETE FROM evidence_positions WHERE position >= %s", (size,))
        conn.execute("DELETE FROM evidence_seals WHERE size > %s", (size,))
        # a restore takes the facts back as well
        gone = "NOT IN (SELECT number FROM evidence_leaves)"
        conn.execute(f"DELETE FROM effect_attempts WHERE leaf {gone} OR answer_leaf {gone}")
        conn.execute(f"DELETE FROM inbox_raw WHERE leaf {gone}")
    sealer = log_of()
    with pytest.raises(EvidenceBroken):
        await sealer.seal()
    if by_hand:
        done = await resume(ledger, log_of.folder, log_of.verifier, by="张工", note="自三月备份恢复")
    else:
        said = await resume_after_restore(ledger, sealer, by="张工", note="自三月备份恢复")
        (aside,) = log_of.folder.path.glob("heads.lost-*.jsonl")
        assert f"从第 {size} 条续接" in said
        assert aside.name in said
        assert await resume_after_restore(ledger, sealer, by="张工", note="再一次") == ""
        done = Resumed(size=size, lost_heads=2, lost_leaves=heads[2].size - size, lost=aside.name)
    assert (done.size, done.lost_heads, done.lost_leaves) == (size, 2, heads[2].size - size)
    lost = (log_of.folder.path / done.lost).read_bytes().splitlines()
    assert lost == [head.line() for head in heads[1:]]
    # What they proved can still be checked: the kept hashes, then the lost ones, lead to the lost heads.
    aside = (log_of.folder.path / done.lost).with_suffix(".bin").read_bytes()
    hashes = log_of.folder.hashes(0, size) + aside
    assert [Peaks.of(hashes_in(hashes[: head.size * 32])).root() for head in heads] == [
        head.root for head in heads
    ]
    await pushed(world, 1)
    await log_of().seal()
    verified = await verify_log(ledger, log_of.folder, log_of.verifier)
    assert verified.is_whole, verified.findings
    said = [each for each in await leaves(world) if each["kind"] == "resumed"]
    assert [(each["by"], each["lost_head"]) for each in said] == [("张工", heads[2].digest().hex())]
    kept = await verify_log(ledger, log_of.folder, log_of.verifier, kept=heads[2])
    assert {each.kind for each in kept.findings} == {"kept"}
    assert await world.column("SELECT kind FROM incidents WHERE closed_at IS NULL") == []


async def test_status_and_doctor_tell_how_evidence_stands(world, log_of, tmp_path):
    services = world.services
    await pushed(world, 1)
    before = (await read_status(services.ledger, services.calendar)).evidence
    assert (before.sealed, before.age_s) == (0, None)
    assert before.unsealed == await world.value("SELECT count(*) FROM evidence_leaves") > 0
    await log_of().seal()
    after = (await read_status(services.ledger, services.calendar)).evidence
    assert (after.sealed, after.unsealed) == (before.unsealed, 0)

    async def doctor(**more):
        settings = Settings(**(world.settings | {key: str(value) for key, value in more.items()}))
        (found,) = await look_at_evidence(settings)
        return found.level

    here = {"evidence_key_file": tmp_path / "evidence.key", "evidence_dir": log_of.folder.path}
    assert await doctor() == "attention"
    assert await doctor(**here) == "fine"
    assert await doctor(**here | {"evidence_dir": tmp_path / "another"}) == "fine", "one round may be cut off"
    await pushed(world, 1)
    await log_of().seal()
    assert await doctor(**here | {"evidence_dir": tmp_path / "another"}) == "bad"
    create_signing_key(tmp_path / "other.key")
    assert await doctor(**here | {"evidence_key_file": tmp_path / "other.key"}) == "bad"
    await world.change('INSERT INTO evidence_leaves (leaf) VALUES (\'{"at":"2020-01-01T00:00:00.000000Z"}\')')
    assert await doctor(**here) == "bad", "a leaf that nobody seals"


async def test_a_folder_that_cannot_be_written_stops_no_effect_and_ends_no_drain(world, log_of, tmp_path):
    """A file stands where the folder should be: a real disk says no."""
    (tmp_path / "taken").touch()
    services = replace(world.services, sealer=log_of(tmp_path / "taken"))
    await world.arrive(case(serial()))
    done = await drain(services, timeout_s=60)
    assert done.due == 0
    assert world.stored("platform") != []
    assert await world.column("SELECT kind FROM incidents WHERE closed_at IS NULL") == ["evidence_stopped"]
    assert await world.value("SELECT count(*) FROM evidence_positions") == 0
