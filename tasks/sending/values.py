"""What goes out and by which way: an effect in our hands, a channel's line, what became of a batch."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from models.domain.lifecycles.effect import Channel
from models.ledger.bulk import Conn
from models.ledger.queries.effects import Outcome
from tasks.sending.breaking import Target
from tasks.sending.pacing import Limits
from tasks.sending.verdicts import Verdict


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
