"""The gate of a line: whose calls are worth making now, by what the calls before them met.

A gate is opened with the lease and closed with the outcomes, in their transactions. In between it keeps
count for itself: of one wave, a dead target costs as many calls as trip its breaker, or as are in flight.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from models.domain.breaking import (
    NO_ANSWER,
    SMS,
    WHOLE,
    BreakerRules,
    Key,
    Said,
    Sign,
    Standing,
    after_signs,
)
from models.domain.errors import (
    AlreadyDone,
    GatewayRefused,
    NoConnection,
    NotAdmitted,
    NotDone,
    OutcomeUnknown,
    Refused,
    ShenguanError,
    Throttled,
)
from models.domain.lifecycles.breaker import BreakerState
from models.domain.lifecycles.effect import Channel
from models.ledger import breaking
from models.ledger.breaking import Desk
from models.ledger.bulk import Conn
from models.ledger.queries import breakers
from tasks.sending.verdicts import LEASE_TOO_SHORT, Verdict

log = structlog.get_logger(__name__)

_SAYS_NOTHING = frozenset({NO_ANSWER, LEASE_TOO_SHORT, "journal_unwritable", "PoolTimeout"})
"""Nothing was called, or nothing of theirs was in the way."""


_SAYINGS: tuple[tuple[type | tuple[type, ...], Said], ...] = (
    (GatewayRefused, Said.FAILED),
    ((type(None), AlreadyDone, Refused), Said.ALIVE),
    (Throttled, Said.ASKED_TO_WAIT),
    (NoConnection, Said.AWAY),
    (NotAdmitted, Said.NOT_ADMITTED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose breakers a line asks: a system, and whether each effect's target has one of its own."""

    system: str
    each: bool = False
    beside: tuple[str, ...] = ()
    """Systems that do the same work: what was for one that is stopped goes by this one."""
    rules: BreakerRules = field(default_factory=BreakerRules)

    def key(self, row: dict[str, Any]) -> Key:
        """The breaker of an effect's target."""
        return self.system, row["target"] if self.each else WHOLE


def _answer_of(error: ShenguanError | None) -> str:
    if isinstance(error, NotDone | OutcomeUnknown):
        return error.reason
    return error.code if isinstance(error, Refused) else type(error).__name__


def said_by(error: ShenguanError | None) -> Said | None:
    """What an outcome says about the target; None where it says nothing."""
    if isinstance(error, NotDone) and error.reason in _SAYS_NOTHING:
        return None
    return next((said for kinds, said in _SAYINGS if isinstance(error, kinds)), Said.FAILED)


@dataclass(slots=True)
class Gate:
    """What is known of a line's targets while one batch is carried out."""

    target: Target
    standings: dict[Key, Standing]
    now: datetime
    troubled: frozenset[Key]
    """The breakers that had something against them when the gate was opened."""
    probe: Key | None = None
    signs: list[Sign] = field(default_factory=list)

    @property
    def shut(self) -> bool:
        """Whether the system as a whole is worth no call."""
        whole = self.standings.get((self.target.system, WHOLE))
        return self.probe is None and whole is not None and whole.stops(self.now)

    @property
    def gateways(self) -> list[str] | None:
        """By which names a text may be bound to go by this line; None where there is no other way."""
        if not self.target.beside:
            return None
        mine = [self.target.system]
        for other in self.target.beside:
            standing = self.standings.get((other, WHOLE))
            if standing is not None and standing.stops(self.now):
                mine.append(other)
        # What is bound to none yet goes by the first.
        return [*mine, ""] if SMS in mine else mine

    @property
    def blocked(self) -> list[str]:
        """The targets whose effects wait; a probed one's own may go."""
        return [
            each.target
            for key, each in self.standings.items()
            if key[1] != WHOLE and key != self.probe and each.stops(self.now)
        ]

    @property
    def only(self) -> str | None:
        """The one target that is probed."""
        return self.probe[1] if self.probe is not None and self.probe[1] != WHOLE else None

    @property
    def wants_probe(self) -> bool:
        """Whether somebody should look if a target answers again."""
        return any(
            each.wants_probe(self.now)
            for each in self.standings.values()
            if each.system == self.target.system
        )

    def turns_away(self, group: Sequence[dict[str, Any]]) -> bool:
        """Whether these effects' call, which has its intent, is not worth making any more."""
        if self.probe is not None:
            return False
        now = datetime.now(UTC)
        keys = {self.target.key(row) for row in group} | {(self.target.system, WHOLE)}
        return any(key in self.standings and self.standings[key].stops(now) for key in keys)

    def saw(self, group: Sequence[dict[str, Any]], verdicts: Sequence[Verdict]) -> None:
        """Count one call's outcome, at once."""
        said = [sign for sign in map(self._sign, group, verdicts) if sign is not None]
        # A call that carries many says one thing: that of whichever of them was answered.
        said.sort(key=lambda sign: sign.said is not Said.ALIVE)
        self.signs += said[:1]
        self.standings, _ = after_signs(self.standings, said[:1], datetime.now(UTC), self.target.rules)

    def _sign(self, row: dict[str, Any], verdict: Verdict) -> Sign | None:
        error = verdict.error
        said = said_by(error)
        if said is None:
            return None
        answer = _answer_of(error)
        wait_s = error.retry_after or 0 if isinstance(error, Throttled) else 0
        return Sign(key=self.target.key(row), said=said, answer=answer, wait_s=wait_s, probe=self.probe)

    async def leave(self, conn: Conn, desk: Desk) -> None:
        """Write what the calls said about their targets; costs nothing while all is well."""
        if self._worth_writing():
            for before, event, after in await breaking.note(conn, self.signs, self.target.rules, desk):
                log.warning(
                    "breaker.moved",
                    target=breaking.incident_key(after.key),
                    moved=event.value,
                    before=before.state.value,
                    answer=after.last_answer,
                )

    def _worth_writing(self) -> bool:
        if self.probe is not None or any(sign.said is not Said.ALIVE for sign in self.signs):
            return bool(self.signs)
        met = {sign.key for sign in self.signs} | {(sign.key[0], WHOLE) for sign in self.signs}
        return bool(met & self.troubled)


async def open_gate(conn: Conn, target: Target) -> Gate:
    """The gate of a line, in the transaction of its lease."""
    standings, now = await breakers.of_systems(conn, [target.system, *target.beside])
    troubled = {
        key for key, each in standings.items() if each.failures or each.state is not BreakerState.CLOSED
    }
    return Gate(target, standings, now, frozenset(troubled))


async def open_for_a_probe(conn: Conn, target: Target, channel: Channel, desk: Desk) -> Gate | None:
    """A gate for one call that looks whether a target answers again; None where none is to be looked at.

    The breaker is in our hands until the transaction ends; other workers pass it by. One behind which
    nothing waits any more is closed: there is nothing to look with.
    """
    gate = await open_gate(conn, target)
    for key, each in sorted(gate.standings.items()):
        if key[0] != target.system or not each.wants_probe(gate.now):
            continue
        waits = await breakers.waits_in(conn, channel.value, key[1])
        if not waits and await breakers.waiting_count(conn, key):
            continue
        mine = await breakers.take(conn, key)
        if mine is None or not mine.wants_probe(gate.now):
            continue
        if waits:
            gate.standings[key], gate.probe = mine, key
            return gate
        await breaking.nothing_waits(conn, mine, desk)
    return None


async def begin_probe(conn: Conn, gate: Gate, desk: Desk, *, lasts_s: float) -> None:
    """Say that we look, in the transaction that leases the effect to look with."""
    assert gate.probe is not None
    until = gate.now + timedelta(seconds=lasts_s)
    await breaking.begin_probe(conn, gate.standings[gate.probe], until, desk)
