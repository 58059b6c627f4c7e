"""The effect protocol as a small machine, every step of which may be the last before a fault.

Two workers, two contents of one business key (or two texts to one phone), a receiver, a network that
keeps a late request as long as it likes. The ledger moves by the product's own transition table, so
the model cannot say what the table does not. A fault costs one of a few; all else is free.
"""

from collections import deque
from typing import NamedTuple

from models.domain.lifecycles import after
from models.domain.lifecycles.effect import TRANSITIONS, UNRESOLVED, EffectEvent, EffectState

S, E = EffectState, EffectEvent
ABSENT = None
IDLE = ("idle", 0)


class Protocol(NamedTuple):
    """Ours, unless a field says otherwise. Each field is one way to be weaker."""

    name: str = "ours"
    deduplicates: bool = True
    foreign: bool = False
    """The receiver holds something of somebody else's under our first key."""
    lease: bool = True
    token: bool = True
    intent_first: bool = True
    repeat_unknown: str = "if_known_again"
    """Or ``always``; or ``if_asked``: after a look-up that finds nothing."""
    timeout_is_not_done: bool = False
    duplicate_is_success: bool = False
    doubt_stays: bool = True
    reconciles: bool = True


class Row(NamedTuple):
    """One effect in the ledger. ``holder`` is the worker whose token it carries, 0 nobody's."""

    state: EffectState | None
    holder: int = 0
    live: bool = False
    doubtful: bool = False


class World(NamedTuple):
    """Everything at one moment. A worker is (where it is, which effect, what it was answered)."""

    rows: tuple[Row, Row]
    workers: tuple[tuple, tuple]
    network: tuple[tuple[int, int], ...] = ()
    """Requests on their way: which effect, and the worker that still waits for the answer, or 0."""
    stored: tuple[int, ...] = (0, 0)
    refuses: tuple[bool, ...] = (False, False)
    """A refusal is final: the contracts promise that the same content is refused for ever."""
    dropped: bool = False
    """The receiver has lost a record after its receipt."""
    looked: int | None = None
    """The effect that we say is accepted and a look-up did not find; acted on only later."""
    faults: int = 3


def begin(protocol, faults):
    """One effect is planned; the other content does not exist yet."""
    return World((Row(S.PLANNED), Row(ABSENT)), (IDLE, IDLE), faults=faults)


def put(values, at, value):
    """The tuple with another value at this place."""
    return (*values[:at], value, *values[at + 1 :])


class Machine:
    """What can happen next, and what must never have happened."""

    def __init__(self, protocol):
        self.p = protocol

    def steps(self, w):
        """Every (what happens, the world after it, what is wrong with it)."""
        found = []
        for n in (1, 2):
            found += getattr(self, "_" + w.workers[n - 1][0])(w, n)
        for v in (0, 1):
            found += self._of_row(w, v)
        for request in sorted(set(w.network)):
            found += self._on_the_way(w, request)
        if w.rows[1].state is ABSENT:
            found.append(("a second content is planned", self._plan_second(w)))
        if w.faults:
            found += self._crashes(w)
        return [(what, after_it, self.wrong(w, after_it)) for what, after_it in found]

    def wrong(self, before, now):
        """The finding, if this step made one."""
        if not self.p.deduplicates and any(count > 1 for count in now.stored):
            return "doubled: one text reached the phone twice"
        # A receiver that loses records breaks its own promise, and with it the order of what is left.
        older = self.p.deduplicates and not now.dropped
        if older and now.stored[0] > before.stored[0] and now.stored[1]:
            return "doubled: the older content was stored after the newer"
        for v, row in enumerate(now.rows):
            if row.state in {S.ACCEPTED, S.DELIVERED} and not now.stored[v] and not now.dropped:
                return "lost: we say accepted, they do not have ours"
        return None

    def ended_well(self, w):
        """Nothing is on its way, and each effect is there, replaced by what is there, or a person's."""
        calm = w.workers == (IDLE, IDLE) and not w.network
        return calm and all(self._ended(w, v) for v in (0, 1))

    def _ended(self, w, v):
        state = w.rows[v].state
        if state in {S.ACCEPTED, S.DELIVERED}:
            return bool(w.stored[v])
        if state is S.SUPERSEDED:
            return v == 0 and w.rows[1].state is not ABSENT
        return state in {ABSENT, S.HELD, S.REFUSED}

    # a worker's way, one name a place it may stand at

    def _idle(self, w, n):
        for v in (0, 1):
            row, other = w.rows[v], w.rows[1 - v]
            known_again = self.p.deduplicates and self.p.repeat_unknown == "if_known_again"
            asked = self.p.repeat_unknown == "if_asked" and not w.stored[v]
            event = {S.PLANNED: E.LEASED, S.UNKNOWN: E.LEASED_TO_REPEAT}.get(row.state)
            may_repeat = known_again or asked or self.p.repeat_unknown == "always"
            if event is None or (row.state is S.UNKNOWN and not may_repeat) or other.state in UNRESOLVED:
                continue
            if not self.p.lease:
                yield f"worker {n} reads that {v + 1} is due", self._at(w, n, "leased", v)
                continue
            doubtful = self.p.doubt_stays and (row.doubtful or row.state is S.UNKNOWN)
            leased = Row(after(TRANSITIONS, row.state, event), n, True, doubtful)
            yield f"worker {n} leases {v + 1}", self._at(self._row(w, v, leased), n, "leased", v)

    def _leased(self, w, n):
        v = w.workers[n - 1][1]
        row = w.rows[v]
        if not self.p.intent_first:
            yield f"worker {n} goes to send {v + 1} without an intent", self._at(w, n, "cleared", v)
            return
        if not self.p.lease:
            intent = Row(S.INTENT, n, True)
            yield (
                f"worker {n} marks {v + 1} as being sent",
                self._at(self._row(w, v, intent), n, "cleared", v),
            )
            return
        mine = row.state is S.LEASED and (not self.p.token or (row.holder == n and row.live))
        if not mine:
            yield f"worker {n} finds its lease gone", self._row_free(w, n)
            return
        intent = row._replace(state=after(TRANSITIONS, row.state, E.INTENDED))
        yield f"worker {n} commits the intent of {v + 1}", self._at(self._row(w, v, intent), n, "intended", v)
        if w.faults:
            yield (
                f"the COMMIT's answer to worker {n} is lost",
                self._row_free(self._row(self._fault(w), v, intent), n),
            )

    def _intended(self, w, n):
        v = w.workers[n - 1][1]
        row = w.rows[v]
        if row.live and (row.holder == n or not self.p.token):
            yield f"worker {n} sees that its lease lasts", self._at(w, n, "cleared", v)
        else:
            yield f"worker {n} has no time left and sends nothing", self._at(w, n, "answered", v, E.NOT_DONE)

    def _cleared(self, w, n):
        v = w.workers[n - 1][1]
        sent = w._replace(network=tuple(sorted((*w.network, (v, n)))))
        yield f"worker {n} sends {v + 1}", self._at(sent, n, "waiting", v)
        if w.faults:
            yield f"worker {n} cannot connect", self._at(self._fault(w), n, "answered", v, E.NOT_DONE)

    def _waiting(self, w, n):
        v = w.workers[n - 1][1]
        if not w.faults:
            return
        said = E.NOT_DONE if self.p.timeout_is_not_done else E.OUTCOME_UNKNOWN
        late = self._without(self._fault(w), (v, n), (v, 0))
        yield f"worker {n} gives up; its request is still on the way", self._at(late, n, "answered", v, said)

    def _answered(self, w, n):
        _, v, event = w.workers[n - 1]
        row = w.rows[v]
        mine = not self.p.token or row.holder == n
        if self.p.intent_first and not (row.state is S.INTENT and mine):
            yield f"worker {n} finds its lease gone", self._row_free(w, n)
            return
        if not self.p.intent_first and row.state is S.LEASED and row.holder == n:
            row = row._replace(state=after(TRANSITIONS, row.state, E.INTENDED))
        if row.state is not S.INTENT:
            yield f"worker {n} finds its lease gone", self._row_free(w, n)
            return
        if event is E.NOT_DONE and row.doubtful:
            event = E.OUTCOME_UNKNOWN
        elif event is E.NOT_DONE and self._overtaken(w, v):
            event = E.OVERTAKEN
        done = self._row(w, v, Row(after(TRANSITIONS, row.state, event)))
        yield f"worker {n} records {event}", self._row_free(done, n)
        if w.faults:
            yield f"worker {n} records {event}, and must ask whether it did", self._fault(done)

    # what time, the network and the receiver do

    def _of_row(self, w, v):
        row = w.rows[v]
        if row.holder and row.live:
            asleep = any(
                place[:2] != IDLE and place[1] == v for place in w.workers[row.holder - 1 : row.holder]
            )
            if not asleep or w.faults:
                over = self._row(w, v, row._replace(live=False))
                yield f"the lease of {v + 1} runs out", self._fault(over) if asleep else over
        elif row.holder:
            yield f"{v + 1} is taken up from worker {row.holder}", self._row(w, v, Row(self._recovered(w, v)))
        if row.state is S.UNKNOWN and not self.p.deduplicates:
            yield f"{v + 1} is held for a person", self._row(w, v, Row(after(TRANSITIONS, row.state, E.HELD)))
        if not self.p.deduplicates and w.stored[v] and (row.state, E.DELIVERED) in TRANSITIONS:
            delivered = after(TRANSITIONS, row.state, E.DELIVERED)
            yield f"a receipt of {v + 1} comes", self._row(w, v, Row(delivered))
        if self.p.deduplicates and row.state is S.ACCEPTED and w.stored[v] and w.faults and not w.dropped:
            gone = self._fault(w)._replace(stored=put(w.stored, v, 0), dropped=True)
            yield f"the receiver loses {v + 1} after its receipt", gone
        if self.p.deduplicates and self.p.reconciles:
            yield from self._reconciled(w, v)

    def _reconciled(self, w, v):
        state = w.rows[v].state
        if w.stored[v] and (state, E.ADOPTED) in TRANSITIONS:
            yield (
                f"{v + 1} is found there and adopted",
                self._row(w, v, Row(after(TRANSITIONS, state, E.ADOPTED))),
            )
        if state is S.ACCEPTED and not w.stored[v] and w.looked is None:
            yield f"{v + 1} is not found there", w._replace(looked=v)
        if w.looked == v:
            seen = w._replace(looked=None)
            if state is S.ACCEPTED:
                event = E.OVERTAKEN if self._overtaken(w, v) else E.LOST_THERE
                seen = self._row(seen, v, Row(after(TRANSITIONS, state, event)))
            yield f"what was not found of {v + 1} is acted on", seen

    def _recovered(self, w, v):
        row = w.rows[v]
        if row.state is S.INTENT:
            return after(TRANSITIONS, row.state, E.OUTCOME_UNKNOWN)
        if row.doubtful:
            return after(TRANSITIONS, row.state, E.REPEAT_GIVEN_BACK)
        event = E.OVERTAKEN if self._overtaken(w, v) else E.LEASE_GIVEN_BACK
        return after(TRANSITIONS, row.state, event)

    def _on_the_way(self, w, request):
        v, waits = request
        gone = self._without(w, request)
        foreign = self.p.foreign and v == 0
        if foreign:
            said = E.ACCEPTED if self.p.duplicate_is_success else E.REFUSED
            there, told = gone, "is answered: a duplicate, of other content"
        elif w.refuses[v]:
            there, told, said = gone, "is refused again", E.REFUSED
        else:
            again = self.p.deduplicates and w.stored[v]
            there = gone if again else gone._replace(stored=put(w.stored, v, w.stored[v] + 1))
            said, told = E.ACCEPTED, "is stored already" if again else "is stored"
        if not waits:
            yield f"a late request of {v + 1} {told}", there
            yield f"a late request of {v + 1} is lost", gone
            return
        yield f"{v + 1} {told}", self._at(there, waits, "answered", v, said)
        if w.faults:
            unknown, faulty = E.OUTCOME_UNKNOWN, self._fault(there)
            yield f"{v + 1} {told}, and the answer is lost", self._at(faulty, waits, "answered", v, unknown)
            for event, what in ((unknown, "is lost"), (E.NOT_DONE, "is sent away: come later")):
                yield (
                    f"the request of {v + 1} {what}",
                    self._at(self._fault(gone), waits, "answered", v, event),
                )
            if not w.stored[v]:
                no = self._fault(gone)._replace(refuses=put(w.refuses, v, True))
                yield f"{v + 1} is refused", self._at(no, waits, "answered", v, E.REFUSED)

    def _crashes(self, w):
        for n in (1, 2):
            place, v = w.workers[n - 1][:2]
            if place == "idle":
                continue
            left = self._without(w, (v, n), (v, 0)) if place == "waiting" else w
            yield f"worker {n} dies", self._row_free(self._fault(left), n)

    def _plan_second(self, w):
        first = w.rows[0]
        if self.p.deduplicates and (first.state, E.SUPERSEDED) in TRANSITIONS:
            w = self._row(w, 0, Row(after(TRANSITIONS, first.state, E.SUPERSEDED)))
        return self._row(w, 1, Row(S.PLANNED))

    def _overtaken(self, w, v):
        return self.p.deduplicates and v == 0 and w.rows[1].state is not ABSENT

    # the world with one thing changed

    def _at(self, w, n, place, v, *answer):
        return w._replace(workers=put(w.workers, n - 1, (place, v, *answer)))

    def _row_free(self, w, n):
        return w._replace(workers=put(w.workers, n - 1, IDLE))

    def _row(self, w, v, row):
        return w._replace(rows=put(w.rows, v, row))

    def _fault(self, w):
        return w._replace(faults=w.faults - 1)

    def _without(self, w, request, instead=None):
        left = list(w.network)
        left.remove(request)
        return w._replace(network=tuple(sorted([*left, instead] if instead else left)))


class Explored(NamedTuple):
    """How many states there are, and the shortest way to a wrong one: its steps, the finding last."""

    states: int
    counterexample: list[str] | None


def explore(protocol, *, faults=3):
    """Look at every state that can come to be, the nearest first."""
    machine = Machine(protocol)
    start = begin(protocol, faults)
    came_from = {start: None}
    leads_to_here = {}
    waiting = deque([start])
    while waiting:
        now = waiting.popleft()
        for what, following, finding in machine.steps(now):
            if finding:
                return Explored(len(came_from), [*_way(came_from, now), what, finding])
            leads_to_here.setdefault(following, []).append(now)
            if following not in came_from:
                came_from[following] = (now, what)
                waiting.append(following)
    stuck = _never_ends_well(came_from, leads_to_here, machine)
    if stuck is not None:
        return Explored(len(came_from), [*_way(came_from, stuck), f"silent: {stuck} never ends well"])
    return Explored(len(came_from), None)


def _way(came_from, world):
    steps = []
    while came_from[world] is not None:
        world, what = came_from[world]
        steps.append(what)
    return steps[::-1]


def _never_ends_well(came_from, leads_to_here, machine):
    """The nearest state from which no way leads to a good end; None when there is none."""
    good = {world for world in came_from if machine.ended_well(world)}
    todo = list(good)
    while todo:
        for before in leads_to_here.get(todo.pop(), ()):
            if before not in good:
                good.add(before)
                todo.append(before)
    return next((world for world in came_from if world not in good), None)
