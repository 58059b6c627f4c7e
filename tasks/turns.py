"""A waiting record's turn: its attempt is counted before, its bytes opened and read, or a rule named.

A record that kills its worker counts too: after a few tries it is tried alone, so that it takes no
others down with it, and after some more it goes in front of a person.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from models.domain.errors import BrokenRecord
from models.ledger.bulk import Conn
from models.ledger.connection import Alone, Ledger, LedgerBusy, LedgerUnavailable
from models.ledger.queries import data_keys, inbox
from models.ledger.sealing import SealBroken, Sealing
from tasks.evidence.subjects import RAW_FIELD
from tasks.in_front import Problem

POISON_AFTER = 5
ALONE_AFTER = 2
MOST_FORGIVEN = 20
"""So often a record's turn may end with the ledger gone before that is the record's fault."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Read(Generic[R]):
    """A waiting inbox row, and the record in it."""

    row: dict[str, Any]
    record: R


@dataclass(frozen=True, slots=True)
class Turn:
    """The records whose turn it is (``ids``): counted, and nobody else's until they are locked."""

    ids: Sequence[UUID]
    session: Alone


@dataclass(slots=True)
class _Survived:
    """Turns of this process that ended with the ledger gone, not with the worker: id → its count then."""

    counts: dict[UUID, int] = field(default_factory=dict)
    forgiven: Counter[UUID] = field(default_factory=Counter)

    def note(self, counted: dict[UUID, int]) -> None:
        """These records' tries are to be taken back when the ledger is there again."""
        self.forgiven.update(counted.keys())
        self.counts |= {own: n for own, n in counted.items() if self.forgiven[own] <= MOST_FORGIVEN}

    def done(self, ids: Sequence[UUID]) -> None:
        """These records had their turn."""
        for each in ids:
            self.forgiven.pop(each, None)


_SURVIVED: WeakKeyDictionary[Ledger, dict[str, _Survived]] = WeakKeyDictionary()


@asynccontextmanager
async def begin_turn(ledger: Ledger, kind: str, limit: int) -> AsyncIterator[Turn]:
    """Count an attempt for the records whose turn is next; no ``ids`` where none waits.

    Between the count and the lock nobody else counts: two workers take different records, and what
    they share is no sign of a record that kills. A turn that ended because the ledger went away while
    its worker lived is no try: it is taken back with the next count.
    """
    survived = _SURVIVED.setdefault(ledger, {}).setdefault(kind, _Survived())
    counted: dict[UUID, int] = {}
    try:
        async with ledger.alone(f"turn:{kind}") as session:
            async with session.writing() as conn:
                await inbox.take_back_attempts(conn, survived.counts)
                attempts = await inbox.head_attempts(conn, kind)
                counted = await inbox.count_attempts(conn, kind, 1 if attempts >= ALONE_AFTER else limit)
            survived.counts.clear()
            yield Turn(list(counted), session)
        survived.done(list(counted))
    except LedgerBusy:
        raise  # the record itself may be what takes so long
    except LedgerUnavailable:
        survived.note(counted)
        raise


async def read_waiting(
    conn: Conn,
    sealing: Sealing,
    kind: str,
    parse: Callable[[bytes, str], R],
    limit: int,
    *,
    turn: Turn | None = None,
) -> tuple[list[Read[R]], list[Problem]]:
    """The records whose turn it is, locked until the transaction ends, and those that cannot be read.

    Raises:
        UnknownKey: the key file lacks a key; then nothing is wrong with the records.
    """
    read: list[Read[R]] = []
    problems: list[Problem] = []
    rows = await inbox.take_waiting(conn, kind, limit, turn.ids if turn else None)
    if turn is not None:
        await turn.session.leave()
    await data_keys.load(conn, sealing, [row["raw_sealed"] for row in rows])
    for row in rows:
        if row["attempts"] > POISON_AFTER:
            problems.append(Problem(row, "killed_worker", "处理该记录时进程多次中断，已隔离，请检查原始内容"))
            continue
        try:
            raw = sealing.open_sealed(RAW_FIELD, row["id"], row["raw_sealed"])
            read.append(Read(row, parse(raw, row["record_key"])))
        except BrokenRecord as broken:
            problems.append(Problem(row, broken.rule, broken.message))
        except SealBroken:
            problems.append(
                Problem(row, "seal_broken", "该记录的密封内容无法打开，可能被改动，请从源头重新取得")
            )
    return read, problems
