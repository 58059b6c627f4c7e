"""The one writer of transitions.

A move is compared and set on state and version; its history row is written in the same
transaction, and so are the effects its caller plans on the same connection. A lost race is an
outcome, not a crash: the ids that did move come back, and whoever is missing was moved by
somebody else first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlmodel import SQLModel

from models.domain.lifecycles import after, case, handover, licence
from models.ledger.bulk import Conn, arrays, column_type, insert
from models.ledger.literals import literal
from models.ledger.tables.life import Case, Handover, History, Licence


@dataclass(frozen=True, slots=True)
class Entity:
    """A table whose state only this module writes."""

    name: str
    table: type[SQLModel]
    transitions: Mapping[Any, Any]
    stamps: str = ""
    """Columns that follow from the new state, as SQL over ``m.to_state``."""


CASE = Entity(
    "case",
    Case,
    case.TRANSITIONS,
    ", updated_at = now(), settled_at = CASE WHEN m.to_state = 'settled'"
    " THEN COALESCE(t.settled_at, now()) END",
)
HANDOVER = Entity(
    "handover",
    Handover,
    handover.TRANSITIONS,
    ", closed_at = CASE WHEN m.to_state = 'closed' THEN COALESCE(t.closed_at, now()) END",
)
LICENCE = Entity("licence", Licence, licence.TRANSITIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One transition to write. ``event`` None revises columns and leaves the state."""

    id: UUID
    case_id: UUID | None
    state: StrEnum
    event: StrEnum | None
    row_version: int
    reason: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    then: tuple[StrEnum, ...] = ()
    """Further events of the same moment: the row is written once, the history line by line."""
    then_by: str | None = None
    """Who the further events are put down to, where it is not who made the move."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of the timeline."""

    entity: str
    entity_id: str
    case_id: UUID | None
    from_state: str | None
    event: str
    to_state: str
    reason: str | None
    actor: str
    business_at: datetime


async def move(
    conn: Conn, entity: Entity, moves: Sequence[Move], *, actor: str, business_now: datetime
) -> set[UUID]:
    """Write the moves that still find the state and version they were decided on; return their ids.

    At most one move an id a call. A reason of None leaves the earlier one.

    Raises:
        ForbiddenMove: the lifecycle has no such transition; nothing is written.
    """
    by_columns: dict[tuple[str, ...], list[tuple[Move, list[StrEnum]]]] = defaultdict(list)
    for each in moves:
        by_columns[tuple(sorted(each.changes))].append((each, _path(entity, each)))
    history: list[HistoryRow] = []
    moved: set[UUID] = set()
    for columns, group in by_columns.items():
        written = await _update(conn, entity, columns, [(each, path[-1]) for each, path in group])
        moved |= written
        for each, path in group:
            if each.id in written:
                history += _lines(entity, each, path, actor, business_now)
    write_history(conn, history)
    return moved


def _path(entity: Entity, each: Move) -> list[StrEnum]:
    """The states a move goes through, the one it begins in first."""
    path = [each.state]
    for event in [each.event, *each.then] if each.event is not None else []:
        path.append(after(entity.transitions, path[-1], event))
    return path if len(path) > 1 else [each.state, each.state]


def _lines(
    entity: Entity, each: Move, path: Sequence[StrEnum], actor: str, business_now: datetime
) -> list[HistoryRow]:
    events = [event.value for event in (each.event, *each.then) if event is not None] or ["revised"]
    actors = [actor, *[each.then_by or actor] * len(each.then)]
    return [
        HistoryRow(
            entity.name,
            str(each.id),
            each.case_id,
            before.value,
            event,
            state.value,
            each.reason,
            who,
            business_now,
        )
        for event, who, (before, state) in zip(events, actors, pairwise(path), strict=True)
    ]


async def begin(
    conn: Conn, entity: Entity, rows: Sequence[Any], *, actor: str, business_now: datetime
) -> set[UUID]:
    """Insert rows that do not exist yet, with their first line of history; return the new ids."""
    new = {row["id"] for row in await insert(conn, entity.table, rows, conflict="DO NOTHING", returning="id")}
    write_history(
        conn,
        [
            HistoryRow(
                entity.name,
                str(row.id),
                row.id if entity is CASE else row.case_id,
                None,
                "first_seen",
                row.state,
                row.reason,
                actor,
                business_now,
            )
            for row in rows
            if row.id in new
        ],
    )
    return new


def write_history(conn: Conn, rows: Sequence[HistoryRow]) -> None:
    """Add lines to the timeline at the end of the transaction, and let the mirror know of their cases."""
    if rows:
        conn.at_the_end(_write_history, rows)


async def _write_history(conn: Conn, rows: Sequence[HistoryRow]) -> None:
    """Mark the cases, then add the lines.

    A case's mirror row is locked before its lines get their numbers: in one case's history a higher number
    never becomes visible before a lower one. The locks are taken in the order of the ids.
    """
    cases = sorted({row.case_id for row in rows if row.case_id is not None})
    if cases:
        await conn.execute(
            "INSERT INTO mirror (case_id, dirty_since) SELECT unnest(%s::uuid[]), now()"
            " ON CONFLICT (case_id) DO UPDATE SET dirty_since = EXCLUDED.dirty_since",
            (literal(cases),),
        )
    await insert(conn, History, rows)


async def _update(
    conn: Conn, entity: Entity, columns: tuple[str, ...], group: Sequence[tuple[Move, StrEnum]]
) -> set[UUID]:
    table = entity.table.__table__  # type: ignore[attr-defined]
    names = ("id", "from_state", "to_state", "row_version", "reason", *columns)
    casts = ["uuid", "text", "text", "integer", "text", *(column_type(table, name) for name in columns)]
    unnest = ", ".join(f"%s::{cast}[]" for cast in casts)
    sets = "".join(f", {name} = m.{name}" for name in columns)
    sql = (
        f"UPDATE {table.name} t SET state = m.to_state, row_version = t.row_version + 1,"  # noqa: S608
        f" reason = COALESCE(m.reason, t.reason){sets}{entity.stamps}"
        f" FROM unnest({unnest}) m ({', '.join(names)})"
        " WHERE t.id = m.id AND t.state = m.from_state AND t.row_version = m.row_version RETURNING t.id"
    )
    rows = [
        (
            each.id,
            each.state.value,
            state.value,
            each.row_version,
            each.reason,
            *(each.changes[c] for c in columns),
        )
        for each, state in group
    ]
    cursor = await conn.execute(sql.encode(), arrays(rows, len(names)))
    return {row["id"] for row in await cursor.fetchall()}
