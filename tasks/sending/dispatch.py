"""Carry out what is planned, by the effect protocol: lease, intent, call, record.

No session is open during a call. An intent is committed before its call: with the lease where the
receiver knows our ids again, elsewhere at most as many at once as calls are in flight. A call starts
only while the lease outlasts its total deadline on the monotonic clock; every write says that the
lease is ours.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import structlog

from models.domain.breaking import NO_ANSWER
from models.domain.errors import NotDone
from models.domain.lifecycles.effect import EffectState
from models.domain.workdays import Calendar
from models.ledger.breaking import Desk
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock, data_keys, effects, leasing
from models.ledger.queries.effects import Outcome
from models.ledger.queries.leasing import Hold
from models.ledger.sealing import SealBroken, Sealing
from models.ledger.writer import write_history
from tasks.in_front import OPERATIONS_DESK, due_at
from tasks.planning import BODY_FIELD
from tasks.restore.guarding import Marked, SenderGuard
from tasks.sending.breaking import Gate, begin_probe, open_for_a_probe, open_gate
from tasks.sending.pacing import Pace, Take, pace_of, taken_within
from tasks.sending.recovering import put_in_front, write_with_patience
from tasks.sending.told_outcomes import told
from tasks.sending.values import Leased, Line, Sent
from tasks.sending.verdicts import LEASE_TOO_SHORT, Verdict, judge

log = structlog.get_logger(__name__)

ALONE_AFTER = 2
"""Workers it may end before it is sent alone."""


@dataclass(frozen=True, slots=True)
class Intended:
    """Effects whose intent stands in a transaction, and what the journal is to say before their calls."""

    mine: Sequence[Leased]
    intents: Mapping[str, int]
    """Their intents' leaves by own id."""
    marked: Marked


async def send_due(
    ledger: Ledger,
    sealing: Sealing,
    calendar: Calendar,
    line: Line,
    *,
    worker: str,
    guard: SenderGuard,
    case_ids: Sequence[UUID] | None = None,
    probe: bool = False,
    taken: Callable[[], None] | None = None,
) -> Sent:
    """Take one batch of what is due on this channel and carry it out; ``total`` 0 when nothing is.

    ``case_ids`` takes those of these cases only, and at once. ``probe`` takes one effect for a target
    behind an open breaker, where it is time to look. ``taken`` is called once something is leased.
    Safe beside any number of others.

    Raises:
        LedgerUnavailable: leased effects go back when their lease ends; intents become unknown.
    """
    hold = Hold(uuid4(), line.lease_s)
    lease_ends = time.monotonic() + line.lease_s
    sent = Sent()
    batch = _Batch()
    async with ledger.writing() as conn:
        sent.withheld = await guard.may_send(conn)
        now = await clock.business_now(conn)
        desk = Desk(owner=OPERATIONS_DESK, due_at=due_at(calendar, now), actor=worker, business_now=now)
        gate = await (
            open_for_a_probe(conn, line.target, line.channel, desk) if probe else open_gate(conn, line.target)
        )
        pace = pace_of(ledger, line.limits)
        if not sent.withheld and time.monotonic() + line.deadline_s < lease_ends:
            take = partial(
                leasing.take,
                conn,
                channel=line.channel.value,
                repeat=line.channel.deduplicates,
                hold=None if line.channel.deduplicates else hold,
                business_now=now,
                case_ids=case_ids,
                gateways=gate.gateways if gate is not None else None,
            )
            rows, sent.paced = await _taken(
                conn, line, gate, pace, take, probe=probe, by_department=case_ids is None
            )
            if probe and rows and gate is not None:
                await begin_probe(conn, gate, desk, lasts_s=line.lease_s)
            # Last, for it moves the guard's mark, and others wait for its COMMIT.
            batch = await _in_hand(conn, sealing, line, rows, hold, worker, guard)
        sent.wants_probe = gate is not None and gate.wants_probe
    if gate is None or not batch.size:
        return sent
    if taken is not None:
        taken()
    way = _Way(ledger, calendar, line, hold.token, lease_ends, worker, guard, gate, pace)
    if batch.first is not None:
        await _carried_out(way, batch.first, sent)
    for wave in _waves(batch.leased, line.wave):
        if time.monotonic() + line.deadline_s > lease_ends:
            break
        await _wave(way, wave, sent)

    if batch.broken or sent.total - sent.outcomes["lease_lost"] < batch.size:
        await _give_back(way, batch.broken)
    if batch.broken:
        log.error("bodies.broken", channel=line.channel.value, effects=len(batch.broken))
    log.info("effects.sent", channel=line.channel.value, **sent.outcomes)
    return sent


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one transaction took: the first wave with its intent, the rest leased."""

    size: int = 0
    first: Intended | None = None
    leased: Sequence[Leased] = ()
    broken: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Way:
    """What one batch goes by from its lease to its outcomes."""

    ledger: Ledger
    calendar: Calendar
    line: Line
    token: UUID
    lease_ends: float
    worker: str
    guard: SenderGuard
    gate: Gate
    pace: Pace | None


async def _give_back(way: _Way, broken: Sequence[str]) -> None:
    """What was leased and came to no outcome goes back; what cannot be opened goes in front of a person."""

    async def end(conn: Conn) -> None:
        await effects.give_back(conn, token=way.token)
        if broken:
            due = due_at(way.calendar, await clock.business_now(conn))
            await put_in_front(conn, broken, "seal_broken", due, way.worker)

    await write_with_patience(way.ledger, end, way.lease_ends)


async def _taken(
    conn: Conn,
    line: Line,
    gate: Gate | None,
    pace: Pace | None,
    take: Take,
    *,
    probe: bool,
    by_department: bool,
) -> tuple[list[dict[str, Any]], bool]:
    """What is taken behind this gate and within the limits; whether these alone left nothing to take."""
    if gate is None or gate.shut:
        return [], False
    if probe:
        return await take(limit=1, blocked=gate.blocked, only=gate.only, probe=True), False
    if pace is None:
        return await take(limit=line.batch, blocked=gate.blocked, only=gate.only), False
    return await taken_within(
        conn,
        pace,
        take,
        blocked=gate.blocked,
        batch=line.batch,
        per_call=line.per_call,
        at_once=line.in_flight,
        by_department=by_department,
    )


async def _in_hand(
    conn: Conn,
    sealing: Sealing,
    line: Line,
    rows: Sequence[dict[str, Any]],
    hold: Hold,
    worker: str,
    guard: SenderGuard,
) -> _Batch:
    """Open what was taken; where it was only found, lease it, the first wave with its intent.

    Raises:
        UnknownKey: as ``_open_bodies``.
        LedgerIsOlder: nothing may be intended.
    """
    await data_keys.load(conn, sealing, [row["body_sealed"] for row in rows])
    leased, broken = _open_bodies(sealing, rows)
    if not line.channel.deduplicates:
        return _Batch(len(rows), None, leased, broken)
    alone = [each for each in leased if _goes_alone(each)]
    if alone or broken:
        await leasing.lease(conn, [*broken, *(each.own_id for each in alone)], hold)
    wave = [each for each in leased if not _goes_alone(each)]
    if not wave:
        return _Batch(len(rows), None, alone, broken)
    intents = await effects.intend_found(conn, _bodies(wave), hold, worker=worker)
    mine = [each for each in wave if each.own_id in intents]
    marked = await guard.marked(conn, line.channel, [each.row for each in mine])
    return _Batch(len(rows), Intended(mine, intents, marked), alone, broken)


def _open_bodies(sealing: Sealing, rows: Sequence[dict[str, Any]]) -> tuple[list[Leased], list[str]]:
    """What can be sent, and the own ids whose sealed bytes do not open: those are for a person.

    Raises:
        UnknownKey: the key file lacks a key; then nothing is wrong with the effects.
    """
    leased: list[Leased] = []
    broken: list[str] = []
    for row in rows:
        try:
            body = sealing.open_sealed(BODY_FIELD, row["own_id"], row["body_sealed"])
        except SealBroken:
            broken.append(row["own_id"])
        else:
            committed = sealing.commitment(BODY_FIELD, row["own_id"], row["body_sealed"], body)
            leased.append(Leased(row, body, committed))
    return leased, broken


def _waves(leased: Sequence[Leased], size: int) -> Iterator[Sequence[Leased]]:
    """What goes together. Whatever has ended workers before goes alone, and takes no other with it."""
    sound = [each for each in leased if not _goes_alone(each)]
    for begin in range(0, len(sound), size):
        yield sound[begin : begin + size]
    for each in leased:
        if _goes_alone(each):
            yield [each]


def _goes_alone(each: Leased) -> bool:
    return bool(each.row["deaths"] >= ALONE_AFTER)


def _bodies(wave: Sequence[Leased]) -> list[tuple[str, bytes, bytes]]:
    return [(each.own_id, each.commitment, sha256(each.row["body_sealed"]).digest()) for each in wave]


async def _wave(way: _Way, wave: Sequence[Leased], sent: Sent) -> None:
    async with way.ledger.writing() as conn:
        intents = await effects.intend(
            conn, _bodies(wave), token=way.token, worker=way.worker, via=way.line.via
        )
        mine = [each for each in wave if each.own_id in intents]
        if not mine:
            return
        marked = await way.guard.marked(conn, way.line.channel, [each.row for each in mine])
    await _carried_out(way, Intended(mine, intents, marked), sent)


async def _carried_out(way: _Way, intended: Intended, sent: Sent) -> None:
    """Call, and record what came of it; its intent is committed."""
    line, mine, gate = way.line, intended.mine, way.gate
    if await intended.marked.written():
        verdicts = await _call_all(way, mine)
    else:
        verdicts = [Verdict(error=NotDone(line.channel.value, "journal_unwritable"))] * len(mine)
    pairs: list[tuple[Leased, Outcome]] = []

    async def record(conn: Conn) -> None:
        now = await clock.business_now(conn)
        due = due_at(way.calendar, now)
        outcomes = [
            line.settled(each, verdict, judge(each.row, verdict, due))
            for each, verdict in zip(mine, verdicts, strict=True)
        ]
        written = await effects.record(
            conn, outcomes, intents=intended.intents, token=way.token, business_now=now
        )
        pairs[:] = [(each, o) for each, o in zip(mine, outcomes, strict=True) if o.own_id in written]
        if line.accepted is not None:
            await line.accepted(conn, [pair for pair in pairs if pair[1].state is EffectState.ACCEPTED], now)
        write_history(conn, told([(each.row, o) for each, o in pairs], way.worker, now))
        await gate.leave(conn, Desk(owner=OPERATIONS_DESK, due_at=due, actor=way.worker, business_now=now))

    await write_with_patience(way.ledger, record, way.lease_ends)
    sent.outcomes.update(outcome.attempt_outcome for _, outcome in pairs)
    sent.outcomes["lease_lost"] += len(mine) - len(pairs)


async def _call_all(way: _Way, mine: Sequence[Leased]) -> list[Verdict]:
    line, gate, pace = way.line, way.gate, way.pace

    async def one(group: Sequence[Leased]) -> Sequence[Verdict]:
        async with line.places:
            if pace is not None and not await pace.turn(group[0].row["target"]):
                return [Verdict(error=NotDone(line.channel.value, "no_slot"))] * len(group)
            if time.monotonic() + line.deadline_s > way.lease_ends:
                # Nothing left: the intent is proven not done.
                return [Verdict(error=NotDone(line.channel.value, LEASE_TOO_SHORT))] * len(group)
            rows = [each.row for each in group]
            if gate.turns_away(rows):
                return [Verdict(error=NotDone(line.channel.value, NO_ANSWER))] * len(group)
            verdicts = await line.call(group)
            gate.saw(rows, verdicts)
            return verdicts

    async def through(group: Sequence[Leased]) -> list[Verdict]:
        verdicts = await one(group)
        if any(verdict.split for verdict in verdicts):
            singles = await asyncio.gather(*(one([each]) for each in group))
            return [verdict for answered in singles for verdict in answered]
        return list(verdicts)

    groups = [mine[at : at + line.per_call] for at in range(0, len(mine), line.per_call)]
    answered = await asyncio.gather(*(through(group) for group in groups))
    return [verdict for verdicts in answered for verdict in verdicts]
