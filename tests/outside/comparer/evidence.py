"""The files the comparison reads: feeds, ledgers, the list, and our own statement."""

import hashlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

BUSINESS_ZONE = timezone(timedelta(hours=8))
DONE_STATES = frozenset({"accepted", "delivered", "undelivered"})
DECIDED_STATES = frozenset({"refused", "held"})
WAITING_STATES = frozenset({"planned", "leased", "intent", "unknown", "waiting"})


class UnreadableEvidence(Exception):  # noqa: N818 - the finding, not a failure of ours
    """A file that is missing or cannot be read; comparing without it would prove nothing."""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Every JSON object of a JSONL file; a torn last line (a killed writer's) is left out.

    Raises:
        UnreadableEvidence: no such file, or a broken line before the last.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableEvidence(f"{path}: {error.strerror}") from error
    pieces = raw.split(b"\n")
    for number, piece in enumerate(pieces, start=1):
        if not piece.strip():
            continue
        try:
            value = json.loads(piece)
        except (ValueError, RecursionError) as error:
            if number == len(pieces):
                return
            raise UnreadableEvidence(f"{path}:{number}: {error}") from error
        if not isinstance(value, dict):
            raise UnreadableEvidence(f"{path}:{number}: not an object")
        yield value


def toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict.

    Raises:
        UnreadableEvidence: missing or broken.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableEvidence(f"{path}: {error}") from error


def content_hash(content: Any) -> str:
    """SHA-256 of the canonical form the wires agree on (sorted keys, no spaces, UTF-8)."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def instant(value: Any) -> datetime | None:
    """The moment a text names; a time without offset is business time; None when it names none."""
    if isinstance(value, datetime):
        moment = value
    else:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=BUSINESS_ZONE)


@dataclass(frozen=True)
class Served:
    """One record as an outside system first served it. ``order`` is its place in the feed."""

    order: int
    at: float | None
    record: Any


@dataclass(frozen=True)
class Stored:
    """One effect an outside system holds. ``order`` is its place in the ledger."""

    order: int
    at: datetime | None
    own_id: str
    business_key: str
    kind: str
    target: Any
    content_version: int
    content_sha256: str
    content: Any
    receipt: str
    machine_at: datetime | None
    section: str = ""


@dataclass
class Statement:
    """What we say ourselves: effects, cases, news, quarantine, incidents, counts, handovers."""

    effects: list[dict[str, Any]] = field(default_factory=list)
    by_key: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    news: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    handovers: list[dict[str, Any]] = field(default_factory=list)
    business_now: datetime | None = None

    def effects_of(self, channel: str, business_key: str) -> list[dict[str, Any]]:
        """Our effects of one channel under one business key."""
        return self.by_key.get((channel, business_key), [])


def read_feed(paths: list[Path]) -> dict[str, list[Served]]:
    """The served records by feed name (cases, feedback, records), in the order of serving."""
    feeds: dict[str, list[Served]] = {"cases": [], "feedback": [], "records": []}
    order = 0
    for path in paths:
        for line in lines(path):
            at = instant(line.get("published_at"))
            order += 1
            feeds.setdefault(str(line.get("feed")), []).append(
                Served(order, at.timestamp() if at else None, line.get("record"))
            )
    return feeds


def read_ledger(path: Path) -> list[Stored]:
    """The effects one simulator stored; repeats and refusals are not effects."""
    held = []
    for order, line in enumerate(lines(path)):
        if line.get("outcome") != "stored":
            continue
        receipt = line.get("receipt")
        held.append(
            Stored(
                order,
                instant(line.get("at")),
                str(line.get("own_id") or ""),
                str(line.get("business_key") or ""),
                str(line.get("kind") or ""),
                line.get("target"),
                _whole(line.get("content_version")),
                str(line.get("content_sha256") or ""),
                line.get("content"),
                str(receipt.get("number") if isinstance(receipt, dict) else receipt or ""),
                instant(line.get("machine_at") or line.get("at")),
                str(line.get("section") or ""),
            )
        )
    return held


def read_statement(path: Path) -> Statement:
    """Our own account of what we did, are doing and hold."""
    said = Statement()
    for line in lines(path):
        kind = line.get("kind")
        if kind == "effect":
            said.effects.append(line)
            said.by_key.setdefault((str(line.get("channel")), str(line.get("business_key"))), []).append(line)
            said.by_id[str(line.get("own_id"))] = line
        elif kind == "case":
            said.cases[str(line.get("case_no"))] = line
        elif kind == "news":
            said.news.setdefault(str(line.get("push_own_id")), []).append(line)
        elif kind == "quarantine":
            said.quarantine.append(line)
        elif kind == "incident":
            said.incidents.append(line)
        elif kind == "handover":
            said.handovers.append(line)
        elif kind == "count":
            said.counts[str(line.get("name"))] = _whole(line.get("value"))
        elif kind == "clock":
            said.business_now = instant(line.get("business_now"))
    return said


def owned(line: dict[str, Any]) -> bool:
    """True when the statement names who owns the matter and when it is due."""
    return bool(line.get("owner")) and bool(line.get("due_at"))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
