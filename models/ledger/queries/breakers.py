"""Breakers: which targets are worth no call, what waits behind them, and the one incident each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from models.domain.breaking import CHANNELS, Key, Standing
from models.domain.lifecycles.breaker import BreakerState
from models.ledger.bulk import Conn, insert
from models.ledger.tables.breakers import Breaker

_COLUMNS = tuple(field.name for field in fields(Standing))
_LISTED = ", ".join(f"b.{name}" for name in _COLUMNS)


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """One target that does not answer, with what waits behind it. Machine time.

    ``department`` is the target's name where it is one; ``cases`` counts the cases that wait.
    """

    system: str
    target: str
    department: str | None
    state: str
    cause: str
    since: datetime
    last_answer: str | None
    probes: int
    next_probe: datetime | None
    waiting: int
    cases: int
    oldest: datetime | None


async def of_systems(conn: Conn, systems: Sequence[str]) -> tuple[dict[Key, Standing], datetime]:
    """Every breaker these systems ever had, and the database's clock."""
    cursor = await conn.execute(
        f"SELECT clock_timestamp() AS now, {_LISTED} FROM (SELECT) AS one"
        " LEFT JOIN breakers b ON b.system = ANY(%s)",
        (list(systems),),
    )
    rows = await cursor.fetchall()
    return _standings(rows), rows[0]["now"]


async def lock(conn: Conn, keys: Sequence[Key]) -> tuple[dict[Key, Standing], datetime]:
    """The breakers of these keys and of all of their systems' other targets; the keys' own are locked."""
    ordered = sorted(set(keys))
    await conn.execute(
        "SELECT FROM breakers b JOIN unnest(%s::text[], %s::text[]) k (system, target)"
        " ON b.system = k.system AND b.target = k.target ORDER BY b.system, b.target FOR UPDATE OF b",
        ([system for system, _ in ordered], [target for _, target in ordered]),
    )
    return await of_systems(conn, sorted({system for system, _ in ordered}))


async def take(conn: Conn, key: Key) -> Standing | None:
    """The breaker, locked; None where another worker has it in hand just now."""
    cursor = await conn.execute(
        f"SELECT {_LISTED} FROM breakers b WHERE b.system = %s AND b.target = %s FOR UPDATE SKIP LOCKED",
        key,
    )
    return next(iter(_standings(await cursor.fetchall()).values()), None)


async def write(conn: Conn, standings: Sequence[Standing]) -> set[Key]:
    """Write these standings where the row is still the one they came from; the keys written."""
    rows = await insert(
        conn,
        Breaker,
        standings,
        conflict="(system, target) DO UPDATE SET "
        + ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS if name not in {"system", "target"})
        + " WHERE breakers.row_version = EXCLUDED.row_version - 1",
        returning="system, target",
    )
    return {(row["system"], row["target"]) for row in rows}


async def hurry(conn: Conn, key: Key) -> int:
    """Let what was tried while the target was away go at once, each in its old place; how many effects.

    What the receiver itself asked to wait with keeps waiting.
    """
    system, target = key
    cursor = await conn.execute(
        "UPDATE effects SET not_before = planned_at WHERE channel = ANY(%s) AND (%s = '' OR target = %s)"
        " AND state IN ('planned', 'unknown') AND not_before > (SELECT clock_timestamp())"
        " AND reason IS DISTINCT FROM 'throttled'",
        (list(CHANNELS[system]), target, target),
    )
    return cursor.rowcount


async def waits_in(conn: Conn, channel: str, target: str) -> bool:
    """Whether an effect of this channel waits for this target; '' is any."""
    cursor = await conn.execute(
        "SELECT FROM effects WHERE channel = %s AND (%s = '' OR target = %s)"
        " AND state IN ('planned', 'unknown') LIMIT 1",
        (channel, target, target),
    )
    return await cursor.fetchone() is not None


async def waiting_count(conn: Conn, key: Key) -> int:
    """How many effects wait for this target, or for any of the system's."""
    system, target = key
    cursor = await conn.execute(
        "SELECT count(*) AS n FROM effects WHERE channel = ANY(%s) AND (%s = '' OR target = %s)"
        " AND state IN ('planned', 'unknown')",
        (list(CHANNELS[system]), target, target),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["n"])


async def open_breakers(conn: Conn) -> list[OpenBreaker]:
    """The targets that do not answer, the longest first, with what waits behind each."""
    pairs = [(system, channel.value) for system, channels in CHANNELS.items() for channel in channels]
    cursor = await conn.execute(
        """
        SELECT b.system, b.target, d.name AS department, b.state, b.cause, b.opened_at AS since,
            b.last_answer, b.probes, b.probe_at AS next_probe, w.waiting, w.cases, w.oldest
        FROM breakers b LEFT JOIN departments d ON d.code = b.target
        CROSS JOIN LATERAL (
            SELECT count(*) AS waiting, count(DISTINCT e.case_id) AS cases, min(e.planned_at) AS oldest
            FROM unnest(%s::text[], %s::text[]) c (system, channel)
            JOIN effects e ON e.channel = c.channel AND (b.target = '' OR e.target = b.target)
            WHERE c.system = b.system AND e.state IN ('planned', 'unknown')) w
        WHERE b.state <> 'closed' ORDER BY b.opened_at, b.system, b.target
        """,
        ([system for system, _ in pairs], [channel for _, channel in pairs]),
    )
    return [OpenBreaker(**row) for row in await cursor.fetchall()]


async def cases_behind(conn: Conn, key: Key, limit: int) -> list[Any]:
    """The cases with an effect that waits for this target, by id; at most ``limit``."""
    system, target = key
    cursor = await conn.execute(
        "SELECT DISTINCT case_id FROM effects WHERE channel = ANY(%s) AND (%s = '' OR target = %s)"
        " AND state IN ('planned', 'unknown') AND case_id IS NOT NULL ORDER BY case_id LIMIT %s",
        (list(CHANNELS[system]), target, target, limit),
    )
    return [row["case_id"] for row in await cursor.fetchall()]


def _standings(rows: Sequence[Mapping[str, Any]]) -> dict[Key, Standing]:
    found = {}
    for row in rows:
        if row["system"] is not None:
            said = {name: row[name] for name in _COLUMNS} | {"state": BreakerState(row["state"])}
            found[row["system"], row["target"]] = Standing(**said)
    return found
