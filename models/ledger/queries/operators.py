"""Accounts at the desk and what was done with them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn


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

    ``seconds`` is that time since 1970; ``locked_for`` the seconds for which no code is taken, 0 for none.
    """
    cursor = await conn.execute(
        "SELECT id, secret_sealed, wrong_codes, extract(epoch FROM clock_timestamp())::float8 AS seconds,"
        " greatest(extract(epoch FROM locked_until - clock_timestamp()), 0)::float8 AS locked_for"
        " FROM operators WHERE name = %s AND disabled_at IS NULL FOR UPDATE",
        (name,),
    )
    return await cursor.fetchone()


async def is_used(conn: Conn, operator_id: UUID, step: int) -> bool:
    """Whether the code of this step was taken once."""
    cursor = await conn.execute(
        "SELECT FROM operator_acts WHERE operator_id = %s AND step = %s", (operator_id, step)
    )
    return await cursor.fetchone() is not None


async def count_wrong(conn: Conn, operator_id: UUID, *, wrong_codes: int, lock_s: float) -> None:
    """Note the wrong codes in a row; with ``lock_s`` no code is taken for so long."""
    await conn.execute(
        "UPDATE operators SET wrong_codes = %s,"
        " locked_until = CASE WHEN %s > 0 THEN clock_timestamp() + make_interval(secs => %s) END"
        " WHERE id = %s",
        (wrong_codes, lock_s, lock_s, operator_id),
    )


async def write_act(
    conn: Conn, operator_id: UUID, *, name: str, act: str, subject: str, outcome: str, step: int | None = None
) -> None:
    """Add one use of a name."""
    await conn.execute(
        "INSERT INTO operator_acts (operator_id, name, act, subject, outcome, step)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (operator_id, name, act, subject, outcome, step),
    )


async def accounts(conn: Conn) -> list[dict[str, Any]]:
    """Every account, living ones first: since when, until when, its last proof, whether it is locked."""
    cursor = await conn.execute(
        """
        SELECT o.name, o.created_at, o.disabled_at, o.wrong_codes,
               CASE WHEN o.locked_until > clock_timestamp() THEN o.locked_until END AS locked_until,
               (SELECT max(a.at) FROM operator_acts a WHERE a.operator_id = o.id AND a.outcome = 'proved')
                   AS last_used_at
        FROM operators o ORDER BY o.disabled_at IS NOT NULL, o.name, o.created_at
        """
    )
    return await cursor.fetchall()


async def acts(conn: Conn, *, limit: int, since: datetime | None = None) -> list[dict[str, Any]]:
    """The latest uses of names, the newest first."""
    cursor = await conn.execute(
        "SELECT name, act, subject, outcome, at FROM operator_acts"
        " WHERE %(since)s::timestamptz IS NULL OR at >= %(since)s ORDER BY id DESC LIMIT %(limit)s",
        {"since": since, "limit": limit},
    )
    return await cursor.fetchall()
