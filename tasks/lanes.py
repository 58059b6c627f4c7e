"""Lanes: steps that take turns, beside other lanes that do not wait for them.

The first moment has lanes of its own (a case in, its push, its text), so that a long feedback feed or
a batch of reports delays nobody's push. A lane asks the ledger once which of its steps have anything
due and does only those; every few seconds each step has its turn unasked, so that nothing is ever
forgotten. All steps are safe beside each other, in one process and in many.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from models.domain.errors import ShenguanError
from models.domain.workdays import business_day
from models.ledger.connection import LedgerUnavailable
from models.ledger.queries import clock
from models.ledger.queries.due import ASKED, due
from tasks import steps
from tasks.composition import Services
from tasks.draining import worked
from tasks.steps import Counts, Step

log = structlog.get_logger(__name__)

FULL_ROUND_S = 10.0
"""How often every step has its turn, due or not."""
_FRUITLESS_S = 2.0
"""How long a step rests that found nothing although something seemed due: it waits for others."""
_PACE_S = 0.1
"""The least time from a fruitful round's beginning to the next one's: what comes meanwhile goes together."""
_QUESTION_S = 0.02
"""The same after a round that found nothing: a bell that rings on and on is not asked about each time."""
_LONGEST_PAUSE_S = 10.0
_AWAY = {"away", "failed", "unreadable"}


@dataclass(frozen=True, slots=True)
class Turn:
    """A step in its lane.

    ``every_s``: it asks the outside, so often at rest, since no question to the ledger knows;
    ``again_s``: so soon after it brought something. ``follows``: a step of the same lane whose finds
    are this one's work, in the same round.
    """

    step: Step
    every_s: float | None = None
    again_s: float = _PACE_S
    follows: str | None = None


class Lane:
    """Steps in their order, again and again.

    ``ours`` says whether this process does a step or leaves it to another one; ``after`` is told which
    steps found something to do, so that others follow.
    """

    def __init__(
        self,
        name: str,
        turns: Sequence[Turn],
        services: Services,
        *,
        ours: Callable[[str], bool],
        after: Callable[[dict[str, Counts]], None],
    ) -> None:
        self.name = name
        self._turns = turns
        self._services = services
        self._ours = ours
        self._after = after
        self._woken = asyncio.Event()
        self._asked_for: set[str] = set()
        self._rests_until: dict[str, float] = {}
        self._may_be_cut_short: set[str] = set()
        self._full_at = float("-inf")

    def wake(self, unasked: Collection[str] = ()) -> None:
        """Something may be due; the ``unasked`` steps have their turn whatever the ledger says."""
        for name in self._may_be_cut_short:
            self._rests_until.pop(name, None)
        self._may_be_cut_short.clear()
        self._asked_for |= set(unasked) & {turn.step.__name__ for turn in self._turns}
        self._woken.set()

    async def run(self, stop: asyncio.Event, *, rest_s: float) -> None:
        """Round after round until told to stop; ``rest_s`` seconds between two at rest."""
        pause = rest_s
        while not stop.is_set():
            begun = time.monotonic()
            self._woken.clear()
            try:
                did = await self._round(begun)
                busy = any(worked(counts) for counts in did.values())
                paced = any(counts.get("paced") for counts in did.values())
                pause = 0.0 if busy else _PACE_S if paced else rest_s
                self._after(did)
            except ShenguanError as finding:
                reason = finding.reason if isinstance(finding, LedgerUnavailable) else type(finding).__name__
                log.warning("lane.failed", lane=self.name, reason=reason)
                pause = min(_LONGEST_PAUSE_S, max(rest_s, pause * 2))
            await self._rest(stop, begun, pause, least=_PACE_S if pause == 0.0 else _QUESTION_S)

    async def _round(self, now: float) -> dict[str, Counts]:
        full = now - self._full_at >= FULL_ROUND_S
        found = set() if full else await self._question()
        wanted, self._asked_for = self._asked_for, set()
        did: dict[str, Counts] = {}
        for turn in self._turns:
            name = turn.step.__name__
            if not self._ours(name):
                continue
            at_rest = self._rests_until.get(name, 0.0) > time.monotonic()
            due_now = turn.every_s is not None or name in found
            due_now |= turn.follows in did and worked(did[turn.follows])
            if full or name in wanted or (due_now and not at_rest):
                did[name] = await steps.attempted(turn.step, self._services)
                self._note(turn, did[name])
        if full:
            self._full_at = now
        return did

    def _note(self, turn: Turn, counts: Counts) -> None:
        name, fruitful = turn.step.__name__, worked(counts)
        if turn.every_s is not None:
            rest = turn.again_s if fruitful else turn.every_s
        else:
            rest = 0.0 if fruitful or counts.get("paced") else _FRUITLESS_S
            if not fruitful and not _AWAY & counts.keys():
                # News of the ledger ends this rest; of a system that is away the ledger knows nothing.
                self._may_be_cut_short.add(name)
        self._rests_until[name] = time.monotonic() + rest

    async def _question(self) -> set[str]:
        mine = {turn.step.__name__ for turn in self._turns if turn.every_s is None}
        if not mine & ASKED:
            return set()
        async with self._services.ledger.reading() as conn:
            now = await clock.business_now(conn)
            return await due(conn, business_now=now, today=business_day(now), of=mine)

    async def _rest(self, stop: asyncio.Event, begun: float, pause: float, *, least: float) -> None:
        """Until somebody wakes it or the pause is over, yet not before ``least`` has gone by."""
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(0.0, least - (time.monotonic() - begun)))
        left = pause - (time.monotonic() - begun)
        if left > 0 and not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), left)
