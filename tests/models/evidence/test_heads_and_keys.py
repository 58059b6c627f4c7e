"""What is no head and no key of ours is turned away, with a reason that holds no key."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from models.evidence.heads import NO_HEAD, HeadUnreadable, read_head, sign_head
from models.evidence.signing import Signer, SigningKeyBroken, Verifier, create_signing_key, public_file

PEM = serialization.Encoding.PEM
OPEN = serialization.NoEncryption()


@pytest.fixture
def key_file(tmp_path):
    create_signing_key(tmp_path / "sign.pem")
    return tmp_path / "sign.pem"


@pytest.fixture
def head(key_file):
    return sign_head(
        Signer.load(key_file), size=3, root=b"r" * 32, previous=NO_HEAD, at="2026-05-06T01:02:03Z"
    )


def test_a_head_comes_back_as_it_was_and_only_its_own_key_signed_it(head, key_file, tmp_path) -> None:
    assert read_head(head.line()) == head
    assert head.is_signed_by(Verifier.from_pem(public_file(key_file).read_bytes()))
    assert not head.is_signed_by(create_signing_key(tmp_path / "other.pem"))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"v": 2}, "版本或大小"),
        ({"size": -1}, "版本或大小"),
        ({"size": "3"}, "版本或大小"),
        ({"size": True}, "版本或大小"),
        ({"root": "ab"}, "散列长度"),
        ({"previous": "ab" * 33}, "散列长度"),
        ({"root": "no hex"}, "格式"),
        ({"signature": "!"}, "格式"),
        ({"size": 2**63}, "版本或大小"),
        ({"at": "\ud800"}, "格式"),
        ({"key": "\ud800"}, "格式"),
        ({"at": "2026-05-06\x1b[2K"}, "格式"),
        ({"at": 3}, "格式"),
        ({"key": ["a"]}, "格式"),
        ({"at": None, "key": None, "signature": None}, "格式"),
    ],
)
def test_a_line_that_is_no_head_is_turned_away(head, changed, reason) -> None:
    with pytest.raises(HeadUnreadable, match=reason):
        read_head(json.dumps(json.loads(head.line()) | changed).encode())


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000])
def test_a_line_that_is_no_object_is_turned_away(line) -> None:
    with pytest.raises(HeadUnreadable):
        read_head(line)


def test_a_key_that_exists_is_never_written_over(key_file) -> None:
    before = key_file.read_bytes()
    with pytest.raises(FileExistsError):
        create_signing_key(key_file)
    assert key_file.read_bytes() == before


def test_a_key_that_others_may_read_is_not_used(key_file) -> None:
    key_file.chmod(0o640)
    with pytest.raises(SigningKeyBroken, match="0600"):
        Signer.load(key_file)


def test_a_key_of_another_kind_or_none_at_all_is_told(key_file, tmp_path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    body = curve.private_bytes(PEM, serialization.PrivateFormat.PKCS8, OPEN)
    for content, reason in ((body, "不是 Ed25519 私钥"), (b"nothing", "不是 PEM"), (b"", "不是 PEM")):
        key_file.write_bytes(content)
        with pytest.raises(SigningKeyBroken, match=reason) as told:
            Signer.load(key_file)
        assert "BEGIN" not in str(told.value)
    with pytest.raises(SigningKeyBroken, match="无法读取"):
        Signer.load(tmp_path / "nowhere.pem")


def test_a_key_under_a_password_is_told(key_file) -> None:
    locked = serialization.BestAvailableEncryption(b"password")
    key = ed25519.Ed25519PrivateKey.generate()
    key_file.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(SigningKeyBroken, match="不是 PEM 格式的私钥"):
        Signer.load(key_file)


def test_a_public_key_of_another_kind_is_told() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(SigningKeyBroken, match="不是 Ed25519 公钥"):
        Verifier.from_pem(pem, said="theirs.pub")
    with pytest.raises(SigningKeyBroken, match="不是 PEM"):
        Verifier.from_pem(b"x", said="theirs.pub")
