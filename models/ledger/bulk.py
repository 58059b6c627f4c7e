"""Many rows in one statement: frozen dataclasses in, one ``INSERT … SELECT FROM unnest`` out."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

from models.ledger.connection import LedgerConnection
from models.ledger.literals import literal

Conn = LedgerConnection

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


async def insert(
    conn: Conn,
    table: type[SQLModel],
    rows: Sequence[Any],
    *,
    conflict: str = "",
    returning: str = "",
    only: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Insert the rows, whose dataclass fields are named as the table's columns.

    ``conflict`` is what follows ``ON CONFLICT``; ``returning`` what follows ``RETURNING``; ``only``
    names the fields to write where they are not all the table's.
    All rows are of one class. None is written when any breaks a constraint.
    """
    if not rows:
        return []
    names = tuple(only) or tuple(field.name for field in fields(rows[0]))
    sql = _insert_sql(table.__table__, names, conflict, returning)  # type: ignore[attr-defined]
    cursor = await conn.execute(sql, [literal(map(attrgetter(name), rows)) for name in names])
    return await cursor.fetchall() if returning else []


def arrays(rows: Iterable[Sequence[Any]], width: int) -> list[str]:
    """The rows' columns, each as one array literal for ``unnest``; ``width`` of them even of no rows."""
    columns = list(zip(*rows, strict=True)) or [()] * width
    assert len(columns) == width, "a row is as wide as said"
    return [literal(column) for column in columns]


@cache
def column_type(table: Table, name: str) -> str:
    """The column's type as PostgreSQL spells it."""
    return str(table.columns[name].type.compile(dialect=_DIALECT)).lower()


@cache
def _insert_sql(table: Table, names: tuple[str, ...], conflict: str, returning: str) -> bytes:
    casts = ", ".join(f"%s::{column_type(table, name)}[]" for name in names)
    sql = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({casts})"  # noqa: S608
    if conflict:
        sql += f" ON CONFLICT {conflict}"
    if returning:
        sql += f" RETURNING {returning}"
    return sql.encode()
