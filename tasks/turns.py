"""A waiting record's turn: its attempt is counted before, its bytes opened and read, or a rule named.

A record that kills its worker counts too: after a few tries it is tried alone, so that it takes no
others down with it, and after some more it goes in front of a person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from models.domain.errors import BrokenRecord
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import inbox
from models.ledger.sealing import SealBroken, Sealing
from tasks.in_front import Problem
from tasks.intake import RAW_FIELD

POISON_AFTER = 5
ALONE_AFTER = 2

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Read(Generic[R]):
    """A waiting inbox row, and the record in it."""

    row: dict[str, Any]
    record: R


async def begin_turn(ledger: Ledger, kind: str, limit: int) -> int:
    """Count an attempt for the records whose turn is next; how many to take now, 0 where none waits."""
    async with ledger.writing() as conn:
        attempts = await inbox.head_attempts(conn, kind)
        wanted = 1 if attempts >= ALONE_AFTER else limit
        return wanted if await inbox.count_attempts(conn, kind, wanted) else 0


async def read_waiting(
    conn: Conn, sealing: Sealing, kind: str, parse: Callable[[bytes, str], R], limit: int
) -> tuple[list[Read[R]], list[Problem]]:
    """The records whose turn it is, locked until the transaction ends, and those that cannot be read.

    Raises:
        UnknownKey: the key file lacks a key; then nothing is wrong with the records.
    """
    read: list[Read[R]] = []
    problems: list[Problem] = []
    for row in await inbox.take_waiting(conn, kind, limit):
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
