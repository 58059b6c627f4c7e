"""What was refused or held, chosen by a person's filter, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.domain.breaking import CHANNELS
from models.ledger.bulk import Conn
from models.ledger.queries.asking import MAY_BE_ASKED, NOT_TO_ASK
from models.ledger.queries.by_month import last_answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What to choose; None chooses all. ``since`` and ``until`` are business times of the last answer."""

    channel: str | None = None
    department: str | None = None
    stage: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: the moment and own id of its last row."""

    at: datetime
    own_id: str


_AT = "COALESCE(e.answered_at, e.planned_at)"
# What is stopped anew while the filter is worked through has a later moment, and is not met again.
_FILTER = f"""{_AT} < %(begun)s
    AND (%(channel)s::text IS NULL OR e.channel = %(channel)s)
    AND (%(department)s::text IS NULL OR e.target IN
         (SELECT d.code FROM departments d WHERE %(department)s IN (d.code, d.name)))
    AND (%(stage)s::text IS NULL OR e.stage = %(stage)s)
    AND (%(reason)s::text IS NULL OR e.reason = %(reason)s)
    AND (%(since)s::timestamptz IS NULL OR COALESCE(e.answered_business, e.send_after) >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR COALESCE(e.answered_business, e.send_after) < %(until)s)"""
_CHOSEN = f"{MAY_BE_ASKED} AND {_FILTER}"
_SHOWN = f"""e.own_id, e.channel, e.stage, e.target, d.name AS department, e.state, e.reason, c.case_no,
    {_AT} AS at, {last_answer("e")} AS answer"""


async def count(conn: Conn, chosen: Filter, *, begun: datetime) -> list[dict[str, Any]]:
    """How many are chosen, by channel, target, state and reason: the largest groups first."""
    cursor = await conn.execute(
        f"SELECT e.channel, e.target, d.name AS department, e.state, e.reason, count(*) AS n"
        f" FROM effects e LEFT JOIN departments d ON d.code = e.target WHERE {_CHOSEN}"
        " GROUP BY e.channel, e.target, d.name, e.state, e.reason"
        " ORDER BY n DESC, e.channel, e.target".encode(),
        _values(chosen, begun),
    )
    return await cursor.fetchall()


async def count_left(conn: Conn, chosen: Filter, *, begun: datetime) -> dict[str, int]:
    """How many the filter names that are not to be asked again, by reason."""
    cursor = await conn.execute(
        f"SELECT e.reason, count(*) AS n FROM effects e WHERE {NOT_TO_ASK} AND {_FILTER}"
        " GROUP BY e.reason ORDER BY e.reason".encode(),
        _values(chosen, begun),
    )
    return {row["reason"]: int(row["n"]) for row in await cursor.fetchall()}


async def page(
    conn: Conn, chosen: Filter, *, begun: datetime, after: Place | None, limit: int, lock: bool
) -> list[dict[str, Any]]:
    """The next ``limit`` of them, the longest stopped first; with ``lock`` those nobody else has in hand."""
    cursor = await conn.execute(
        f"SELECT {_SHOWN} FROM effects e LEFT JOIN cases c ON c.id = e.case_id"
        f" LEFT JOIN departments d ON d.code = e.target WHERE {_CHOSEN}"
        f" AND (%(at)s::timestamptz IS NULL OR ({_AT}, e.own_id) > (%(at)s, %(own_id)s))"
        f" ORDER BY {_AT}, e.own_id LIMIT %(limit)s"
        f" {'FOR UPDATE OF e SKIP LOCKED' if lock else ''}".encode(),
        {
            **_values(chosen, begun),
            "at": after.at if after else None,
            "own_id": after.own_id if after else "",
            "limit": limit,
        },
    )
    return await cursor.fetchall()


async def states_of(conn: Conn, own_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Where these stand now, counted: state, reason, n.

    ``dead`` is the system whose breaker they stand behind, ``department`` that breaker's department; none
    where their own target answers.
    """
    pairs = [(system, channel.value) for system, channels in CHANNELS.items() for channel in channels]
    cursor = await conn.execute(
        """
        SELECT e.state, e.reason, b.system AS dead, d.name AS department, count(*) AS n
        FROM effects e LEFT JOIN LATERAL (
            SELECT b.system, b.target FROM unnest(%s::text[], %s::text[]) c (system, channel)
            JOIN breakers b ON b.system = c.system AND b.state <> 'closed' AND b.target IN ('', e.target)
            WHERE c.channel = e.channel ORDER BY b.target, b.system LIMIT 1) b ON true
        LEFT JOIN departments d ON d.code = b.target
        WHERE e.own_id = ANY(%s) GROUP BY e.state, e.reason, b.system, d.name
        """,
        ([system for system, _ in pairs], [channel for _, channel in pairs], list(own_ids)),
    )
    return await cursor.fetchall()


def _values(chosen: Filter, begun: datetime) -> dict[str, Any]:
    return {
        "channel": chosen.channel,
        "department": chosen.department,
        "stage": chosen.stage,
        "reason": chosen.reason,
        "since": chosen.since,
        "until": chosen.until,
        "begun": begun,
    }
