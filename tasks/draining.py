"""Work until nothing is due."""

import asyncio
import contextlib
import time
from dataclasses import asdict, dataclass
from typing import Any

from models.ledger.queries import clock, effects
from tasks import steps
from tasks.composition import Services, open_services
from tasks.evidence.sealer import EvidenceBroken, SealingStopped

_QUIET_ROUNDS = 3
"""Rounds without news before the work counts as done: a feed's last pages are read again meanwhile."""
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Drained:
    """What is left: effects that are still due, and those in front of a person."""

    rounds: int
    seconds: float
    due: int
    stopped: int

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


async def drain(services: Services, *, timeout_s: float) -> Drained:
    """Run every step until three rounds in a row find nothing to do, or the time is over."""
    begun = time.monotonic()
    rounds = quiet = 0
    due = stopped = 0
    while quiet < _QUIET_ROUNDS and time.monotonic() - begun < timeout_s:
        did = await steps.everything(services)
        rounds += 1
        async with services.ledger.reading() as conn:
            due = await effects.due_count(conn, await clock.business_now(conn))
            stopped = await effects.stopped_count(conn)
        busy = due or any(worked(counts) for counts in did.values())
        quiet = 0 if busy else quiet + 1
        await asyncio.sleep(_PAUSE_S)
    with contextlib.suppress(EvidenceBroken, SealingStopped):  # told by the sealer: an incident stands open
        await services.sealer.seal(now=True)
    return Drained(rounds, round(time.monotonic() - begun, 2), due, stopped)


async def run_drain(*, timeout_s: float) -> Drained:
    """Open the services and drain."""
    async with open_services() as services:
        return await drain(services, timeout_s=timeout_s)


def worked(counts: steps.Counts) -> bool:
    """Whether a step found something to do. What failed has its turn again, after a rest."""
    idle = {
        "seen",
        "repeated",
        "secret",
        "away",
        "failed",
        "unreadable",
        "withheld",
        "paced",
        "busy",
        "sealed",
    }
    return any(count for name, count in counts.items() if name not in idle)
