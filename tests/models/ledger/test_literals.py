"""What goes to PostgreSQL as one array literal comes back as the values it was made of."""

import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum

import psycopg
import pytest

from models.ledger.literals import literal


class Word(StrEnum):
    ONE = "o,n{e}"


AWKWARD = [
    "",
    " ",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{}",
    "a,b",
    "甲\n乙\t",
    "\x01\x7f",
    None,
    "\U0001f600",
    "'; --",
]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", AWKWARD),
        ("text", []),
        ("text", [None]),
        ("bytea", [b"", b"\x00\xff\\\"'", None, bytes(range(256))]),
        ("uuid", [uuid.UUID(int=0), None, uuid.uuid4()]),
        ("integer", [0, -(2**31), 2**31 - 1, None]),
        ("double precision", [0.0, -1.5, 1e300, float("inf"), None]),
        ("boolean", [True, False, None]),
        ("date", [date(2026, 2, 28), date.min, date.max, None]),
        (
            "timestamptz",
            [datetime(2026, 3, 1, 8, 0, 0, 1, tzinfo=timezone(timedelta(hours=8))), datetime.now(UTC), None],
        ),
        ("jsonb", [{"甲": ['"', "\\", None, 1.5, {"b": True}]}, {}, None]),
    ],
)
async def test_every_kind_comes_back(ledger, kind, values):
    async with ledger.reading() as conn:
        cursor = await conn.execute(f"SELECT unnest(%s::{kind}[]) AS value", (literal(values),))
        assert [row["value"] for row in await cursor.fetchall()] == values


async def test_a_name_of_a_set_is_its_word(ledger):
    async with ledger.reading() as conn:
        cursor = await conn.execute("SELECT unnest(%s::text[]) AS value", (literal([Word.ONE]),))
        assert [row["value"] for row in await cursor.fetchall()] == ["o,n{e}"]


async def test_what_postgresql_cannot_keep_is_refused_before(ledger):
    with pytest.raises(TypeError):
        literal([object()])
    with pytest.raises(psycopg.DataError):
        async with ledger.reading() as conn:
            await conn.execute("SELECT %s::text[]", (literal(["a\x00b"]),))
