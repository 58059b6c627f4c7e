"""A party's bytes are sealed under its own key: wrapped again they stay, destroyed they are gone."""

import asyncio
import base64
import contextlib
import hmac
import json
from uuid import uuid4

import psycopg
import pytest

from models.ledger.data_keys import DataKeyNotLoaded, DataKeys, key_id_of
from models.ledger.keyring import Keyring, UnknownKey, rotate_keyring
from models.ledger.one_time import code_at
from models.ledger.queries import data_keys
from models.ledger.sealing import Forgotten, SealBroken, Sealing
from tasks.evidence.forgetting import CannotForget, forget
from tasks.evidence.rewrapping import rewrap
from tasks.evidence.subjects import RAW_FIELD
from tasks.operators.accounts import NotProven, add_operator
from tasks.steps import admit_cases, send_pushes
from tests.tasks.records import case, serial
from tests.tasks.test_evidence_log import Log

BODY_FIELD = "effects.body"


def of_party(number, name="甲公司"):
    """An ordinary case of a party with this id number."""
    record = case(serial())
    return record | {"party": record["party"] | {"id_number": number, "name": name}}


@pytest.fixture
async def parties(world):
    """Two parties, the first with two cases, pushed."""
    first, second = case(serial())["party"]["id_number"], "91430900MA4L000X1X"
    records = [of_party(first), of_party(first), of_party(second, "乙公司")]
    await world.arrive(*records)
    await world.run(admit_cases, send_pushes)
    return records


async def sealed_of(world, case_no):
    """(field, row id, envelope) of everything that is sealed about a case."""
    raws = await world.rows(
        "SELECT r.inbox_id, r.raw_sealed FROM inbox_raw r JOIN inbox i ON i.id = r.inbox_id"
        " WHERE i.record_key = %s",
        case_no,
    )
    bodies = await world.rows(
        "SELECT b.own_id, b.body_sealed FROM effect_bodies b JOIN effects e USING (own_id)"
        " JOIN cases c ON c.id = e.case_id WHERE c.case_no = %s",
        case_no,
    )
    return [(RAW_FIELD, row["inbox_id"], bytes(row["raw_sealed"])) for row in raws] + [
        (BODY_FIELD, row["own_id"], bytes(row["body_sealed"])) for row in bodies
    ]


async def opened(world, sealing, places):
    async with world.services.ledger.reading() as conn:
        await data_keys.load(conn, sealing, [each[2] for each in places])
    return [sealing.open_sealed(*each) for each in places]


async def test_each_party_has_one_key_for_all_that_is_about_it(world, parties):
    keys = []
    for record in parties:
        places = await sealed_of(world, record["case_no"])
        assert len(places) >= 2
        keys.append({key_id_of(envelope) for _, _, envelope in places})
        assert all(len(each) == 1 for each in keys)
    assert keys[0] == keys[1] != keys[2]
    assert await world.value("SELECT count(*) FROM data_keys") == 2


async def test_workers_that_meet_a_party_for_the_first_time_make_one_key(world):
    numbers = [f"91430900MA4L{number:04d}0X" for number in range(20)]

    async def one(order):
        await world.arrive(*(of_party(number) for number in order))

    await asyncio.gather(one(numbers), one(numbers[::-1]), one(numbers))
    assert await world.value("SELECT count(*) FROM inbox") == 60
    assert await world.value("SELECT count(*) FROM data_keys") == 20


async def test_a_key_that_was_never_committed_seals_nothing_later(world):
    services, subject = world.services, b"somebody"
    with contextlib.suppress(ZeroDivisionError):
        async with services.ledger.writing() as conn:
            (first,) = (await data_keys.of_subjects(conn, services.sealing, [subject])).values()
            _ = 1 / 0
    async with services.ledger.writing() as conn:
        (second,) = (await data_keys.of_subjects(conn, services.sealing, [subject])).values()
    assert first != second
    assert await world.column("SELECT id FROM data_keys WHERE subject = %s", subject) == [second]


async def test_what_is_sealed_opens_only_with_its_key_read_and_in_its_place(world, parties):
    (field, row_id, envelope), *_ = await sealed_of(world, parties[0]["case_no"])
    sealing = Sealing(Keyring.load(world.services.settings.seal_keys_file))
    with pytest.raises(DataKeyNotLoaded):
        sealing.open_sealed(field, row_id, envelope)
    (plain,) = await opened(world, sealing, [(field, row_id, envelope)])
    assert json.loads(plain)["case_no"] == parties[0]["case_no"]
    for wrong in ((field, "another", envelope), ("other", row_id, envelope), (field, row_id, envelope[:-1])):
        with pytest.raises(SealBroken):
            sealing.open_sealed(*wrong)
    stranger = envelope[:1] + bytes(16) + envelope[17:]
    with pytest.raises(SealBroken):
        await opened(world, sealing, [(field, row_id, stranger)])


async def test_a_rotation_wraps_the_keys_again_and_leaves_what_they_sealed(
    world, parties, tmp_path, keyring_file
):
    places = await sealed_of(world, parties[0]["case_no"])
    before = await opened(world, world.services.sealing, places)
    rotated = tmp_path / "keys.json"
    rotated.write_bytes(keyring_file.read_bytes())
    rotated.chmod(0o600)
    rotate_keyring(rotated, seal_algorithm="sm4-gcm")
    sealing = Sealing(Keyring.load(rotated))
    done = await rewrap(world.services.ledger, sealing)
    assert done.keys == await world.value("SELECT count(*) FROM data_keys") == 2
    assert (await rewrap(world.services.ledger, sealing)).keys == 0
    assert await sealed_of(world, parties[0]["case_no"]) == places
    fresh = Sealing(Keyring.load(rotated))
    assert await opened(world, fresh, places) == before
    old = Sealing(Keyring.load(keyring_file))
    with pytest.raises(UnknownKey):
        await opened(world, old, places)
    with pytest.raises(UnknownKey):
        await rewrap(world.services.ledger, old)


@pytest.fixture
async def desk(world):
    """Two accounts: ``desk(name)`` gives a code that was not used yet."""
    services = world.services
    made = {name: await add_operator(services.ledger, services.sealing, name) for name in ("张工", "李工")}
    used = dict.fromkeys(made, 0)

    async def code(name):
        used[name] += 1
        # A code is taken once; the next step's is taken too.
        seconds = await world.value("SELECT extract(epoch FROM clock_timestamp())::float")
        secret = base64.b32decode(made[name].secret.replace(" ", ""))
        return code_at(secret, seconds + 30 * (used[name] - 1))

    return code


async def over(world):
    """Every case has come to its end."""
    await world.change("UPDATE cases SET state = 'voided'")
    await world.change("UPDATE effects SET state = 'superseded' WHERE state IN ('planned', 'unknown')")


async def test_a_party_is_forgotten_by_two_people_and_the_log_goes_on_verifying(
    world, parties, desk, cluster, shared_database, tmp_path
):
    log = Log(world, cluster.url("superuser", shared_database), tmp_path)
    await log.sealer.seal()
    services, case_no = world.services, parties[0]["case_no"]
    places, others = await sealed_of(world, case_no), await sealed_of(world, parties[2]["case_no"])
    plain = await opened(world, services.sealing, places)
    salts = [services.sealing.salt(*each) for each in places]

    async def by(name, **more):
        code = more.pop("code", None) or await desk(name)
        return await forget(services.ledger, services.sealing, case_no, by=name, code=code, note="依申请删除")

    with pytest.raises(CannotForget, match="未闭环"):
        await by("张工", code="000000")
    await over(world)
    with pytest.raises(NotProven):
        await by("张工", code="000000")
    asked = await by("张工")
    assert (asked.step, asked.keys) == ("asked", 0)
    with pytest.raises(CannotForget, match="另一人"):
        await by("张工")
    assert len(await opened(world, services.sealing, places)) == len(plain), "asking destroys nothing"
    done = await by("李工")
    assert (done.step, done.asked_by, done.confirmed_by, done.keys) == ("destroyed", "张工", "李工", 1)

    for sealing in (services.sealing, Sealing(Keyring.load(services.settings.seal_keys_file))):
        with pytest.raises(Forgotten):
            await opened(world, sealing, places)
        assert sealing.salt(*places[0]) is None, "the salt died with the key"
        await opened(world, sealing, others)
    # Before, whoever had the bytes and the salt could show the commitment; now nobody has the salt.
    leaf = json.loads(await world.value("SELECT leaf FROM evidence_leaves ORDER BY number LIMIT 1"))
    assert leaf["commitment"] in {
        hmac.digest(salt, content, "sha256").hex() for salt, content in zip(salts, plain, strict=True)
    }
    await log.sealer.seal()
    verified = await log.verify()
    assert verified.is_whole
    said = json.loads(await world.value("SELECT leaf FROM evidence_leaves ORDER BY number DESC LIMIT 1"))
    assert (said["kind"], said["asked_by"], said["confirmed_by"]) == ("forgotten", "张工", "李工")
    assert await world.value("SELECT keys FROM forgettings") == 1

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await world.change("UPDATE data_keys SET wrapped = 'x', destroyed_at = NULL WHERE wrapped IS NULL")
    await world.arrive(of_party(parties[0]["party"]["id_number"]))
    assert await world.value("SELECT count(*) FROM data_keys") == 3, "who comes again gets another key"


async def test_one_person_cannot_be_two_in_the_ledger_either(world, parties):
    with pytest.raises(Exception, match="two_persons"):
        await world.change(
            "INSERT INTO forgettings (id, case_id, note, asked_by, confirmed_by, confirmed_at)"
            " SELECT gen_random_uuid(), id, '', '张工', '张工', now() FROM cases LIMIT 1"
        )


def test_keys_are_kept_in_bounds(monkeypatch):
    monkeypatch.setattr("models.ledger.data_keys._MOST", 2)
    keys = DataKeys()
    ids = [uuid4() for _ in range(4)]
    for each in ids[:3]:
        keys.learn(each, "aes-256-gcm", bytes(32))
    assert keys.missing([b"\2" + ids[0].bytes]) == [ids[0]]
    assert keys.missing([b"\1\0\1"]) == []
