"""A city's life: its first morning, day after day by a business clock that waits for the workers."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from adapters.stack.simulators import Clock
from tests.faults.seen import NotQuiet, Seen

AT_TEN = timedelta(hours=10)
HASTE_S = 40
"""How long a mutant's row may go on: what it did wrong is counted, that it does not end is no proof."""
CATCH_UP_S = 60
"""How long the clock waits for workers that fell behind; while a fault lasts, a tenth of it."""


class Living(Seen):
    """The business clock of a row, and what waits for the work of its days."""

    def begin(self):
        """The world's first morning; the city's list and its liaisons are in the ledger."""
        self.world = json.loads((self.stack.simulators.world / "world.json").read_text(encoding="utf-8"))
        self.begins = datetime.fromisoformat(self.world["begins"])
        self.ends = datetime.fromisoformat(self.world["ends"])
        asyncio.run(self._load_city())
        self._days = self._working_days()
        self._caught_up_at = self.begins
        self.set_clock(self.begins)

    async def _load_city(self):
        from tasks.city_loading import load_city_into
        from tasks.composition import open_services

        people = json.loads((self.stack.simulators.world / "liaisons.json").read_text(encoding="utf-8"))
        async with open_services(self.stack.settings) as services:
            self.calendar = services.calendar
            await load_city_into(services.ledger, services.sealing, services.city, people)

    def _working_days(self) -> Iterator[datetime]:
        from models.domain.workdays import business_day, start_of_day

        day, last = business_day(self.begins), business_day(self.ends) + timedelta(days=3)
        while day <= last:
            if self.calendar.is_working(day) or day > business_day(self.ends):
                yield max(self.begins, start_of_day(day) + AT_TEN)
            day += timedelta(days=1)

    def set_clock(self, business: datetime):
        """It is this business time for us and for all others, and it stands."""
        self.now = business
        alive = self.stack.supervisor.is_alive
        running = [system for system in self.plan.simulated if alive(f"sim-{system}")]
        clock = Clock(datetime.now(UTC), business, 0)
        for system in running:
            self.stack.simulators._tell_clock(system, clock)
        self.patiently(lambda: self.change(_SET_CLOCK, (business,)))

    def days(self, count: int, *, each_s: float = 0.4, every: int = 1) -> int:
        """Live that many working days, ``each_s`` machine seconds on each; how many were left to live.

        While something is due a day lasts up to five times as long, and nothing stays due for longer
        than the window, as long as somebody works at all: a business clock that runs away from the
        workers would make everything late, which is no fault of theirs.
        """
        lived = 0
        for number, now in enumerate(self._days, start=1):
            if number % every == 0:
                self._live_on(now, each_s)
            lived = number
            if number >= count:
                break
        if lived and lived % every:
            self.set_clock(now)
        return lived

    def _live_on(self, now: datetime, each_s: float):
        if each_s and now - self._caught_up_at > timedelta(days=self.window_days):
            self._catch_up()
        self.set_clock(now)
        time.sleep(each_s)
        self._caught_up_within(4 * each_s)

    def _catch_up(self):
        """The clock stands until nothing of its days is due; while a fault lasts, not for ever."""
        healed = self._healed_at is not None
        patience_s = CATCH_UP_S if healed else CATCH_UP_S / 10
        if self._caught_up_within(patience_s):
            return
        self.notes["days_not_waited_for"] = self.notes.get("days_not_waited_for", 0) + 1
        if healed:
            raise NotQuiet(f"for {self.window_days} days of business something stayed due: {self._due()}")
        # What the fault itself keeps due is not waited for again on each of its days.
        self._caught_up_at = self.now

    def catch_up(self, patience_s: float = 45):
        """The clock stands until what one fault kept due is done, before the next one strikes."""
        self._caught_up_within(patience_s)

    def _caught_up_within(self, patience_s: float) -> bool:
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if not self.patiently(lambda: self.rows(_STATE, {"texts": False})[0]["busy"]):
                self._caught_up_at = self.now
                return True
            time.sleep(0.1)
        return False

    def rest(self, *, every: int | None = None, each_s: float = 0.4, patience_s: float = 90):
        """Live to the end of the world, some working days at a step, and be quiet there."""
        every = every or (2 if self.size >= 1 else 5)
        while self.days(every, every=every, each_s=each_s):
            pass
        self.wait_quiet(patience_s)

    def read_once_more(self, patience_s: float = 75):
        """Until the long second reading has gone over all that there is, and what it found is done."""
        since = datetime.now(UTC)
        self.until(lambda: self.value(_READ_SINCE, (since,)), patience_s, "every feed is read once more")
        self.wait_quiet(patience_s)

    def wait_quiet(self, patience_s: float, *, rounds: int = 4, texts_too: bool = False):
        """Nothing is due and nothing moves. A text of unknown outcome waits for its hour, not for us."""
        end = time.monotonic() + patience_s
        before, still = None, 0
        while still < rounds:
            state = self.patiently(lambda: self.rows(_STATE, {"texts": texts_too})[0])
            busy = state.pop("busy")
            still = still + 1 if not busy and state == before else 0
            before = state
            if time.monotonic() > end:
                raise NotQuiet(f"still {busy} due after {patience_s:.0f} s: {self._due()}")
            time.sleep(0.25)
        self._caught_up_at = self.now

    def _due(self):
        return [tuple(row.values()) for row in self.rows(_DUE)][:8]

    def measure_drain(self, *, patience_s: float = 180):
        """How long after the healing nothing was due any more, and how many effects came to an end in it."""
        begun = self._healed_at or time.monotonic()
        done = self.value(_DONE)
        self.wait_quiet(min(patience_s, HASTE_S) if self.haste else patience_s)
        self.drained_s = round(time.monotonic() - begun - 1.0, 1)
        ended = self.value(_DONE) - done
        self.drain_rate = round(ended / max(self.drained_s, 0.1), 1)


_SET_CLOCK = (
    "INSERT INTO business_clock (id, anchor_machine, anchor_business, rate)"
    " VALUES (1, clock_timestamp(), %s, 0) ON CONFLICT (id) DO UPDATE SET"
    " anchor_machine = EXCLUDED.anchor_machine, anchor_business = EXCLUDED.anchor_business, rate = 0"
)
_BUSINESS = (
    "COALESCE((SELECT anchor_business + (clock_timestamp() - anchor_machine) * rate::double precision"
    " FROM business_clock), clock_timestamp())"
)
_OPEN = (
    "(state IN ('leased', 'intent') OR state IN ('planned', 'unknown') AND send_after <= " + _BUSINESS + ")"
)
_STATE = (
    "SELECT (SELECT count(*) FROM effects WHERE " + _OPEN + " AND (%(texts)s OR channel <> 'sms'"
    " OR state <> 'unknown')) + (SELECT count(*) FROM inbox WHERE outcome = 'waiting'"
    " AND kind <> 'sms_receipt') AS busy,"
    " (SELECT count(*) FROM inbox) AS inbox, (SELECT count(*) FROM effects) AS effects,"
    " (SELECT count(*) FROM effects WHERE state IN ('accepted', 'delivered')) AS done"
)
_DUE = (
    "SELECT channel, state, reason, attempts, deaths, count(*) FROM effects WHERE " + _OPEN + " GROUP BY 1,"
    " 2, 3, 4, 5 UNION ALL SELECT kind, outcome, NULL, attempts, NULL, count(*) FROM inbox"
    " WHERE outcome = 'waiting' GROUP BY 1, 2, 4"
)
_READ_SINCE = "SELECT bool_and(trailing_at > %s) FROM watermarks"
_DONE = (
    "SELECT count(*) FROM effects WHERE state IN ('accepted', 'delivered', 'undelivered', 'refused', 'held',"
    " 'superseded')"
)
