"""What a receiver holds: every effect once, found by its own id and by its business key."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.clock import BusinessClock, machine_now, written
from adapters.sandbox.ledger import Journal
from adapters.sandbox.wire import Problem, canonical, lines_digest


@dataclass(slots=True)
class Stored:
    """One effect that was stored, without its content."""

    own_id: str
    business_key: str
    target: str
    kind: str
    stage: str | None
    content_version: int
    content_sha256: str
    receipt: Any
    at: str
    extra: dict[str, Any]
    durable: "asyncio.Future[None] | None" = None

    @property
    def day(self) -> str:
        """The business day it was stored on, Asia/Shanghai."""
        return self.at[:10]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One effect that asks to be stored. ``extra`` goes into the ledger line as it is."""

    own_id: str
    business_key: str
    target: str
    kind: str
    stage: str | None
    content_version: int
    content_sha256: str
    content: Any
    body_sha256: str
    extra: dict[str, Any]


class Memory:
    """The ledger in memory, rebuilt from the file, and the only way into the file."""

    def __init__(self, journal: Journal, log: Journal, clock: BusinessClock) -> None:
        self._journal = journal
        self._log = log
        self._clock = clock
        self.by_own_id: dict[str, Stored] = {}
        self._by_key: dict[tuple[str, int], Stored] = {}
        self._by_day: dict[str, list[Stored]] = defaultdict(list)
        for line in journal.lines():
            self._remember(_from_line(line))

    def held(self, own_id: str, business_key: str, content_version: int) -> Stored | None:
        """What is stored under the own id, else under business key and version."""
        return self.by_own_id.get(own_id) or self._by_key.get((business_key, content_version))

    def hold(self, incoming: Incoming, receipt: Any) -> tuple[Stored, Awaitable[None]]:
        """The effect, held from this moment, and what to await before it may be confirmed.

        The caller has asked ``held`` in the same turn of the loop, so nobody can store it twice.
        Awaiting raises Problem not-processed when the disk refused; then nothing is held.
        """
        now = written(self._clock.now())
        entry = Stored(
            own_id=incoming.own_id,
            business_key=incoming.business_key,
            target=incoming.target,
            kind=incoming.kind,
            stage=incoming.stage,
            content_version=incoming.content_version,
            content_sha256=incoming.content_sha256,
            receipt=receipt,
            at=now,
            extra=incoming.extra,
        )
        self._remember(entry)
        line = self._line(incoming, outcome="stored", at=now, receipt=receipt)
        line["content"] = incoming.content
        entry.durable = self._journal.append([canonical(line)])
        entry.durable.add_done_callback(lambda done: self._forget(entry) if done.exception() else None)
        return entry, self.repeat(entry)

    async def repeat(self, entry: Stored) -> None:
        """Wait until a held effect is really on the disk; only then may it be confirmed."""
        if entry.durable is not None:
            try:
                await asyncio.shield(entry.durable)
            except OSError:
                raise Problem("not-processed", "存储失败，未处理") from None

    def note(self, incoming: Incoming, outcome: str, **more: Any) -> None:
        """A line in the sibling log: a repeat, a conflict or a refusal is no effect."""
        at = written(self._clock.now())
        self._log.note(self._line(incoming, outcome=outcome, at=at, receipt=None) | more)

    def counts(self, day: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """Count and digest of the day's effects, grouped by these attributes."""
        groups: dict[tuple[Any, ...], list[Stored]] = defaultdict(list)
        for entry in self._by_day.get(day, []):
            groups[tuple(getattr(entry, name) for name in names)].append(entry)
        rows = []
        for key in sorted(groups, key=lambda found: [part or "" for part in found]):
            members = groups[key]
            row = {"department" if n == "target" else n: part for n, part in zip(names, key, strict=True)}
            row["count"] = len(members)
            row["digest"] = lines_digest((entry.own_id, entry.content_sha256) for entry in members)
            rows.append(row)
        return rows

    def on(self, day: str) -> Iterable[Stored]:
        """The day's effects in the order of storing."""
        return self._by_day.get(day, [])

    async def lose(self, own_ids: frozenset[str]) -> int:
        """Hold these effects no more, here nor on the disk; how many were held."""
        gone = [self.by_own_id[own_id] for own_id in own_ids if own_id in self.by_own_id]
        for entry in gone:
            self._forget(entry)
        await self._journal.drop(frozenset(entry.own_id for entry in gone))
        return len(gone)

    def _remember(self, entry: Stored) -> None:
        self.by_own_id[entry.own_id] = entry
        self._by_key[entry.business_key, entry.content_version] = entry
        self._by_day[entry.day].append(entry)

    def _forget(self, entry: Stored) -> None:
        self.by_own_id.pop(entry.own_id, None)
        self._by_key.pop((entry.business_key, entry.content_version), None)
        self._by_day[entry.day].remove(entry)

    def _line(self, incoming: Incoming, *, outcome: str, at: str, receipt: Any) -> dict[str, Any]:
        return incoming.extra | {
            "at": at,
            "machine_at": machine_now(),
            "own_id": incoming.own_id,
            "business_key": incoming.business_key,
            "target": incoming.target,
            "kind": incoming.kind,
            "stage": incoming.stage,
            "content_version": incoming.content_version,
            "content_sha256": incoming.content_sha256,
            "body_sha256": incoming.body_sha256,
            "outcome": outcome,
            "receipt": receipt,
        }


def receipt_number(prefix: str, own_id: str) -> str:
    """A number that is this receiver's own, the same for the same effect."""
    return f"{prefix}{int(hashlib.sha256(own_id.encode()).hexdigest()[:15], 16):018d}"


_COLUMNS = {
    "at",
    "machine_at",
    "own_id",
    "business_key",
    "target",
    "kind",
    "stage",
    "content_version",
    "content_sha256",
    "body_sha256",
    "outcome",
    "receipt",
    "content",
}


def _from_line(line: dict[str, Any]) -> Stored:
    return Stored(
        own_id=line["own_id"],
        business_key=line["business_key"],
        target=line["target"],
        kind=line["kind"],
        stage=line["stage"],
        content_version=line["content_version"],
        content_sha256=line["content_sha256"],
        receipt=line["receipt"],
        at=line["at"],
        extra={name: value for name, value in line.items() if name not in _COLUMNS},
    )
