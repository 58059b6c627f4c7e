"""Accounts at the desk and what was done with them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn

_AGO = "coalesce(extract(epoch FROM clock_timestamp() - max(a.at)), 0)::float8"
_IN_A_ROW = """a.outcome = 'wrong_code' AND NOT EXISTS (
    SELECT FROM operator_acts b WHERE b.operator_id = a.operator_id AND b.id > a.id
    AND (b.act = 'operator_unlock' OR b.outcome = 'proved' AND b.door = a.door))"""


async def add(conn: Conn, operator_id: UUID, name: str, secret_sealed: bytes) -> bool:
    """Write a new account; False where a living one has this name."""
    cursor = await conn.execute(
        "INSERT INTO operators (id, name, secret_sealed) VALUES (%s, %s, %s)"
        " ON CONFLICT (name) WHERE disabled_at IS NULL DO NOTHING",
        (operator_id, name, secret_sealed),
    )
    return cursor.rowcount == 1


async def disable(conn: Conn, name: str) -> UUID | None:
    """End the living account of this name; its id, None where there is none."""
    cursor = await conn.execute(
        "UPDATE operators SET disabled_at = clock_timestamp() WHERE name = %s AND disabled_at IS NULL"
        " RETURNING id",
        (name,),
    )
    row = await cursor.fetchone()
    return None if row is None else row["id"]


async def lock(conn: Conn, name: str) -> dict[str, Any] | None:
    """The living account of this name, locked until the transaction ends, with the database's time.

    ``seconds`` is that time since 1970.
    """
    cursor = await conn.execute(
        "SELECT id, secret_sealed, extract(epoch FROM clock_timestamp())::float8 AS seconds"
        " FROM operators WHERE name = %s AND disabled_at IS NULL FOR UPDATE",
        (name,),
    )
    return await cursor.fetchone()


async def wrong_in_a_row(conn: Conn, operator_id: UUID, door: str) -> tuple[int, float]:
    """Wrong codes of this account at this door since its last proof there, and seconds since the last one.

    Whoever holds the host may let the count begin anew (``operator_unlock``).
    """
    cursor = await conn.execute(
        f"SELECT count(*) AS wrong, {_AGO} AS ago_s FROM operator_acts a"
        f" WHERE a.operator_id = %(of)s AND a.door = %(door)s AND {_IN_A_ROW}".encode(),
        {"of": operator_id, "door": door},
    )
    row = await cursor.fetchone()
    assert row is not None
    return row["wrong"], row["ago_s"]


async def is_used(conn: Conn, operator_id: UUID, step: int) -> bool:
    """Whether the code of this step was taken once."""
    cursor = await conn.execute(
        "SELECT FROM operator_acts WHERE operator_id = %s AND step = %s", (operator_id, step)
    )
    return await cursor.fetchone() is not None


async def write_act(
    conn: Conn,
    operator_id: UUID | None,
    *,
    name: str,
    act: str,
    subject: str,
    outcome: str,
    step: int | None = None,
    door: str = "host",
) -> None:
    """Add one use of a name; it belongs to no account where nobody has it."""
    await conn.execute(
        "INSERT INTO operator_acts (operator_id, name, act, subject, outcome, step, door)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (operator_id, name, act, subject, outcome, step, door),
    )


async def accounts(conn: Conn) -> list[dict[str, Any]]:
    """Every account, living ones first: since when, until when, and its last proof."""
    cursor = await conn.execute(
        """
        SELECT o.id, o.name, o.created_at, o.disabled_at,
               (SELECT max(a.at) FROM operator_acts a WHERE a.operator_id = o.id AND a.outcome = 'proved')
                   AS last_used_at
        FROM operators o ORDER BY o.disabled_at IS NOT NULL, o.name, o.created_at
        """
    )
    return await cursor.fetchall()


async def guessed(conn: Conn) -> list[dict[str, Any]]:
    """Living accounts with wrong codes in a row, by door: id, name, door, how many, the last when.

    ``ago_s`` is how many seconds ago that was.
    """
    cursor = await conn.execute(
        f"""
        SELECT o.id, o.name, a.door, count(*) AS wrong, max(a.at) AS last_at, {_AGO} AS ago_s
        FROM operators o JOIN operator_acts a ON a.operator_id = o.id
        WHERE o.disabled_at IS NULL AND {_IN_A_ROW}
        GROUP BY o.id, o.name, a.door ORDER BY last_at DESC
        """.encode()
    )
    return await cursor.fetchall()


async def unknown_names(conn: Conn, *, hours: int) -> int:
    """How often a name was given in the last hours that nobody has."""
    cursor = await conn.execute(
        "SELECT count(*) AS n FROM operator_acts WHERE outcome = 'unknown_name'"
        " AND at > clock_timestamp() - make_interval(hours => %s)",
        (hours,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["n"])


async def acts(conn: Conn, *, limit: int, since: datetime | None = None) -> list[dict[str, Any]]:
    """The latest uses of names, the newest first."""
    cursor = await conn.execute(
        "SELECT name, act, subject, outcome, at FROM operator_acts"
        " WHERE %(since)s::timestamptz IS NULL OR at >= %(since)s ORDER BY id DESC LIMIT %(limit)s",
        {"since": since, "limit": limit},
    )
    return await cursor.fetchall()
