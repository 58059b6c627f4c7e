"""What the tables' owner does now and then: months made ahead, old ones put into files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from models.domain.errors import ShenguanError
from models.ledger.archiving import KEEP, Archived, archive
from models.ledger.connection import LedgerUnavailable
from models.ledger.months import AHEAD, make_ahead


class NoMonth(ShenguanError):  # noqa: N818 - named as the finding it is
    """What was given is no month."""

    def __init__(self, given: str) -> None:
        super().__init__(given)
        self.given = given

    def __str__(self) -> str:
        return f"“{self.given}”不是月份：请写成 2026-07"


@dataclass(frozen=True, slots=True)
class Maintained:
    """Months made, rows that moved into them from where rows without a month lie, and what was archived."""

    made: tuple[str, ...]
    moved: int
    archived: tuple[Archived, ...]


def maintain(
    owner_url: str,
    *,
    ahead: int = AHEAD,
    months: Sequence[str] = (),
    folder: Path | None = None,
    drop: bool = False,
    keep: int = KEEP,
) -> Maintained:
    """Make the months ahead; then put ``months`` into files below ``folder``, a transaction each.

    Raises:
        NoMonth: one of the months is none.
        CannotArchive: that month and those after it stay as they are.
        LedgerUnavailable: the server did not answer, or said no.
    """
    numbers = [_number(month) for month in months]
    try:
        with psycopg.connect(owner_url) as conn:
            made = make_ahead(conn, ahead)
            conn.commit()
            done: list[Archived] = []
            for number in numbers:
                assert folder is not None
                done += archive(conn, number, folder, drop=drop, keep=keep)
                conn.commit()
    except psycopg.Error as failure:
        raise LedgerUnavailable(type(failure).__name__, failure.sqlstate) from failure
    return Maintained(made.months, made.moved, tuple(done))


def _number(month: str) -> int:
    found = re.fullmatch(r"(\d{4})-(0?[1-9]|1[0-2])", month, re.ASCII)
    if found is None:
        raise NoMonth(month)
    return int(found[1]) * 100 + int(found[2])
