"""A key file of another ledger stops the start, before anything is sealed or opened."""

import pytest

from models.ledger.key_check import assert_ours
from models.ledger.keyring import Keyring, KeyringBroken, create_keyring, rotate_keyring
from models.ledger.queries import key_marks


async def known(ledger):
    async with ledger.reading() as conn:
        return await key_marks.known(conn)


async def test_the_first_start_decides_and_every_other_file_of_these_numbers_is_a_stranger(ledger, tmp_path):
    path = tmp_path / "ours.json"
    await assert_ours(ledger, create_keyring(path), path)
    first = await known(ledger)
    assert set(first) == {("seal", 1), ("index", 1)}
    await assert_ours(ledger, Keyring.load(path), path)

    strange = tmp_path / "strange.json"
    with pytest.raises(KeyringBroken) as told:
        await assert_ours(ledger, create_keyring(strange), strange)
    assert "第 1 把密封密钥不是这套台账的" in str(told.value)
    assert await known(ledger) == first, "a stranger leaves no mark"

    rotated = rotate_keyring(path, seal_algorithm="sm4-gcm")
    await assert_ours(ledger, rotated, path)
    assert set(await known(ledger)) == {("seal", 1), ("seal", 2), ("index", 1)}
    other = rotate_keyring(strange, seal_algorithm="aes-256-gcm", index_algorithm="hmac-sha256")
    without = Keyring({2: other.seal_keys[2]}, 2, {1: rotated.index_keys[1]}, 1)
    with pytest.raises(KeyringBroken, match="第 2 把密封密钥"):
        await assert_ours(ledger, without, strange)
    foreign = Keyring(rotated.seal_keys, 2, {2: other.index_keys[2]}, 2)
    with pytest.raises(KeyringBroken, match="任何一把索引密钥"):
        await assert_ours(ledger, foreign, strange)


async def test_a_mark_holds_nothing_of_the_key(ledger):
    assert all(len(mark) == 32 for mark in (await known(ledger)).values())
