"""The months of history, attempts and evidence: made ahead by the role that owns the tables.

What is written in a month without a partition is kept all the same, in ``…_rest``; making the month moves
it where it belongs. See ``models.ledger.tables.months`` for how a number says its month.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from models.ledger.tables.months import A_MONTH, BY_MONTH, EVIDENCE, only_added_to

AHEAD = 3
"""How many months are made beyond the current one."""
_READERS = sql.SQL("shenguan_app, shenguan_audit")
Conn = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: the months (2026-07), the earliest first, and how many rows moved into them."""

    months: tuple[str, ...]
    moved: int


def named(month: int) -> str:
    """202607 as 2026-07."""
    return f"{month // 100}-{month % 100:02}"


def next_month(month: int) -> int:
    """The month after it."""
    return month + 1 if month % 100 < 12 else month + 89  # noqa: PLR2004 - December


def partition(table: str, month: int) -> str:
    """The name of a table's month."""
    return f"{table}_{month}"


def make_ahead(conn: Conn, ahead: int = AHEAD) -> Made:
    """Make the current month, those ahead, and those of rows that found none; then let the numbers go on.

    In the transaction of the caller, who owns the tables. Safe to repeat.

    Raises:
        psycopg.Error: PostgreSQL said no, or others were at the tables for too long; nothing is changed.
    """
    conn.execute("SET LOCAL lock_timeout = '10s'")
    wanted = _wanted(conn, ahead)
    made: set[int] = set()
    moved = 0
    for table in BY_MONTH:
        missing = [month for month in wanted if not _is_there(conn, partition(table, month))]
        made.update(missing)
        moved += _make(conn, table, missing)
    conn.execute("SELECT begin_month()")
    return Made(tuple(named(month) for month in sorted(made)), moved)


def _wanted(conn: Conn, ahead: int) -> list[int]:
    month = _scalar(conn, f"SELECT month_floor(clock_timestamp()) / {A_MONTH}")
    wanted = {month}
    for _ in range(ahead):
        month = next_month(month)
        wanted.add(month)
    for table, column in BY_MONTH.items():
        rows = conn.execute(
            sql.SQL("SELECT DISTINCT {} / {} FROM {}").format(
                sql.Identifier(column), sql.Literal(A_MONTH), sql.Identifier(f"{table}_rest")
            )
        ).fetchall()
        wanted |= {row[0] for row in rows}
    return sorted(wanted)


def _make(conn: Conn, table: str, missing: list[int]) -> int:
    """The months of one table; how many rows moved from its rest."""
    if not missing:
        return 0
    rest, whole = sql.Identifier(f"{table}_rest"), sql.Identifier(table)
    kept = None
    if _scalar(conn, sql.SQL("SELECT EXISTS (SELECT FROM {})").format(rest)):
        kept = sql.Identifier(f"{table}_kept")
        conn.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(whole, rest))
        conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(rest, kept))
        conn.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} DEFAULT").format(rest, whole))
        conn.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(rest, _READERS))
        _protect(conn, table, [f"{table}_rest"])
    for month in missing:
        conn.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(partition(table, month)),
                whole,
                sql.Literal(month * A_MONTH),
                sql.Literal((month + 1) * A_MONTH),
            )
        )
    _protect(conn, table, [partition(table, month) for month in missing])
    if kept is None:
        return 0
    moving = sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM {}").format(whole, kept)
    moved = conn.execute(moving).rowcount
    conn.execute(sql.SQL("DROP TABLE {}").format(kept))
    return moved


def _protect(conn: Conn, table: str, partitions: Iterable[str]) -> None:
    if table in EVIDENCE:
        for name in partitions:
            conn.execute(only_added_to(name).encode())


def _is_there(conn: Conn, name: str) -> bool:
    return bool(_scalar(conn, "SELECT to_regclass(%s) IS NOT NULL", (name,)))


def _scalar(conn: Conn, statement: str | sql.Composed, values: tuple[Any, ...] = ()) -> Any:
    row = conn.execute(statement.encode() if isinstance(statement, str) else statement, values).fetchone()
    assert row is not None
    return row[0]
