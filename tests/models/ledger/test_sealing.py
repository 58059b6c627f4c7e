import hashlib
import hmac
import pickle
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ledger.aead import _Sm4Gcm
from models.ledger.keyring import UnknownKey, create_keyring, rotate_keyring
from models.ledger.sealing import SealBroken, Sealed, Sealing

FIELD = "liaisons.phone"
ROW = uuid.UUID(int=7)
PLAIN = b"13800000000"


@pytest.fixture(scope="module", params=[("aes-256-gcm", "hmac-sha256"), ("sm4-gcm", "hmac-sm3")])
def both(request, tmp_path_factory):
    """The key file and its sealing, once for each family of algorithms."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    seal, index = request.param
    return path, Sealing(create_keyring(path, seal_algorithm=seal, index_algorithm=index))


@given(field=st.text(), row=st.uuids(), plain=st.binary(max_size=2000))
def test_what_is_sealed_opens(both, field, row, plain):
    _, sealing = both
    envelope = sealing.seal(field, row, plain)
    assert sealing.open_sealed(field, row, envelope) == plain
    assert len(envelope) == 3 + 12 + len(plain) + 16


@given(plains=st.lists(st.binary(max_size=50), max_size=20))
def test_a_batch_is_its_single_seals_in_order(both, plains):
    _, sealing = both
    places = [Sealed(FIELD, str(at), plain) for at, plain in enumerate(plains)]
    envelopes = sealing.seal_many(places)
    assert [sealing.open_sealed(FIELD, str(at), each) for at, each in enumerate(envelopes)] == plains
    assert sealing.open_many(Sealed(FIELD, str(at), each) for at, each in enumerate(envelopes)) == plains
    nonces = [each[3:15] for each in envelopes]
    assert len(set(nonces)) == len(nonces)


def test_one_plaintext_never_gives_one_envelope_twice(both):
    _, sealing = both
    assert sealing.seal(FIELD, ROW, PLAIN) != sealing.seal(FIELD, ROW, PLAIN)


@pytest.mark.parametrize(
    ("field", "row"), [("liaisons.name", ROW), (FIELD, uuid.UUID(int=8)), ("liaisons.phone0", str(ROW)[1:])]
)
def test_a_moved_envelope_does_not_open(both, field, row):
    _, sealing = both
    with pytest.raises(SealBroken) as broken:
        sealing.open_sealed(field, row, sealing.seal(FIELD, ROW, PLAIN))
    assert (broken.value.field, broken.value.row_id) == (field, str(row))


def test_no_cut_envelope_opens(both):
    _, sealing = both
    envelope = sealing.seal(FIELD, ROW, PLAIN)
    for end in range(len(envelope)):
        with pytest.raises(SealBroken):
            sealing.open_sealed(FIELD, ROW, envelope[:end])
    with pytest.raises(SealBroken):
        sealing.open_sealed(FIELD, ROW, envelope + b"\0")


def test_no_changed_byte_opens(both):
    _, sealing = both
    envelope = sealing.seal(FIELD, ROW, PLAIN)
    for at in range(len(envelope)):
        changed = bytearray(envelope)
        changed[at] ^= 1
        with pytest.raises((SealBroken, UnknownKey)):
            sealing.open_sealed(FIELD, ROW, bytes(changed))


def test_a_memoryview_of_the_driver_opens(both):
    _, sealing = both
    assert sealing.open_sealed(FIELD, ROW, memoryview(sealing.seal(FIELD, ROW, PLAIN))) == PLAIN


def test_after_a_rotation_the_old_key_opens_and_the_new_one_seals(tmp_path):
    path = tmp_path / "keys.json"
    old = Sealing(create_keyring(path))
    before, index_before = old.seal(FIELD, ROW, PLAIN), old.index("phone", "1")
    new = Sealing(rotate_keyring(path, seal_algorithm="sm4-gcm", index_algorithm="hmac-sm3"))
    after, index_after = new.seal(FIELD, ROW, PLAIN), new.index("phone", "1")
    assert (before[:3], after[:3]) == (b"\x01\x00\x01", b"\x01\x00\x02")
    assert new.open_sealed(FIELD, ROW, before) == new.open_sealed(FIELD, ROW, after) == PLAIN
    assert (index_before[0], index_after[0]) == (1, 2)
    assert new.index_any("phone", "1") == [index_after, index_before]
    assert new.mark("party", "1") == old.mark("party", "1"), "what is in a key outside stays"
    with pytest.raises(UnknownKey) as unknown:
        old.open_sealed(FIELD, ROW, after)
    assert unknown.value.key_id == 2


def test_another_keyring_does_not_open(both, tmp_path):
    _, sealing = both
    other = Sealing(create_keyring(tmp_path / "other.json"))
    with pytest.raises(SealBroken):
        other.open_sealed(FIELD, ROW, sealing.seal(FIELD, ROW, PLAIN))
    assert other.index("phone", "1") != sealing.index("phone", "1")


def test_an_index_depends_on_kind_and_value_and_on_nothing_else(both):
    _, sealing = both
    found = {sealing.index(kind, value) for kind in ("phone", "party") for value in ("1", "2", "")}
    assert len(found) == 6
    assert sealing.index("phone", "1") in found
    assert all(len(each) == 33 for each in found)
    assert sealing.index("a", "b\x1f") != sealing.index("a\x1fb", "")


def test_a_mark_is_keyed_and_says_nothing(both, tmp_path):
    _, sealing = both
    other = Sealing(create_keyring(tmp_path / "other.json"))
    found = {s.mark(kind, value) for s in (sealing, other) for kind in ("a", "b") for value in ("1", "2")}
    assert len(found) == 8
    assert {len(mark) for mark in found} == {16}
    assert hashlib.sha256(b"1").hexdigest()[:16] not in found


@pytest.mark.parametrize(("index", "digest"), [("hmac-sha256", "sha256"), ("hmac-sm3", "sm3")])
def test_an_index_is_the_hmac_python_computes(tmp_path, index, digest):
    keyring = create_keyring(tmp_path / "keys.json", index_algorithm=index)
    expected = hmac.new(keyring.index_keys[1].secret, b"\0\0\0\x05phone" + "张".encode(), digest).digest()
    assert Sealing(keyring).index("phone", "张") == b"\x01" + expected


def test_sm4_gcm_is_that_of_rfc_8998():
    sm4 = _Sm4Gcm(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
    nonce = bytes.fromhex("00001234567800000000ABCD")
    bound = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    plain = b"".join(bytes([byte]) * 8 for byte in bytes.fromhex("AABBCCDDEEFFEEAA"))
    sealed = bytes.fromhex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
        "83DE3541E4C2B58177E065A9BF7B62EC"
    )
    assert sm4.encrypt(nonce, plain, bound) == sealed
    assert sm4.decrypt(nonce, sealed, bound) == plain


def test_errors_survive_pickling_and_name_no_content():
    for error in (SealBroken(FIELD, str(ROW)), UnknownKey(3)):
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert PLAIN.decode() not in str(error)


def test_row_ids_of_the_same_text_are_the_same_place(both):
    _, sealing = both
    assert sealing.open_sealed(FIELD, str(ROW), sealing.seal(FIELD, ROW, PLAIN)) == PLAIN
