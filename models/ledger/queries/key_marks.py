"""The marks of the keys this ledger knows."""

from collections.abc import Sequence

from models.ledger.bulk import Conn, arrays


async def known(conn: Conn) -> dict[tuple[str, int], bytes]:
    """(purpose, key number) → mark, of every key that has opened this ledger."""
    cursor = await conn.execute("SELECT purpose, key_id, mark FROM key_marks")
    return {(row["purpose"], row["key_id"]): bytes(row["mark"]) for row in await cursor.fetchall()}


async def remember(conn: Conn, marks: Sequence[tuple[str, int, bytes]]) -> None:
    """Keys seen for the first time; what is known stays as it is."""
    await conn.execute(
        "INSERT INTO key_marks (purpose, key_id, mark)"
        " SELECT * FROM unnest(%s::text[], %s::integer[], %s::bytea[]) ON CONFLICT DO NOTHING",
        arrays(marks, 3),
    )
