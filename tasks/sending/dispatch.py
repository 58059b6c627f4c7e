"""Carry out what is planned, by the effect protocol: lease, intent, call, record.

No session is open during a call. An intent is committed before its call, at most as many as calls
are in flight where the receiver does not know our ids again. A call starts only while the lease
outlasts its total deadline on the monotonic clock; every write says that the lease is ours.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import structlog

from models.domain.breaking import NO_ANSWER
from models.domain.errors import NotDone
from models.domain.lifecycles.effect import Channel, EffectState
from models.domain.workdays import Calendar
from models.ledger.breaking import Desk
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger, LedgerSaidNo, LedgerUnavailable
from models.ledger.queries import clock, data_keys, effects, leasing, texts
from models.ledger.queries.effects import Outcome
from models.ledger.sealing import SealBroken, Sealing
from models.ledger.writer import HistoryRow, write_history
from tasks.in_front import OPERATIONS_DESK, due_at
from tasks.planning import BODY_FIELD
from tasks.restore.guarding import SenderGuard
from tasks.sending.breaking import Gate, Target, begin_probe, open_for_a_probe, open_gate
from tasks.sending.pacing import Lease, Limits, Pace, leased_within, pace_of
from tasks.sending.told_outcomes import told
from tasks.sending.verdicts import LEASE_TOO_SHORT, Verdict, judge

log = structlog.get_logger(__name__)

POISON_AFTER = 5
"""Workers an effect may end, without ever coming to an outcome, before a person sees it."""
ALONE_AFTER = 2
"""Workers it may end before it is sent alone."""
RECOVERING = "接续"
"""Who holds what kept ending its workers."""
_FIRST_WAIT_S = 0.2
_RECOVER_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Leased:
    """An effect in our hands: its row, the exact bytes it carries, and the commitment to them."""

    row: dict[str, Any]
    body: bytes = field(repr=False)
    commitment: bytes = field(repr=False)

    @property
    def own_id(self) -> str:
        """The id it is known by, here and there."""
        return str(self.row["own_id"])


Call = Callable[[Sequence[Leased]], Awaitable[Sequence[Verdict]]]
"""One call to the outside for one or more effects; one verdict each, in order. It never raises."""
Accepted = Callable[[Conn, Sequence[tuple[Leased, Outcome]], datetime], Awaitable[None]]
"""What else follows, in the transaction that records the acceptance."""


Settled = Callable[[Leased, Verdict, Outcome], Outcome]
"""What an outcome becomes before it is recorded."""


def _as_it_is(_leased: Leased, _verdict: Verdict, outcome: Outcome) -> Outcome:
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One channel's way out: how many effects one call carries, how many calls run at once."""

    channel: Channel
    call: Call
    target: Target
    alive: Callable[[], Awaitable[None]] | None = None
    """Asks whether the receiver answers, where no effect may be used to find out."""
    via: str | None = None
    """The gateway's name, where effects go by one of several."""
    settled: Settled = _as_it_is
    """What the outcome becomes, where a text may go by another gateway."""
    accepted: Accepted | None = None
    per_call: int = 1
    in_flight: int = 8
    deadline_s: float = 20
    lease_s: float = 60
    batch: int = 200
    limits: Limits | None = None
    places: asyncio.Semaphore = field(init=False)
    """As many as calls may be in flight, one for all batches of the line."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", asyncio.Semaphore(self.in_flight))

    @property
    def wave(self) -> int:
        """How many intents may be written at once. A text's only as wide as the calls in flight."""
        return self.batch if self.channel.deduplicates else self.per_call * self.in_flight


@dataclass(slots=True)
class Sent:
    """What became of the effects of one step, counted by outcome.

    ``withheld`` says why none was taken; ``paced`` that the target's limit lets none leave just now.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    withheld: str | None = None
    wants_probe: bool = False
    paced: bool = False

    @property
    def total(self) -> int:
        """How many effects were taken."""
        return self.outcomes.total()


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
    token = uuid4()
    lease_ends = time.monotonic() + line.lease_s
    sent = Sent()
    async with ledger.writing() as conn:
        sent.withheld = await guard.may_send(conn)
        now = await clock.business_now(conn)
        desk = Desk(owner=OPERATIONS_DESK, due_at=due_at(calendar, now), actor=worker, business_now=now)
        gate = await (
            open_for_a_probe(conn, line.target, line.channel, desk) if probe else open_gate(conn, line.target)
        )
        rows: list[dict[str, Any]] = []
        pace = pace_of(ledger, line.limits)
        if not sent.withheld:
            lease = partial(
                leasing.lease,
                conn,
                channel=line.channel.value,
                repeat=line.channel.deduplicates,
                token=token,
                seconds=line.lease_s,
                business_now=now,
                case_ids=case_ids,
                gateways=gate.gateways if gate is not None else None,
            )
            rows, sent.paced = await _taken(
                conn, line, gate, pace, lease, probe=probe, by_department=case_ids is None
            )
            await data_keys.load(conn, sealing, [row["body_sealed"] for row in rows])
        sent.wants_probe = gate is not None and gate.wants_probe
        if probe and rows and gate is not None:
            await begin_probe(conn, gate, desk, lasts_s=line.lease_s)
    if gate is None or not rows:
        return sent
    if taken is not None:
        taken()
    leased, broken = _open_bodies(sealing, rows)
    for wave in _waves(leased, line.wave):
        if time.monotonic() + line.deadline_s > lease_ends:
            break
        await _wave(ledger, calendar, line, wave, token, lease_ends, worker, guard, gate, pace, sent)

    if broken or sent.total - sent.outcomes["lease_lost"] < len(rows):
        await _give_back(ledger, calendar, token, broken, lease_ends, worker)
    if broken:
        log.error("bodies.broken", channel=line.channel.value, effects=len(broken))
    log.info("effects.sent", channel=line.channel.value, **sent.outcomes)
    return sent


async def _give_back(
    ledger: Ledger, calendar: Calendar, token: UUID, broken: Sequence[str], lease_ends: float, worker: str
) -> None:
    """What was leased and came to no outcome goes back; what cannot be opened goes in front of a person."""

    async def end(conn: Conn) -> None:
        await effects.give_back(conn, token=token)
        if broken:
            due = due_at(calendar, await clock.business_now(conn))
            await _hold(conn, broken, "seal_broken", due, worker)

    await _written(ledger, end, lease_ends)


async def _taken(
    conn: Conn,
    line: Line,
    gate: Gate | None,
    pace: Pace | None,
    lease: Lease,
    *,
    probe: bool,
    by_department: bool,
) -> tuple[list[dict[str, Any]], bool]:
    """What is leased behind this gate and within the limits; whether these alone left nothing to take."""
    if gate is None or gate.shut:
        return [], False
    if probe:
        return await lease(limit=1, blocked=gate.blocked, only=gate.only, probe=True), False
    if pace is None:
        return await lease(limit=line.batch, blocked=gate.blocked, only=gate.only), False
    return await leased_within(
        conn,
        pace,
        lease,
        blocked=gate.blocked,
        batch=line.batch,
        per_call=line.per_call,
        at_once=line.in_flight,
        by_department=by_department,
    )


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
    sound = [each for each in leased if each.row["deaths"] < ALONE_AFTER]
    for begin in range(0, len(sound), size):
        yield sound[begin : begin + size]
    for each in leased:
        if each.row["deaths"] >= ALONE_AFTER:
            yield [each]


async def _written(ledger: Ledger, write: Callable[[Conn], Awaitable[None]], lease_ends: float) -> None:
    """Write with patience: outcomes in hand are worth more than a restart of PostgreSQL or a lost race.

    Every write here says whose lease it is, so writing again after an unknown COMMIT changes nothing.

    Raises:
        LedgerUnavailable, LedgerSaidNo: still, when the lease has ended.
    """
    wait = _FIRST_WAIT_S
    while True:
        try:
            async with ledger.writing() as conn:
                await write(conn)
        except (LedgerUnavailable, LedgerSaidNo):
            if time.monotonic() + wait > lease_ends:
                raise
            await asyncio.sleep(wait)
            wait *= 2
        else:
            return


async def _wave(
    ledger: Ledger,
    calendar: Calendar,
    line: Line,
    wave: Sequence[Leased],
    token: UUID,
    lease_ends: float,
    worker: str,
    guard: SenderGuard,
    gate: Gate,
    pace: Pace | None,
    sent: Sent,
) -> None:
    async with ledger.writing() as conn:
        bodies = [(each.own_id, each.commitment, sha256(each.row["body_sealed"]).digest()) for each in wave]
        ours = await effects.intend(conn, bodies, token=token, worker=worker, via=line.via)
        mine = [each for each in wave if each.own_id in ours]
        if not mine:
            return
        marked = await guard.marked(conn, line.channel, [each.row for each in mine])
    if await marked.written():
        verdicts = await _call_all(line, mine, lease_ends, gate, pace)
    else:
        verdicts = [Verdict(error=NotDone(line.channel.value, "journal_unwritable"))] * len(mine)
    pairs: list[tuple[Leased, Outcome]] = []

    async def record(conn: Conn) -> None:
        now = await clock.business_now(conn)
        due = due_at(calendar, now)
        outcomes = [
            line.settled(each, verdict, judge(each.row, verdict, due))
            for each, verdict in zip(mine, verdicts, strict=True)
        ]
        written = await effects.record(conn, outcomes, token=token, business_now=now)
        pairs[:] = [(each, o) for each, o in zip(mine, outcomes, strict=True) if o.own_id in written]
        if line.accepted is not None:
            await line.accepted(conn, [pair for pair in pairs if pair[1].state is EffectState.ACCEPTED], now)
        write_history(conn, told([(each.row, o) for each, o in pairs], worker, now))
        await gate.leave(conn, Desk(owner=OPERATIONS_DESK, due_at=due, actor=worker, business_now=now))

    await _written(ledger, record, lease_ends)
    sent.outcomes.update(outcome.attempt_outcome for _, outcome in pairs)
    sent.outcomes["lease_lost"] += len(mine) - len(pairs)


async def _call_all(
    line: Line, mine: Sequence[Leased], lease_ends: float, gate: Gate, pace: Pace | None
) -> list[Verdict]:
    async def one(group: Sequence[Leased]) -> Sequence[Verdict]:
        async with line.places:
            if pace is not None and not await pace.turn(group[0].row["target"]):
                return [Verdict(error=NotDone(line.channel.value, "no_slot"))] * len(group)
            if time.monotonic() + line.deadline_s > lease_ends:
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


async def _hold(conn: Conn, own_ids: Sequence[str], reason: str, due: datetime, actor: str) -> None:
    """In front of a person, and said so in the history of their cases."""
    held = await effects.hold(conn, own_ids, reason=reason, owner=OPERATIONS_DESK, due_at=due)
    now = await clock.business_now(conn)
    rows = [(row["own_id"], row["case_id"]) for row in held]
    write_history(
        conn,
        [HistoryRow("effect", own, case, None, "held", "held", reason, actor, now) for own, case in rows],
    )


async def recover(ledger: Ledger, calendar: Calendar) -> int:
    """Take up what dead workers left, and put what kept killing them in front of a person."""
    back: list[dict[str, Any]] = []
    poisoned: list[str] = []

    async def write(conn: Conn) -> None:
        now = await clock.business_now(conn)
        back[:] = await effects.recover_expired(conn, business_now=now)
        poisoned[:] = [row["own_id"] for row in back if row["deaths"] >= POISON_AFTER]
        if poisoned:
            await _hold(conn, poisoned, "killed_worker", due_at(calendar, now), RECOVERING)
            await texts.unfold(conn, poisoned)

    await _written(ledger, write, time.monotonic() + _RECOVER_PATIENCE_S)
    if back:
        log.warning("leases.recovered", effects=len(back), held=len(poisoned))
    return len(back)
