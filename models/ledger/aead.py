"""The two ciphers of sealed columns behind one face, and how a place is named to them."""

from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TAG_BYTES = 16


class Aead(Protocol):
    """Seals with additional data; opening raises InvalidTag."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Ciphertext and tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """The plaintext."""
        ...


class _Sm4Gcm:
    """SM4-GCM (GB/T 32907 in the mode of NIST SP 800-38D) with the face of ``AESGCM``."""

    def __init__(self, secret: bytes) -> None:
        self._algorithm = algorithms.SM4(secret)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        encryptor = Cipher(self._algorithm, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        tag = data[-TAG_BYTES:]
        decryptor = Cipher(self._algorithm, modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        return decryptor.update(data[:-TAG_BYTES]) + decryptor.finalize()


def aead(algorithm: str, secret: bytes) -> Aead:
    """The cipher of this name with this key."""
    return AESGCM(secret) if algorithm == "aes-256-gcm" else _Sm4Gcm(secret)


def named(name: str, value: str) -> bytes:
    """Both in one, the name's length first, so that no two pairs give the same bytes."""
    encoded = name.encode()
    return b"".join((len(encoded).to_bytes(4, "big"), encoded, value.encode()))
