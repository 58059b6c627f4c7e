"""Looking whether a target behind an open breaker answers again: one look at a time, however many workers.

Where the receiver knows our ids, one waiting effect is the look: repeated, it changes nothing over there.
An SMS gateway does not, so no text is risked: it is asked something that no text can come of.
"""

import asyncio

from models.domain.breaking import WHOLE
from models.domain.errors import ShenguanError
from models.ledger.breaking import Desk
from models.ledger.bulk import Conn
from models.ledger.queries import breakers, clock
from tasks.composition import Services
from tasks.in_front import OPERATIONS_DESK, due_at
from tasks.sending import dispatch
from tasks.sending.breaking import Gate, begin_probe, open_gate
from tasks.sending.values import Line
from tasks.sending.verdicts import Verdict, finding_of

_AT_ONCE = 4
"""Dead targets that are looked at side by side: one that hangs keeps no other from being found alive."""


async def probe(services: Services, line: Line) -> None:
    """Look at every target of the line's system whose time has come."""
    if line.alive is not None:
        await _ask(services, line)
        return
    await asyncio.gather(*(_with_effects(services, line) for _ in range(_AT_ONCE)))


async def _with_effects(services: Services, line: Line) -> None:
    total = 1
    while total:
        sent = await dispatch.send_due(
            services.ledger,
            services.sealing,
            services.calendar,
            line,
            worker=services.worker,
            guard=services.guard,
            probe=True,
        )
        total = sent.total


async def _ask(services: Services, line: Line) -> None:
    assert line.alive is not None
    async with services.ledger.writing() as conn:
        gate = await _ours(conn, services, line)
    if gate is None:
        return
    finding: ShenguanError | None = await finding_of(line.alive(), line.target.system)
    gate.saw([{"target": WHOLE}], [Verdict(error=finding)])
    async with services.ledger.writing() as conn:
        await gate.leave(conn, await _desk(conn, services))


async def _ours(conn: Conn, services: Services, line: Line) -> Gate | None:
    """A gate whose breaker we look at, and nobody beside us; None where it is not time, or another does."""
    gate = await open_gate(conn, line.target)
    key = (line.target.system, WHOLE)
    known = gate.standings.get(key)
    if known is None or not known.wants_probe(gate.now):
        return None
    mine = await breakers.take(conn, key)
    if mine is None or not mine.wants_probe(gate.now):
        return None
    gate.standings[key], gate.probe = mine, key
    await begin_probe(conn, gate, await _desk(conn, services), lasts_s=line.lease_s)
    return gate


async def _desk(conn: Conn, services: Services) -> Desk:
    now = await clock.business_now(conn)
    due = due_at(services.calendar, now)
    return Desk(owner=OPERATIONS_DESK, due_at=due, actor=services.worker, business_now=now)
