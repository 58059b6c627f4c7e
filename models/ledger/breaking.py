"""The one writer of breakers: state by compare-and-set, history row and incident in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from models.domain.breaking import (
    ASKED_FOR_LONG,
    NOT_KNOWN_TO_THEM,
    WHOLE,
    BreakerRules,
    Key,
    Moves,
    Sign,
    Standing,
    after_signs,
    at_rest,
    probing,
)
from models.domain.lifecycles.breaker import BreakerEvent, BreakerState
from models.domain.messages import SYSTEMS
from models.domain.reasons import answer_name, reason_name
from models.ledger.bulk import Conn
from models.ledger.queries import breakers, quarantine, standing
from models.ledger.writer import HistoryRow, write_history

INCIDENT = "breaker_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Who has the incident, until when, and who writes the history."""

    owner: str
    due_at: datetime
    actor: str
    business_now: datetime


def incident_key(key: Key) -> str:
    """The key of a target's incident: the system, and the department behind it."""
    system, target = key
    return system if target == WHOLE else f"{system}/{target}"


async def note(conn: Conn, signs: Sequence[Sign], rules: BreakerRules, desk: Desk) -> Moves:
    """Write what these outcomes say about their targets; the transitions they caused.

    A lost race for a new row is lost: the next outcome says it again.
    """
    keys = {key for sign in signs for key in (sign.key, (sign.key[0], WHOLE), sign.probe) if key}
    before, now = await breakers.lock(conn, sorted(keys))
    after, moves = after_signs(before, signs, now, rules)
    changed = [
        each
        for key, each in after.items()
        if each != before.get(key, Standing(system=each.system, target=each.target))
    ]
    written = await _write(conn, changed)
    moves = [move for move in moves if move[0].key in written]
    await _tell(conn, moves, desk)
    return moves


async def begin_probe(conn: Conn, seen: Standing, until: datetime, desk: Desk) -> None:
    """One worker looks whether the target answers again. The row is locked."""
    await _move(conn, seen, BreakerEvent.PROBED, probing(seen, until), desk)


async def nothing_waits(conn: Conn, seen: Standing, desk: Desk) -> None:
    """Close a breaker behind which nothing waits that could look. The row is locked."""
    await _move(conn, seen, BreakerEvent.NOTHING_WAITS, at_rest(seen, BreakerEvent.NOTHING_WAITS), desk)


async def _move(conn: Conn, before: Standing, event: BreakerEvent, after: Standing, desk: Desk) -> None:
    if await _write(conn, [after]):
        await _tell(conn, [(before, event, after)], desk)


async def _write(conn: Conn, standings: Sequence[Standing]) -> set[Key]:
    ordered = sorted(standings, key=lambda each: each.key)
    return await breakers.write(conn, [replace(each, row_version=each.row_version + 1) for each in ordered])


async def _tell(conn: Conn, moves: Moves, desk: Desk) -> None:
    write_history(
        conn,
        [
            HistoryRow(
                "breaker",
                incident_key(after.key),
                None,
                before.state.value,
                event.value,
                after.state.value,
                after.cause or before.cause,
                desk.actor,
                desk.business_now,
            )
            for before, event, after in moves
        ],
    )
    last = {after.key: after for _, _, after in moves}
    for each in last.values():
        if each.state is BreakerState.CLOSED:
            await breakers.hurry(conn, each.key)
    await quarantine.close_incidents(
        conn,
        INCIDENT,
        [incident_key(key) for key, each in last.items() if each.state is BreakerState.CLOSED],
    )
    troubled = [each for each in last.values() if each.state is not BreakerState.CLOSED]
    names = await standing.department_names(conn, [each.target for each in troubled]) if troubled else {}
    await quarantine.show_incidents(
        conn, [await _incident(conn, each, names.get(each.target), desk) for each in troubled]
    )


def _what(each: Standing) -> str:
    if each.cause == NOT_KNOWN_TO_THEM:
        return f"：{reason_name(each.cause)}"
    if each.cause == ASKED_FOR_LONG:
        return "要求暂缓超过五分钟，已暂停调用，每五分钟试一项，待发项恢复后自动续发"
    return "连续未成，已暂停调用，待发项恢复后自动续发"


async def _incident(conn: Conn, each: Standing, department: str | None, desk: Desk) -> quarantine.NewIncident:
    who = SYSTEMS.get(each.system, each.system)
    if each.target != WHOLE:
        who = f"{department or each.target}（{who}）"
    said = f"；最近答复：{answer_name(each.last_answer)}" if each.last_answer else ""
    return quarantine.NewIncident(
        kind=INCIDENT,
        key=incident_key(each.key),
        count=await breakers.waiting_count(conn, each.key),
        message=f"{who}{_what(each)}{said}",
        owner=desk.owner,
        since=desk.business_now,
        due_at=desk.due_at,
    )
