"""The business clock: due dates, retries of days, and the demo's fast time."""

from datetime import datetime
from decimal import Decimal

from models.ledger.bulk import Conn

NOW = (
    "COALESCE((SELECT anchor_business + (clock_timestamp() - anchor_machine)"
    " * rate::double precision FROM business_clock), clock_timestamp())"
)
"""The business time, in a statement."""


async def business_now(conn: Conn) -> datetime:
    """The business time, aware; machine time where no clock was ever set."""
    cursor = await conn.execute(f"SELECT {NOW} AS now".encode())
    row = await cursor.fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


async def set_clock(conn: Conn, *, business: datetime, rate: Decimal) -> None:
    """From now on it is ``business``, and time goes ``rate`` times as fast as the machine's (0: stands)."""
    await conn.execute(
        "INSERT INTO business_clock (id, anchor_machine, anchor_business, rate)"
        " VALUES (1, clock_timestamp(), %s, %s) ON CONFLICT (id) DO UPDATE SET"
        " anchor_machine = EXCLUDED.anchor_machine, anchor_business = EXCLUDED.anchor_business,"
        " rate = EXCLUDED.rate",
        (business, rate),
    )


async def anchors(conn: Conn) -> tuple[datetime, datetime, Decimal] | None:
    """(machine, business, rate) as set, or None where business time is machine time."""
    cursor = await conn.execute("SELECT anchor_machine, anchor_business, rate FROM business_clock")
    row = await cursor.fetchone()
    return None if row is None else (row["anchor_machine"], row["anchor_business"], row["rate"])


async def beat(conn: Conn, *, longest_s: float) -> datetime | None:
    """Note the time that a clock which was set has reached, and go on from there; None where none was.

    At most ``longest_s`` seconds of the machine count since the last beat: a fast clock that nobody kept
    stood still meanwhile. It never goes back.
    """
    cursor = await conn.execute(
        "UPDATE business_clock SET anchor_machine = clock_timestamp(), anchor_business = anchor_business"
        " + least(clock_timestamp() - anchor_machine, make_interval(secs => %s)) * rate::double precision"
        " RETURNING anchor_business",
        (longest_s,),
    )
    row = await cursor.fetchone()
    return None if row is None else row["anchor_business"]


async def lives_on_machine_time(conn: Conn) -> bool:
    """Whether records have come in, and no other clock was ever set: they are of the real world."""
    cursor = await conn.execute(
        "SELECT NOT EXISTS (SELECT FROM business_clock) AND EXISTS (SELECT FROM inbox) AS real"
    )
    row = await cursor.fetchone()
    assert row is not None
    return bool(row["real"])
