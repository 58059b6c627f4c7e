"""How far each feed was read."""

from typing import Any

from models.ledger.bulk import Conn


async def read(conn: Conn, source: str, feed: str) -> dict[str, Any]:
    """cursor, previous_cursor, trailing_cursor (older places), trailing_at, moved_at; all None at first."""
    cursor = await conn.execute(
        "SELECT cursor, previous_cursor, trailing_cursor, trailing_at, moved_at FROM watermarks"
        " WHERE source = %s AND feed = %s",
        (source, feed),
    )
    row = await cursor.fetchone()
    names = ("cursor", "previous_cursor", "trailing_cursor", "trailing_at", "moved_at")
    return row or dict.fromkeys(names)


async def move(conn: Conn, source: str, feed: str, to: str, *, repeats: int = 0) -> None:
    """The feed was read up to here; the records before are in the inbox of the same transaction."""
    await conn.execute(
        "INSERT INTO watermarks (source, feed, cursor, repeats) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (source, feed) DO UPDATE SET cursor = EXCLUDED.cursor, moved_at = now(),"
        " repeats = watermarks.repeats + EXCLUDED.repeats",
        (source, feed, to, repeats),
    )


async def follow(conn: Conn, source: str, feed: str, previous: str | None) -> None:
    """The reading is over; the next one begins here."""
    await conn.execute(
        "UPDATE watermarks SET previous_cursor = %s WHERE source = %s AND feed = %s", (previous, source, feed)
    )


async def trail(conn: Conn, source: str, feed: str, head: str | None) -> None:
    """A long second reading is over that found the feed's end at ``head`` when it began.

    The next one begins where the end was at the one before: whatever was passed is looked for until one
    whole time between two of them is over.
    """
    await conn.execute(
        "UPDATE watermarks SET trailing_cursor = trailing_next, trailing_next = %s,"
        " trailing_at = clock_timestamp() WHERE source = %s AND feed = %s",
        (head, source, feed),
    )
