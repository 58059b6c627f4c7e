"""Many rows in one statement: frozen dataclasses in, one ``INSERT … SELECT FROM unnest`` out."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

from models.ledger.connection import LedgerConnection

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
    columns = [[_adapted(getattr(row, name)) for row in rows] for name in names]
    cursor = await conn.execute(sql, columns)
    return await cursor.fetchall() if returning else []


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


def arrays(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """The rows' columns, each as one list for ``unnest``; ``width`` lists even of no rows."""
    columns: list[list[Any]] = [[] for _ in range(width)]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns


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
