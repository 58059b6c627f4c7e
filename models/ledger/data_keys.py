"""Data keys: one for each subject, so that destroying one destroys all that was sealed for it, and no more.

An envelope under one is ``2 (1 byte) | data key's id (16) | nonce (12) | ciphertext | tag (16)``; bound to it
are its first 17 bytes, the field's name and the row's id, as in the envelopes of version 1. The key itself
lies in the ledger, wrapped by the keyring: a rotation wraps it again, and what it sealed stays as it is.
From each follows a salt for every row, so that commitments die with their key.
"""

import hmac
import os
import time
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag

from models.domain.errors import ShenguanError
from models.ledger.aead import Aead, aead, named
from models.ledger.keyring import KEY_BYTES
from models.ledger.shrinking import as_it_was, smaller

VERSION = 2
PREFIX_BYTES = 17
_PLAIN, _SMALL = b"\2", b"\3"
_VERSIONS = (_PLAIN, _SMALL)
WRAPPED_FIELD = "data_keys.secret"
_NONCE = 12
_MOST = 50_000
_KEPT_S = 600.0


class DataKeyNotLoaded(ShenguanError):  # noqa: N818 - named as the finding it is
    """An envelope's data key was not read from the ledger before it was opened: a fault of the program."""

    def __init__(self, key_id: str) -> None:
        super().__init__(key_id)
        self.key_id = key_id

    def __str__(self) -> str:
        return f"数据密钥 {self.key_id} 没有先从台账读入"


class _DataKey(NamedTuple):
    aead: Aead
    salts: bytes


def new_secret(algorithm: str) -> bytes:
    """A fresh data key for this algorithm."""
    return os.urandom(KEY_BYTES[algorithm])


def key_id_of(envelope: bytes) -> bytes | None:
    """The 16 bytes that name the data key of this envelope; None where the keyring sealed it itself."""
    return bytes(envelope[1:PREFIX_BYTES]) if is_under_data_key(envelope) else None


def is_under_data_key(envelope: bytes) -> bool:
    """Whether a data key sealed this, and not the keyring."""
    return envelope[:1] in _VERSIONS


class DataKeys:
    """The data keys this process has read, by id; a bounded number, none for longer than ten minutes.

    Only ids lead to keys here, never subjects: a key whose creation was rolled back is never found again.
    """

    def __init__(self) -> None:
        self._keys: dict[bytes, _DataKey | None] = {}
        self._broken: set[bytes] = set()
        self._since = time.monotonic()

    def missing(self, envelopes: Iterable[bytes]) -> list[UUID]:
        """Whose keys must be read from the ledger before these envelopes are opened."""
        if time.monotonic() - self._since > _KEPT_S or len(self._keys) > _MOST:
            self.clear()
        ids = {key_id for envelope in envelopes if (key_id := key_id_of(envelope)) is not None}
        return [UUID(bytes=key_id) for key_id in ids - self._keys.keys() - self._broken]

    def clear(self) -> None:
        """Forget every key; the next envelope's is read again."""
        self._keys, self._broken, self._since = {}, set(), time.monotonic()

    def knows(self, key_id: UUID) -> bool:
        """Whether this key was read."""
        return key_id.bytes in self._keys

    def learn_broken(self, key_id: UUID) -> None:
        """Whatever names this key does not open: no such key was made, or it was changed."""
        self._broken.add(key_id.bytes)

    def learn(self, key_id: UUID, algorithm: str, secret: bytes | None) -> None:
        """Keep a key as it was unwrapped; None for one that was destroyed."""
        if secret is None:
            self._keys[key_id.bytes] = None
        else:
            salts = hmac.digest(secret, b"shenguan evidence salt", "sha256")
            self._keys[key_id.bytes] = _DataKey(aead(algorithm, secret), salts)

    def seal(self, key_id: UUID, field: str, row_id: str, plaintext: bytes) -> bytes:
        """The envelope of the plaintext under this key, made smaller before where that is possible."""
        small = smaller(plaintext)
        version, content = (_PLAIN, plaintext) if len(small) >= len(plaintext) else (_SMALL, small)
        prefix, nonce = version + key_id.bytes, os.urandom(_NONCE)
        sealed = self._key(key_id.bytes).aead.encrypt(nonce, content, prefix + named(field, row_id))
        return b"".join((prefix, nonce, sealed))

    def open(self, field: str, row_id: str, envelope: bytes) -> bytes | None:
        """The plaintext; None where its key was destroyed.

        Raises:
            InvalidTag: the envelope does not belong here, or is not whole.
        """
        prefix = bytes(envelope[:PREFIX_BYTES])
        if (key := self._found(prefix[1:])) is None:
            return None
        nonce = bytes(envelope[PREFIX_BYTES : PREFIX_BYTES + _NONCE])
        sealed = bytes(envelope[PREFIX_BYTES + _NONCE :])
        content = key.aead.decrypt(nonce, sealed, prefix + named(field, row_id))
        return as_it_was(content) if prefix[:1] == _SMALL else content

    def salt(self, key_id: bytes, field: str, row_id: str) -> bytes | None:
        """The row's salt: HMAC-SHA256 of field and row id; None where the key was destroyed."""
        key = self._found(key_id)
        return key and hmac.digest(key.salts, named(field, row_id), "sha256")

    def _key(self, key_id: bytes) -> _DataKey:
        key = self._found(key_id)
        assert key is not None, "nothing new is sealed under a destroyed key"
        return key

    def _found(self, key_id: bytes) -> _DataKey | None:
        if key_id in self._broken:
            raise InvalidTag
        try:
            return self._keys[key_id]
        except KeyError:
            raise DataKeyNotLoaded(str(UUID(bytes=key_id))) from None
