"""How far each feed was read."""

from typing import Any

from models.ledger.bulk import Conn


async def read(conn: Conn, source: str, feed: str) -> dict[str, Any]:
    """cursor, trailing_cursor (an older place to read again from) and trailing_at; None at first."""
    cursor = await conn.execute(
        "SELECT cursor, trailing_cursor, trailing_at FROM watermarks WHERE source = %s AND feed = %s",
        (source, feed),
    )
    row = await cursor.fetchone()
    return row or {"cursor": None, "trailing_cursor": None, "trailing_at": None}


async def move(conn: Conn, source: str, feed: str, to: str, *, repeats: int = 0) -> None:
    """The feed was read up to here; the records before are in the inbox of the same transaction."""
    await conn.execute(
        "INSERT INTO watermarks (source, feed, cursor, repeats) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (source, feed) DO UPDATE SET cursor = EXCLUDED.cursor, moved_at = now(),"
        " repeats = watermarks.repeats + EXCLUDED.repeats",
        (source, feed, to, repeats),
    )


async def trail(conn: Conn, source: str, feed: str, to: str | None) -> None:
    """Remember where the next second reading begins."""
    await conn.execute(
        "UPDATE watermarks SET trailing_cursor = %s, trailing_at = clock_timestamp()"
        " WHERE source = %s AND feed = %s",
        (to, source, feed),
    )
