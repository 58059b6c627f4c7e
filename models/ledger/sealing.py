"""Sealed columns and their keyed look-ups.

An envelope is ``version (1 byte) | key id (2 bytes, big endian) | nonce (12) | ciphertext | tag (16)``.
Bound to it as associated data: its first three bytes, the column's stable field name and the id of
its row. An envelope that is moved to another row or column, or cut, does not open. Bytes of messages
and effects are sealed under their subject's data key: :mod:`models.ledger.data_keys`.

Nonces are random: one key is good for 2**32 seals (NIST SP 800-38D, 8.3); rotate before.
"""

import os
import struct
import uuid
from collections.abc import Callable, Iterable
from hmac import digest
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from models.domain.errors import ShenguanError
from models.ledger.aead import TAG_BYTES, Aead, aead, named
from models.ledger.data_keys import DataKeys, is_under_data_key, key_id_of
from models.ledger.keyring import Key, Keyring, UnknownKey

RowId = uuid.UUID | str

_VERSION = 1
_HEADER = struct.Struct(">BH")
_NONCE = 12


class SealBroken(ShenguanError):  # noqa: N818 - named as the finding it is
    """An envelope that does not open: cut, changed, moved, or sealed under another key."""

    def __init__(self, field: str, row_id: str) -> None:
        super().__init__(field, row_id)
        self.field = field
        self.row_id = row_id

    def __str__(self) -> str:
        return f"密封字段 {self.field}（{self.row_id}）无法打开：内容被改动、移动或密钥不符"


class Forgotten(SealBroken):
    """The subject's data key was destroyed: nobody can open this any more, and that was meant."""

    def __str__(self) -> str:
        return f"密封字段 {self.field}（{self.row_id}）的主体密钥已销毁，内容不可恢复"


class Sealed(NamedTuple):
    """A plaintext to seal, or an envelope to open, with its place."""

    field: str
    row_id: RowId
    content: bytes


class Sealing:
    """Seals and opens with the keys of one keyring; safe to share between tasks of a process."""

    def __init__(self, keyring: Keyring) -> None:
        self._aeads: dict[int, Aead] = {
            key_id: aead(key.algorithm, key.secret) for key_id, key in keyring.seal_keys.items()
        }
        self._current = self._aeads[keyring.seal_current]
        self._header = _HEADER.pack(_VERSION, keyring.seal_current)
        current = keyring.index_keys[keyring.index_current]
        others = [key for key in keyring.index_keys.values() if key is not current]
        self._indexes = [(bytes((key.key_id,)), _keyed_hash(key)) for key in (current, *others)]
        self.algorithm = keyring.seal_keys[keyring.seal_current].algorithm
        self.current_prefix = self._header
        self.data_keys = DataKeys()
        self._mark = _keyed_hash(keyring.index_keys[min(keyring.index_keys)])

    def seal(self, field: str, row_id: RowId, plaintext: bytes) -> bytes:
        """The envelope of the plaintext, for this column of this row, under the current key."""
        return self._seal(field, row_id, plaintext, os.urandom(_NONCE))

    def seal_many(self, plaintexts: Iterable[Sealed]) -> list[bytes]:
        """The envelopes, in the same order."""
        batch = list(plaintexts)
        nonces = os.urandom(_NONCE * len(batch))
        return [
            self._seal(field, row_id, content, nonces[at * _NONCE : (at + 1) * _NONCE])
            for at, (field, row_id, content) in enumerate(batch)
        ]

    def open_sealed(self, field: str, row_id: RowId, envelope: bytes) -> bytes:
        """The plaintext.

        Raises:
            SealBroken: the envelope does not belong here, or is not whole.
            UnknownKey: the keyring does not hold its key.
        """
        if is_under_data_key(envelope):
            return self._open_under_data_key(field, str(row_id), envelope)
        if len(envelope) < _HEADER.size + _NONCE + TAG_BYTES or envelope[0] != _VERSION:
            raise SealBroken(field, str(row_id))
        header = bytes(envelope[: _HEADER.size])
        key_id = _HEADER.unpack(header)[1]
        aead = self._aeads.get(key_id)
        if aead is None:
            raise UnknownKey(key_id)
        nonce = bytes(envelope[_HEADER.size : _HEADER.size + _NONCE])
        sealed = bytes(envelope[_HEADER.size + _NONCE :])
        try:
            return aead.decrypt(nonce, sealed, _bound(header, field, row_id))
        except InvalidTag:
            raise SealBroken(field, str(row_id)) from None

    def open_many(self, envelopes: Iterable[Sealed]) -> list[bytes]:
        """The plaintexts, in the same order; raises as :meth:`open_sealed` at the first that fails."""
        return [self.open_sealed(*place) for place in envelopes]

    def index(self, kind: str, value: str) -> bytes:
        """33 bytes to look a value up by: the current index key's number, then the keyed hash.

        The value is hashed as it is given; making two spellings one is the caller's.
        """
        number, keyed = self._indexes[0]
        return number + keyed(named(kind, value))

    def index_any(self, kind: str, value: str) -> list[bytes]:
        """What :meth:`index` gave or gives under every key, the current first.

        For ``WHERE party_index = ANY(…)`` while rows of before a rotation are still there.
        """
        message = named(kind, value)
        return [number + keyed(message) for number, keyed in self._indexes]

    def mark(self, kind: str, value: str) -> str:
        """16 hex signs that stand for the value where it must not be read, in a key that goes outside.

        Always under the oldest index key: a rotation must not make another key of the same fact.
        """
        return self._mark(named(kind, value))[:8].hex()

    def seal_for(self, key_id: UUID, field: str, row_id: RowId, plaintext: bytes) -> bytes:
        """The envelope of the plaintext under a subject's data key, which was read before."""
        return self.data_keys.seal(key_id, field, str(row_id), plaintext)

    def commitment(self, field: str, row_id: RowId, envelope: bytes, plaintext: bytes) -> bytes:
        """32 bytes that bind us to the plaintext of this envelope and tell nobody what it is.

        HMAC-SHA256 under a salt of the row's own, which follows from the envelope's key: who has not the
        key cannot try plaintexts out, and when it is destroyed nobody can.
        """
        salt = self.salt(field, row_id, envelope)
        if salt is None:
            raise Forgotten(field, str(row_id))
        return digest(salt, plaintext, "sha256")

    def salt(self, field: str, row_id: RowId, envelope: bytes) -> bytes | None:
        """The salt of this row's commitment; None where the subject's key was destroyed."""
        if (key_id := key_id_of(envelope)) is not None:
            return self.data_keys.salt(key_id, field, str(row_id))
        return self._mark(named("evidence.salt", f"{field}|{row_id}"))

    def _open_under_data_key(self, field: str, row_id: str, envelope: bytes) -> bytes:
        try:
            plaintext = self.data_keys.open(field, row_id, envelope)
        except (InvalidTag, ValueError):
            raise SealBroken(field, row_id) from None
        if plaintext is None:
            raise Forgotten(field, row_id)
        return plaintext

    def _seal(self, field: str, row_id: RowId, plaintext: bytes, nonce: bytes) -> bytes:
        bound = _bound(self._header, field, row_id)
        return b"".join((self._header, nonce, self._current.encrypt(nonce, plaintext, bound)))


def _bound(header: bytes, field: str, row_id: RowId) -> bytes:
    return header + named(field, str(row_id))


def _keyed_hash(key: Key) -> Callable[[bytes], bytes]:
    digest = hashes.SHA256() if key.algorithm == "hmac-sha256" else hashes.SM3()
    prepared = HMAC(key.secret, digest)

    def keyed_hash(message: bytes) -> bytes:
        keyed = prepared.copy()
        keyed.update(message)
        return keyed.finalize()

    return keyed_hash
