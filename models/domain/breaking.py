"""What an outcome says about the target it came from, and when a target is worth no call.

A system is told apart from its targets (a department's endpoint at the platform): one dead department
stops nobody else's calls; the system as a whole is taken for dead when nothing connects, when it does
not know us, or when several targets fail one after the other with no sign of life between them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from models.domain.lifecycles import after
from models.domain.lifecycles.breaker import TRANSITIONS, BreakerEvent, BreakerState
from models.domain.lifecycles.effect import Channel

WHOLE = ""
"""The target that stands for the system as a whole."""
PLATFORM, CREDIT, SMS, SMS_SECOND = "platform", "credit", "sms", "sms2"
CHANNELS: Mapping[str, tuple[Channel, ...]] = {
    PLATFORM: (Channel.PUSH, Channel.RECALL, Channel.RETURN),
    CREDIT: (Channel.CREDIT_REPORT,),
    SMS: (Channel.SMS,),
    SMS_SECOND: (Channel.SMS,),
}
"""What goes to each system."""
NOT_KNOWN_TO_THEM = "signature_rejected"
NO_ANSWER = "breaker_open"
ASKED_FOR_LONG = "asked_to_wait"

Key = tuple[str, str]
"""System and target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """``failures`` in a row ``within_s`` open; ``witnesses`` targets speak for all; pauses grow.

    Who asks to wait is not called for so long, at most ``longest_asked_s``; who asks for more stands open.
    """

    failures: int = 5
    within_s: float = 120
    first_pause_s: float = 2
    longest_pause_s: float = 60
    longest_asked_s: float = 300
    witnesses: int = 3


class Said(StrEnum):
    """What an outcome says about who it came from."""

    ALIVE = "an answer that was thought of over there"
    FAILED = "not done, or no answer"
    AWAY = "nothing connects"
    NOT_ADMITTED = "they do not know us: our key, password or signature"
    ASKED_TO_WAIT = "alive, and wants no call for a while"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One call's outcome as a sign. ``answer`` is for people; ``probe`` names what it looked at."""

    key: Key
    said: Said
    answer: str = ""
    wait_s: float = 0
    probe: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A breaker's row. Machine time."""

    system: str
    target: str
    state: BreakerState = BreakerState.CLOSED
    cause: str | None = None
    failures: int = 0
    first_failure_at: datetime | None = None
    opened_at: datetime | None = None
    last_answer: str | None = None
    probes: int = 0
    probe_at: datetime | None = None
    probe_until: datetime | None = None
    wait_until: datetime | None = None
    row_version: int = 0

    @property
    def key(self) -> Key:
        """System and target."""
        return self.system, self.target

    def stops(self, now: datetime) -> bool:
        """Whether its effects wait."""
        return self.state is not BreakerState.CLOSED or (
            self.wait_until is not None and self.wait_until > now
        )

    def wants_probe(self, now: datetime) -> bool:
        """Whether somebody should look now: the pause is over, or whoever looked did not come back."""
        if self.state is BreakerState.OPEN:
            return self.probe_at is not None and self.probe_at <= now
        return self.probe_until is not None and self.probe_until <= now


Moves = list[tuple[Standing, BreakerEvent, Standing]]
"""Each transition: before, event, after."""


def after_signs(
    standings: Mapping[Key, Standing],
    signs: Iterable[Sign],
    now: datetime,
    rules: BreakerRules,
) -> tuple[dict[Key, Standing], Moves]:
    """The standings after these signs, in their order, and the transitions on the way."""
    found = dict(standings)
    moves: Moves = []
    for sign in signs:
        for key in _concerned(sign):
            before = found.get(key) or Standing(system=key[0], target=key[1])
            standing, event = _after(before, sign, now, rules, _witnesses(found, key))
            found[key] = standing
            if event is not None:
                moves.append((before, event, standing))
    return found, moves


def probing(standing: Standing, until: datetime) -> Standing:
    """One worker looks; nobody else does until then."""
    state = after(TRANSITIONS, standing.state, BreakerEvent.PROBED)
    return replace(standing, state=state, probe_until=until)


def at_rest(standing: Standing, event: BreakerEvent) -> Standing:
    """Closed by the event, with nothing left of its trouble but the last answer."""
    return replace(
        standing,
        state=after(TRANSITIONS, standing.state, event),
        cause=None,
        failures=0,
        first_failure_at=None,
        opened_at=None,
        probes=0,
        probe_at=None,
        probe_until=None,
    )


def pause_s(standing: Standing, rules: BreakerRules) -> float:
    """Seconds until the next probe: growing, and up to a quarter less by the target's own draw."""
    draw = int.from_bytes(sha256(f"{standing.key}|{standing.probes}".encode()).digest()[:4]) / 2**32
    return min(rules.longest_pause_s, rules.first_pause_s * 2.0 ** min(standing.probes, 20)) * (1 - draw / 4)


def _concerned(sign: Sign) -> list[Key]:
    system, target = sign.key
    keys = [sign.key] if target != WHOLE and sign.said not in {Said.AWAY, Said.NOT_ADMITTED} else []
    if sign.said is not Said.ASKED_TO_WAIT or target == WHOLE:
        keys.append((system, WHOLE))
    if sign.probe is not None and sign.probe not in keys:
        keys.append(sign.probe)
    return keys


def _witnesses(standings: Mapping[Key, Standing], key: Key) -> int | None:
    """How many targets failed since this system's trouble began; None for what is no system with targets."""
    whole = standings.get(key)
    if key[1] != WHOLE or whole is None or whole.first_failure_at is None:
        return None
    return sum(
        1
        for each in standings.values()
        if each.system == key[0]
        and each.target != WHOLE
        and each.first_failure_at is not None
        and each.first_failure_at >= whole.first_failure_at
    )


def _after(
    before: Standing, sign: Sign, now: datetime, rules: BreakerRules, witnesses: int | None
) -> tuple[Standing, BreakerEvent | None]:
    if sign.said is Said.ASKED_TO_WAIT:
        return _asked_to_wait(before, sign, now, rules)
    if sign.said is Said.ALIVE:
        if before.state is not BreakerState.CLOSED:
            # What they asked for before is over with what they took.
            wait_until = None if sign.probe == before.key else before.wait_until
            return replace(at_rest(before, BreakerEvent.HEALED), wait_until=wait_until), BreakerEvent.HEALED
        return replace(before, failures=0, first_failure_at=None), None
    return _failed(before, sign, now, rules, witnesses)


def _asked_to_wait(
    before: Standing, sign: Sign, now: datetime, rules: BreakerRules
) -> tuple[Standing, BreakerEvent | None]:
    """As long as they ask, up to a limit. Beyond it a person sees it, and one call looks now and then."""
    looks_at = now + timedelta(seconds=min(sign.wait_s, rules.longest_asked_s))
    waiting = replace(before, wait_until=max(looks_at, before.wait_until or now))
    looked = before.state is not BreakerState.CLOSED and sign.probe == before.key
    if sign.wait_s <= rules.longest_asked_s:
        if looked:
            healed = replace(at_rest(waiting, BreakerEvent.HEALED), wait_until=looks_at)
            return healed, BreakerEvent.HEALED
        return waiting, None
    stands_open = replace(
        waiting, cause=ASKED_FOR_LONG, last_answer=sign.answer or before.last_answer, probe_at=looks_at
    )
    if before.state is BreakerState.HALF_OPEN and looked:
        event = BreakerEvent.PROBE_FAILED
        probes = before.probes + 1
        state = after(TRANSITIONS, before.state, event)
        return replace(stands_open, state=state, probes=probes, probe_until=None), event
    if before.state is BreakerState.CLOSED:
        event = BreakerEvent.TRIPPED
        return replace(
            stands_open, state=after(TRANSITIONS, before.state, event), opened_at=now, probes=0
        ), event
    return waiting, None


def _failed(
    before: Standing, sign: Sign, now: datetime, rules: BreakerRules, witnesses: int | None
) -> tuple[Standing, BreakerEvent | None]:
    said = replace(before, last_answer=sign.answer or before.last_answer)
    if before.state is BreakerState.HALF_OPEN and sign.probe == before.key:
        failed = replace(
            said,
            state=after(TRANSITIONS, before.state, BreakerEvent.PROBE_FAILED),
            cause=NO_ANSWER if before.cause == ASKED_FOR_LONG else before.cause,
            probes=before.probes + 1,
            probe_until=None,
        )
        due = now + timedelta(seconds=pause_s(failed, rules))
        return replace(failed, probe_at=due), BreakerEvent.PROBE_FAILED
    if before.state is not BreakerState.CLOSED:
        return said, None
    begun = before.first_failure_at
    fresh = begun is None or now - begun > timedelta(seconds=rules.within_s)
    counted = replace(
        said, failures=1 if fresh else before.failures + 1, first_failure_at=now if fresh else begun
    )
    if not _trips(counted, sign, rules, witnesses):
        return counted, None
    opened = replace(
        counted,
        state=after(TRANSITIONS, before.state, BreakerEvent.TRIPPED),
        cause=NOT_KNOWN_TO_THEM if sign.said is Said.NOT_ADMITTED else NO_ANSWER,
        opened_at=now,
        probes=0,
    )
    due = now + timedelta(seconds=pause_s(opened, rules))
    return replace(opened, probe_at=due), BreakerEvent.TRIPPED


def _trips(counted: Standing, sign: Sign, rules: BreakerRules, witnesses: int | None) -> bool:
    if sign.said is Said.NOT_ADMITTED:
        # A wrong key is no bad luck: another call only makes them lock us out.
        return True
    if counted.failures < rules.failures:
        return False
    speaks_for_all = counted.target != WHOLE or sign.said is Said.AWAY or sign.key[1] == WHOLE
    return speaks_for_all or (witnesses or 0) >= rules.witnesses
