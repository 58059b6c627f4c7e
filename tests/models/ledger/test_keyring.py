import json
import pickle

import pytest

from models.ledger.keyring import Keyring, KeyringBroken, create_keyring, rotate_keyring


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "keys.json"
    create_keyring(path)
    return path


def test_a_new_file_is_its_owners_only_and_has_a_key_of_each_use(path):
    assert path.stat().st_mode & 0o777 == 0o600
    keyring = Keyring.load(path)
    assert (keyring.seal_current, keyring.index_current) == (1, 1)
    assert keyring.seal_keys[1].algorithm == "aes-256-gcm"
    assert len(keyring.seal_keys[1].secret) == 32
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]


def test_a_key_file_is_never_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        create_keyring(path)
    assert path.read_bytes() == before


def test_rotation_adds_a_key_and_keeps_the_others(path):
    first = Keyring.load(path)
    second = rotate_keyring(path, seal_algorithm="sm4-gcm")
    assert (second.seal_current, second.index_current) == (2, 1)
    assert second.seal_keys[1].secret == first.seal_keys[1].secret
    assert second.seal_keys[2].algorithm == "sm4-gcm"
    assert path.stat().st_mode & 0o777 == 0o600


def test_index_keys_run_out_at_one_byte(path):
    content = json.loads(path.read_text())
    content["index"]["keys"][0]["id"] = content["index"]["current"] = 255
    path.write_text(json.dumps(content))
    with pytest.raises(KeyringBroken, match="编号已用完"):
        rotate_keyring(path, index_algorithm="hmac-sm3")


def test_a_file_that_others_may_read_is_refused(path):
    path.chmod(0o640)
    with pytest.raises(KeyringBroken, match="0600"):
        Keyring.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(KeyringBroken, match=r"nokeys\.json.*不存在"):
        Keyring.load(tmp_path / "nokeys.json")


def test_a_folder_is_no_key_file(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    with pytest.raises(KeyringBroken, match="无法读取"):
        Keyring.load(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: [], "顶层"),
        (lambda c: {**c, "seal": None}, "缺少 seal.keys"),
        (lambda c: {**c, "index": {"keys": {}}}, "缺少 index.keys"),
        (lambda c: _with_seal(c, id=0), "1–65535"),
        (lambda c: _with_seal(c, id=True), "1–65535"),
        (lambda c: _with_seal(c, algorithm="hmac-sha256"), "算法未知"),
        (lambda c: _with_seal(c, key="*"), "不是 Base64"),
        (lambda c: _with_seal(c, key=None), "不是 Base64"),
        (lambda c: _with_seal(c, key="AAAA"), "应为 32 字节"),
        (lambda c: _with_seal(c, id=2), "没有对应的密钥"),
        (lambda c: {**c, "seal": {"current": 1, "keys": c["seal"]["keys"] * 2}}, "重复"),
        (lambda c: {**c, "seal": {"current": 1, "keys": [1]}}, "不是对象"),
    ],
)
def test_each_broken_file_says_in_chinese_what_is_wrong(path, change, said):
    content = json.loads(path.read_text())
    secret = content["seal"]["keys"][0]["key"]
    path.write_text(json.dumps(change(content)))
    with pytest.raises(KeyringBroken, match=said) as broken:
        Keyring.load(path)
    assert secret not in str(broken.value)
    assert str(pickle.loads(pickle.dumps(broken.value))) == str(broken.value)


def test_half_a_file_is_not_json(path):
    path.write_text(path.read_text()[:20])
    with pytest.raises(KeyringBroken, match="JSON"):
        Keyring.load(path)


def test_a_key_never_shows_itself(path):
    keyring = Keyring.load(path)
    assert repr(keyring.seal_keys[1]) == "Key(1, aes-256-gcm)"
    assert repr(keyring.seal_keys[1].secret) not in repr(keyring)


def _with_seal(content, **changes):
    return {**content, "seal": {"current": 1, "keys": [{**content["seal"]["keys"][0], **changes}]}}
