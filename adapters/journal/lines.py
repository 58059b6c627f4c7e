"""A journal's lines: one JSON object each, behind its checksum."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

_SUM = 8
"""Hexadecimal characters of a line's checksum."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect of a wave: its own id, which try this is, and what a restored ledger could not know.

    ``about`` is there for receivers that cannot be asked afterwards (texts). No personal data.
    """

    own_id: str
    attempt: int
    about: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Wave:
    """The entries of one intent transaction, under the ledger's mark for it.

    ``day`` is the business day on which it left; lines of before there was one do not say.
    """

    mark: int
    entries: tuple[Entry, ...]
    day: date | None = None


def packed(value: dict[str, Any]) -> bytes:
    """The line, with its end."""
    body = orjson.dumps(value)
    return b"%08x " % zlib.crc32(body) + body + b"\n"


def unpacked(line: bytes) -> dict[str, Any] | None:
    """What the line says; None for a line that is torn or was changed."""
    try:
        if line[_SUM : _SUM + 1] != b" " or int(line[:_SUM], 16) != zlib.crc32(line[_SUM + 1 :]):
            return None
        said: dict[str, Any] = orjson.loads(line[_SUM + 1 :])
    except ValueError:
        return None
    return said


def sound_part(raw: bytes) -> tuple[list[dict[str, Any]], int, bool]:
    """The lines of a file, how many bytes they take, and whether what follows is only a torn end.

    Bytes that were never acknowledged (a kill, a power cut) stand at the end and hold no whole line: one that
    lacks only its end was cut off as well.
    """
    lines: list[dict[str, Any]] = []
    at = 0
    while (end := raw.find(b"\n", at)) >= 0:
        said = unpacked(raw[at:end])
        if said is None:
            break
        lines.append(said)
        at = end + 1
    return lines, at, not any(unpacked(line) is not None for line in raw[at:].split(b"\n")[:-1])


def waves_of(lines: list[dict[str, Any]]) -> Iterator[Wave]:
    """The waves among the lines."""
    for line in lines:
        if "sent" in line:
            entries = tuple(Entry(own_id, attempt, *about) for own_id, attempt, *about in line["sent"])
            day = line.get("day")
            yield Wave(line["mark"], entries, date.fromisoformat(day) if day else None)


def wave_line(mark: int, entries: tuple[Entry, ...], day: date | None = None) -> bytes:
    """A wave as its line."""
    sent = [[e.own_id, e.attempt] if e.about is None else [e.own_id, e.attempt, e.about] for e in entries]
    return packed({"mark": mark, "sent": sent} | ({"day": day.isoformat()} if day else {}))
