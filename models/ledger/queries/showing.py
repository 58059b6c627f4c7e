"""What Prefect was last shown of which case, and what it is still to be shown."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.domain.lifecycles.effect import Channel
from models.ledger.bulk import Conn
from models.ledger.queries.clock import business_now
from models.ledger.queries.mirror import NAMES_BY_TYPE

CLOSED = NAMES_BY_TYPE["COMPLETED"]
"""States of what is over."""
_LOOK_AT = 5
"""So many times as many effects are looked at as are counted."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One case as it was shown. ``dirty_since`` is what the row said when it was read."""

    case_id: UUID
    flow_run_id: UUID
    name: str
    message: str | None
    dirty_since: datetime | None


@dataclass(frozen=True, slots=True)
class Lag:
    """How many cases wait to be shown, and for how long the longest, in seconds.

    ``lines_cases`` and ``lines_seconds``: the same of what their log pages lack.
    """

    cases: int
    seconds: float
    lines_cases: int
    lines_seconds: float


@dataclass(frozen=True, slots=True)
class Effort:
    """What showing has cost since the ledger began: runs made, runs moved, lines, calls of Prefect's API."""

    created: int = 0
    moved: int = 0
    lines: int = 0
    calls: int = 0


async def take_turn(conn: Conn, holder: str, *, seconds: float) -> bool:
    """Whether this holder is the one that shows now, and for so long; one at a time over one ledger."""
    cursor = await conn.execute(
        "INSERT INTO mirror_turn (id, holder, until)"
        " VALUES (1, %(me)s, clock_timestamp() + make_interval(secs => %(s)s)) ON CONFLICT (id) DO UPDATE"
        " SET holder = EXCLUDED.holder, until = EXCLUDED.until"
        " WHERE mirror_turn.holder = EXCLUDED.holder OR mirror_turn.until < clock_timestamp() RETURNING id",
        {"me": holder, "s": seconds},
    )
    return await cursor.fetchone() is not None


async def give_turn_back(conn: Conn, holder: str) -> None:
    """Whoever waits for it may show at once."""
    await conn.execute("UPDATE mirror_turn SET until = clock_timestamp() WHERE holder = %s", (holder,))


async def add_effort(conn: Conn, effort: Effort) -> None:
    """Count what showing has cost."""
    await conn.execute(
        "UPDATE mirror_turn SET created = created + %s, moved = moved + %s, lines = lines + %s,"
        " calls = calls + %s",
        (effort.created, effort.moved, effort.lines, effort.calls),
    )


async def effort(conn: Conn) -> Effort:
    """What showing has cost so far."""
    cursor = await conn.execute("SELECT created, moved, lines, calls FROM mirror_turn")
    row = await cursor.fetchone()
    return Effort(**row) if row else Effort()


async def mark_shown(conn: Conn, rows: Sequence[Shown]) -> None:
    """These cases are shown; one that has moved again since it was read stays to be shown.

    Their timelines have lines to come.
    """
    await conn.execute(
        "WITH new AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[])"
        "  AS new (case_id, flow_run_id, name, message, dirty_since)),"
        # in the order in which the writer of history locks them
        " locked AS (SELECT m.case_id FROM mirror m JOIN new USING (case_id)"
        "  ORDER BY m.case_id FOR UPDATE OF m)"
        " UPDATE mirror SET flow_run_id = new.flow_run_id, shown = new.name, message = new.message,"
        " shown_at = clock_timestamp(), told_due = COALESCE(mirror.told_due, new.dirty_since),"
        " dirty_since = CASE WHEN mirror.dirty_since = new.dirty_since THEN NULL ELSE mirror.dirty_since END"
        " FROM new JOIN locked USING (case_id) WHERE mirror.case_id = new.case_id",
        (
            [row.case_id for row in rows],
            [row.flow_run_id for row in rows],
            [row.name for row in rows],
            [row.message for row in rows],
            [row.dirty_since for row in rows],
        ),
    )


async def forget_runs(conn: Conn, case_ids: Collection[UUID]) -> None:
    """The runs of these cases are gone: they are written anew, with their timelines."""
    await conn.execute(
        "UPDATE mirror SET flow_run_id = NULL, shown = NULL, message = NULL, told_id = 0,"
        " telling_id = NULL, telling_until = NULL, told_due = NULL,"
        " dirty_since = COALESCE(dirty_since, clock_timestamp()) WHERE case_id = ANY(%s)",
        (list(case_ids),),
    )


async def show_again(conn: Conn, case_ids: Collection[UUID]) -> int:
    """Cases whose run shows something else than the ledger are shown again; how many were not due yet."""
    cursor = await conn.execute(
        "UPDATE mirror SET shown = NULL, dirty_since = clock_timestamp()"
        " WHERE case_id = ANY(%s) AND (dirty_since IS NULL OR shown IS NOT NULL)",
        (list(case_ids),),
    )
    return cursor.rowcount


_ANYTHING = 2**63 - 1


async def show_all_again(conn: Conn, *, closed_days: int) -> int:
    """Every case is shown anew, from the ledger alone; how many they are.

    What was over more than ``closed_days`` ago (machine time) is left out: Prefect has let it go too.
    Nobody knows which lines stand on the pages: they are looked for there before any is written.
    """
    cursor = await conn.execute(
        "INSERT INTO mirror (case_id, dirty_since, telling_id, telling_until)"
        " SELECT id, clock_timestamp(), %(all)s, clock_timestamp() FROM cases"
        " WHERE state NOT IN ('settled', 'voided')"
        "  OR updated_at > clock_timestamp() - make_interval(days => %(days)s)"
        " ON CONFLICT (case_id) DO UPDATE SET flow_run_id = NULL, shown = NULL, message = NULL, told_id = 0,"
        " dirty_since = EXCLUDED.dirty_since, telling_id = EXCLUDED.telling_id,"
        " telling_until = EXCLUDED.telling_until, told_due = NULL",
        {"all": _ANYTHING, "days": closed_days},
    )
    return cursor.rowcount


async def known(conn: Conn, *, after: UUID | None, limit: int, closed_days: int) -> list[UUID]:
    """Cases that have a run, in the order of their ids, without what was over ``closed_days`` ago."""
    cursor = await conn.execute(
        "SELECT case_id FROM mirror WHERE flow_run_id IS NOT NULL AND (%(after)s::uuid IS NULL"
        " OR case_id > %(after)s) AND (NOT shown = ANY(%(closed)s)"
        "  OR shown_at > clock_timestamp() - make_interval(days => %(days)s))"
        " ORDER BY case_id LIMIT %(limit)s",
        {"after": after, "limit": limit, "days": closed_days, "closed": list(CLOSED)},
    )
    return [row["case_id"] for row in await cursor.fetchall()]


async def shown_counts(conn: Conn, *, closed_days: int) -> dict[str, int]:
    """How many runs should be there, by the state they were last shown in; without what is long over."""
    cursor = await conn.execute(
        "SELECT shown, count(*) AS n FROM mirror WHERE flow_run_id IS NOT NULL AND (NOT shown = ANY(%s)"
        " OR shown_at > clock_timestamp() - make_interval(days => %s)) GROUP BY shown",
        (list(CLOSED), closed_days),
    )
    return {row["shown"]: row["n"] for row in await cursor.fetchall()}


async def work_waiting(conn: Conn, most: int) -> int:
    """How many records wait for admission and effects for their turn, counted no further than ``most``.

    What waits for a target that does not answer, or for a gateway's receipt, keeps nobody busy.
    """
    cursor = await conn.execute(
        "SELECT (SELECT count(*) FROM (SELECT FROM inbox WHERE outcome = 'waiting' LIMIT %(most)s) i)"
        " + (SELECT count(*) FROM (SELECT e.channel, e.target FROM effects e"
        "   WHERE e.channel = ANY(%(channels)s) AND e.state IN ('planned', 'unknown')"
        "   AND (e.state = 'planned' OR e.channel <> 'sms') AND e.not_before <= clock_timestamp()"
        "   AND e.send_after <= %(now)s LIMIT %(look)s) d"
        "  WHERE NOT EXISTS (SELECT FROM breakers b WHERE b.state <> 'closed'"
        "   AND b.target IN ('', d.target))) AS n",
        {
            "most": most,
            "look": _LOOK_AT * most,
            "channels": [channel.value for channel in Channel],
            "now": await business_now(conn),
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return min(most, int(row["n"]))


async def lag(conn: Conn) -> Lag:
    """How far the mirror is behind."""
    cursor = await conn.execute(
        "SELECT count(dirty_since) AS cases, count(told_due) AS lines_cases,"
        " COALESCE(extract(epoch FROM clock_timestamp() - min(dirty_since)), 0)::float8 AS seconds,"
        " COALESCE(extract(epoch FROM clock_timestamp() - min(told_due)), 0)::float8 AS lines_seconds"
        " FROM mirror WHERE dirty_since IS NOT NULL OR told_due IS NOT NULL"
    )
    row = await cursor.fetchone()
    assert row is not None
    return Lag(**row)
