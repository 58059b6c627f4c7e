"""What Prefect was last shown of which case, and what it is still to be shown."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.ledger.bulk import Conn


@dataclass(frozen=True, slots=True)
class Shown:
    """One case as it was shown. ``dirty_since`` is what the row said when it was read."""

    case_id: UUID
    flow_run_id: UUID
    name: str
    dirty_since: datetime


@dataclass(frozen=True, slots=True)
class Lag:
    """How many cases wait to be shown, and for how long the longest, in seconds."""

    cases: int
    seconds: float


async def mark_shown(conn: Conn, rows: Sequence[Shown]) -> None:
    """These cases are shown; one that has moved again since it was read stays to be shown."""
    await conn.execute(
        "UPDATE mirror SET flow_run_id = new.flow_run_id, shown = new.name,"
        " dirty_since = CASE WHEN mirror.dirty_since = new.dirty_since THEN NULL ELSE mirror.dirty_since END"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[])"
        " AS new (case_id, flow_run_id, name, dirty_since) WHERE mirror.case_id = new.case_id",
        (
            [row.case_id for row in rows],
            [row.flow_run_id for row in rows],
            [row.name for row in rows],
            [row.dirty_since for row in rows],
        ),
    )


async def forget_runs(conn: Conn, case_ids: Collection[UUID]) -> None:
    """The runs of these cases are gone: they are written anew."""
    await conn.execute(
        "UPDATE mirror SET flow_run_id = NULL, shown = NULL,"
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


async def show_all_again(conn: Conn) -> int:
    """Every case is shown anew, from the ledger alone; how many they are."""
    cursor = await conn.execute(
        "INSERT INTO mirror (case_id, dirty_since) SELECT id, clock_timestamp() FROM cases"
        " ON CONFLICT (case_id) DO UPDATE"
        " SET flow_run_id = NULL, shown = NULL, dirty_since = EXCLUDED.dirty_since"
    )
    return cursor.rowcount


async def lag(conn: Conn) -> Lag:
    """How far the mirror is behind."""
    cursor = await conn.execute(
        "SELECT count(*) AS cases,"
        " COALESCE(extract(epoch FROM clock_timestamp() - min(dirty_since)), 0)::float8 AS seconds"
        " FROM mirror WHERE dirty_since IS NOT NULL"
    )
    row = await cursor.fetchone()
    assert row is not None
    return Lag(row["cases"], row["seconds"])
