"""JSON from outside, read with limits: no NaN, no NUL, no lone surrogates, no deep nesting, no name twice."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.values import RawItem

DEPTH_LIMIT = 64
ITEM_LIMIT = 64 * 1024
"""Bytes of one record of a page; the largest lawful one is about 20 kB."""

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_TOKEN_LIMIT = 300_000
# The outer object up to its list of items, where nothing nested stands before it.
_FIRST_ITEMS = re.compile(rb'\s*+\{(?:[^"\[\]{}]*+"(?!items")[^"\\]*+")*?[^"\[\]{}]*+"items"\s*+:\s*+\[')
# What lies before a bracket outside of strings, and the bracket: a page is cut without a step for each token.
_TO_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+[\[\]{}]', re.DOTALL)
# A backslash that is no part of a written backslash before it.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*+\\u0000")
_IN_ITEMS = 2  # the outer object, then its list
_LONG = 19  # digits of a number that may need more than 64 bits


class NotStrict(Exception):  # noqa: N818 - a finding, turned at the edge into Unreadable or OutcomeUnknown
    """The bytes break a rule.

    ``not-json``, ``control-character``, ``too-deep``, ``too-many-values``, ``wrong-shape``, ``name-twice``.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def read(raw: bytes, *, by_part: bool = False) -> Any:
    """The value in the bytes. ``by_part`` leaves U+0000 and names said twice to who judges the parts.

    An object that says a name twice says two things, and which of them is meant is anybody's guess.

    Raises:
        NotStrict: with the rule they break.
    """
    opened = raw.count(b"[") + raw.count(b"{")
    # The counts say at once that most answers are within every limit.
    if (opened > DEPTH_LIMIT or not _has_few_tokens(raw)) and any(
        depth > DEPTH_LIMIT for *_, depth in _walk(raw)
    ):
        raise NotStrict("too-deep")
    value = _loads(raw)
    if by_part:
        return value
    if says_nul(raw):
        raise NotStrict("control-character")
    if _says_twice(raw):
        raise NotStrict("name-twice")
    return value


def without_doubles(raw: bytes) -> bytes:
    """The same JSON, which was read before, with null for each object that says a name twice."""
    if not _says_twice(raw):
        return raw
    return orjson.dumps(json.loads(raw, object_pairs_hook=_once_or_nothing, parse_int=_whole))


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONG else float(digits)


def _once_or_nothing(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    made = dict(pairs)
    return made if len(made) == len(pairs) else None


def _says_twice(raw: bytes) -> bool:
    found = False

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({name for name, _ in pairs}) < len(pairs)

    if b"{" in raw:
        json.loads(raw, object_pairs_hook=note, parse_int=str, parse_float=str)
    return found


def says_nul(raw: bytes) -> bool:
    """Whether a string of this JSON holds U+0000, which no column of the ledger can keep."""
    return rb"\u0000" in raw and _NUL.search(raw) is not None


def read_page(raw: bytes, *, most: int) -> tuple[dict[str, Any], tuple[RawItem, ...]]:
    """The outer object with its ``items`` emptied, and the items one by one with their exact bytes.

    An item that cannot be read comes with its fault; the others are not touched by it. One that says NUL is
    read: a record is known by its number, and refused for it by itself.

    Raises:
        NotStrict: the outer object cannot be read, has no list ``items``, or more than ``most``.
    """
    begun, end, pieces = _cut(raw, most)
    outer = read(raw[:begun] + raw[end:])
    if not isinstance(outer, dict):
        raise NotStrict("wrong-shape")
    return outer, tuple(_item(raw[piece.start : piece.end].strip(), piece.depth) for piece in pieces)


@dataclass(slots=True)
class _Piece:
    start: int
    end: int
    depth: int


def _item(raw: bytes, depth: int) -> RawItem:
    if len(raw) > ITEM_LIMIT:
        return RawItem(raw[:ITEM_LIMIT], None, "too-large")
    if depth > DEPTH_LIMIT:
        return RawItem(raw, None, "too-deep")
    try:
        return RawItem(raw, _loads(raw))
    except NotStrict as found:
        return RawItem(raw, None, found.rule)


def _loads(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise NotStrict("not-json") from None


def _has_few_tokens(raw: bytes) -> bool:
    return sum(map(raw.count, (b'"', b",", b"[", b"]", b"{", b"}"))) <= _TOKEN_LIMIT


def _walk(raw: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """Strings, brackets and commas as (token, start, end, depth after it); nothing is built."""
    depth = 0
    for count, found in enumerate(_TOKEN.finditer(raw)):
        token = found[0]
        if count > _TOKEN_LIMIT:
            raise NotStrict("too-many-values")
        if token == b'"':  # a string that never ends
            raise NotStrict("not-json")
        if token in b"[{":
            depth += 1
        elif token in b"]}":
            depth -= 1
        yield token, found.start(), found.end(), depth


def _cut(raw: bytes, most: int) -> tuple[int, int, list[_Piece]]:
    """Where the list under the outer key ``items`` begins and ends, and its pieces.

    Raises:
        NotStrict: there is no such list (``wrong-shape``), it does not end (``not-json``), or it holds
            more than ``most`` (``too-many-items``).
    """
    if (quickly := _cut_quickly(raw, most)) is not None:
        return quickly
    last, opened, deepest = b"", -1, 0
    pieces: list[_Piece] = []
    begun = 0
    for token, start, end, depth in _walk(raw):
        deepest = max(deepest, depth)
        if opened < 0:
            if depth > DEPTH_LIMIT:
                raise NotStrict("too-deep")
            if token == b"[" and depth == _IN_ITEMS and last == b'"items"':
                opened = begun = end
                deepest = depth
            last = token if depth == 1 else b""
        elif token == b"]" and depth == 1:
            if pieces or raw[begun:start].strip():
                pieces.append(_Piece(begun, start, deepest - _IN_ITEMS))
            return opened, start, pieces
        elif token == b"," and depth == _IN_ITEMS:
            pieces.append(_Piece(begun, start, deepest - _IN_ITEMS))
            begun, deepest = end, depth
            if len(pieces) >= most:
                raise NotStrict("too-many-items")
    read(raw)  # names what is no JSON at all
    raise NotStrict("wrong-shape")


def _cut_quickly(raw: bytes, most: int) -> tuple[int, int, list[_Piece]] | None:
    """As ``_cut`` for a page of objects or lists with nothing odd about it; None for any other.

    Raises:
        NotStrict: it holds more than ``most`` (``too-many-items``).
    """
    found = _FIRST_ITEMS.match(raw)
    if found is None or not _has_few_tokens(raw):
        return None
    opened = at = ended = found.end()
    begun, depth, deepest = at, _IN_ITEMS, _IN_ITEMS
    pieces: list[_Piece] = []
    for step in _TO_BRACKET.finditer(raw, opened):
        if step.start() != at:  # a string that never ends
            return None
        at = step.end()
        if raw[at - 1] in b"[{":
            if depth == _IN_ITEMS:
                if raw[ended : at - 1].strip() != (b"," if pieces else b""):
                    return None
                begun, deepest = at - 1, depth
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
            if depth == _IN_ITEMS:
                if len(pieces) >= most:
                    raise NotStrict("too-many-items")
                pieces.append(_Piece(begun, at, deepest - _IN_ITEMS))
                ended = at
            elif depth < _IN_ITEMS:
                plain = raw[at - 1] in b"]" and not raw[ended : at - 1].strip()
                return (opened, at - 1, pieces) if plain else None
    return None
