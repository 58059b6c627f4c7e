"""Signed heads: what the tree was at a moment, each naming the head before it.

One head is one line of JSON. Signed is not the line but the text of :meth:`Head.message`, so that
nobody has to write JSON in one form only. ``docs/evidence.md`` says it byte by byte.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from models.domain.errors import ShenguanError
from models.evidence.signing import Signer, Verifier

NO_HEAD = bytes(32)
"""What the first head names as the one before it."""
_MOST_LEAVES = 2**63


class HeadUnreadable(ShenguanError):  # noqa: N818 - named as the finding it is
    """A line is no head of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"签名头无法读取：{self.reason}"


@dataclass(frozen=True, slots=True)
class Head:
    """The tree's size and root, the hash of the head before, the sealing's time (RFC 3339, UTC, µs)."""

    size: int
    root: bytes
    previous: bytes
    at: str
    key: str
    signature: bytes

    def message(self) -> bytes:
        """The bytes that are signed."""
        return (
            "shenguan-evidence-head-v1\n"
            f"{self.size}\n{self.root.hex()}\n{self.previous.hex()}\n{self.at}\n{self.key}\n"
        ).encode()

    def line(self) -> bytes:
        """The head as one line, without its end."""
        return json.dumps(
            {
                "v": 1,
                "size": self.size,
                "root": self.root.hex(),
                "previous": self.previous.hex(),
                "at": self.at,
                "key": self.key,
                "signature": base64.b64encode(self.signature).decode(),
            },
            separators=(",", ":"),
        ).encode()

    def digest(self) -> bytes:
        """By what the next head names this one: SHA-256 of :meth:`message` and the signature."""
        return hashlib.sha256(self.message() + self.signature).digest()

    def is_signed_by(self, verifier: Verifier) -> bool:
        """Whether this key signed it."""
        return self.key == verifier.key_id and verifier.is_signed(self.message(), self.signature)


def sign_head(signer: Signer, *, size: int, root: bytes, previous: bytes, at: str) -> Head:
    """The head of this tree, signed."""
    unsigned = Head(size, root, previous, at, signer.verifier.key_id, b"")
    return Head(size, root, previous, at, unsigned.key, signer.sign(unsigned.message()))


def read_head(line: bytes) -> Head:
    """The head of one line; its signature is not looked at.

    Raises:
        HeadUnreadable: it is none.
    """
    try:
        value: Any = json.loads(line)
        if value["v"] != 1 or type(value["size"]) is not int or not 0 <= value["size"] < _MOST_LEAVES:
            raise HeadUnreadable("版本或大小不对")
        head = Head(
            value["size"],
            bytes.fromhex(value["root"]),
            bytes.fromhex(value["previous"]),
            _plain(value["at"]),
            _plain(value["key"]),
            base64.b64decode(value["signature"], validate=True),
        )
    except (ValueError, LookupError, TypeError, RecursionError, binascii.Error) as garbled:
        raise HeadUnreadable("不是签名头的格式") from garbled
    if len(head.root) != len(NO_HEAD) or len(head.previous) != len(NO_HEAD):
        raise HeadUnreadable("散列长度不对")
    return head


def _plain(value: Any) -> str:
    """Text that can be signed, and shown."""
    if not (isinstance(value, str) and value.isascii() and value.isprintable()):
        raise TypeError(type(value))
    return value
