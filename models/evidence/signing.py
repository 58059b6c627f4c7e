"""The key that signs heads: Ed25519, its private half in a file of its owner's, its public half beside it."""

import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from models.domain.errors import ShenguanError


class SigningKeyBroken(ShenguanError):  # noqa: N818 - named as the finding it is
    """The file holds no key that can be used. ``reason`` is Chinese; it never holds a key."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"留痕签名密钥 {self.path}：{self.reason}"


def public_file(key_file: Path) -> Path:
    """Where the public half lies: beside the key, with ``.pub`` at the end of its name."""
    return key_file.with_name(key_file.name + ".pub")


def create_signing_key(path: Path) -> "Verifier":
    """A new key in this file (PKCS #8 PEM, mode 0600), and its public half beside it.

    Raises:
        FileExistsError: there is one already; it is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        out.flush()
        os.fsync(out.fileno())
    verifier = Verifier(key.public_key())
    public_file(path).write_bytes(verifier.pem())
    return verifier


class Verifier:
    """The public half: tells whether a head was signed with our key."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.key_id = key_id(key)

    @classmethod
    def from_pem(cls, pem: bytes, *, said: str = "") -> "Verifier":
        """The verifier of this PEM text; ``said`` names where it came from.

        Raises:
            SigningKeyBroken: it is not an Ed25519 public key.
        """
        try:
            key = serialization.load_pem_public_key(pem)
        except ValueError as garbled:
            raise SigningKeyBroken(said, "不是 PEM 格式的公钥") from garbled
        if not isinstance(key, Ed25519PublicKey):
            raise SigningKeyBroken(said, "不是 Ed25519 公钥")
        return cls(key)

    def pem(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def is_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature over the message is our key's."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer:
    """Signs with the key of one file."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = Verifier(key.public_key())

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """The signer of this key file.

        Raises:
            SigningKeyBroken: missing, readable by others, or not an Ed25519 key.
        """
        try:
            mode = path.stat().st_mode
            pem = path.read_bytes()
        except OSError as unreadable:
            raise SigningKeyBroken(str(path), f"无法读取（{unreadable.strerror}）") from unreadable
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SigningKeyBroken(str(path), "其他用户可以读取，请改为 0600")
        try:
            key = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError) as garbled:
            raise SigningKeyBroken(str(path), "不是 PEM 格式的私钥") from garbled
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningKeyBroken(str(path), "不是 Ed25519 私钥")
        return cls(key)

    def sign(self, message: bytes) -> bytes:
        """64 bytes of signature."""
        return self._key.sign(message)


def key_id(key: Ed25519PublicKey) -> str:
    """16 hex signs that name a public key: the beginning of SHA-256 over its 32 raw bytes."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]
