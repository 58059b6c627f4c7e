"""One byte form for one content, so that two systems can compare hashes."""

import hashlib
import json
from typing import Any


def canonical(content: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces and no escapes beyond JSON's own.

    Floats are refused: amounts travel as decimal strings.

    Raises:
        ValueError: the content holds a lone surrogate (which UTF-8 cannot carry).
        TypeError: the content holds a float, or something JSON has no form for.
    """
    _refuse_floats(content)
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of the bytes, 64 lower-case hexadecimal characters."""
    return hashlib.sha256(data).hexdigest()


def content_hash(content: Any) -> str:
    """The hash under which both sides know a content: SHA-256 of its canonical form."""
    return sha256_hex(canonical(content))


def _refuse_floats(content: Any) -> None:
    stack = [content]
    while stack:
        value = stack.pop()
        if isinstance(value, float):
            raise TypeError("a float has no single byte form; send a decimal string")
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list | tuple):
            stack.extend(value)
