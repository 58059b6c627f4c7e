"""One row: a city of its own that is lived through, struck, healed, drained and counted from outside."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
from psycopg.rows import dict_row

from adapters.stack.plan import Plan, Ports
from adapters.stack.processes import Program
from adapters.stack.simulators import Clock
from adapters.stack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
AT_TEN = timedelta(hours=10)
SHORT = {"SHENGUAN_CALL_DEADLINE_S": "1.5", "SHENGUAN_LEASE_S": "4"}
COUNTS = ("lost", "doubled", "unexpected", "silent")
SYSTEMS = ("platform", "credit", "sms")
HASTE_S = 40
"""How long a mutant's row may go on: what it did wrong is counted, that it does not end is no proof."""
OPEN_STATES = ("leased", "intent", "unknown")


class NotQuiet(AssertionError):  # noqa: N818 - named as the finding it is
    """Something went on, or did not end, in the time it was given."""


class Row:
    """The city, its programs and what is found. A row's function acts on it from outside only.

    ``hit`` is how often the fault struck; ``held_allowed`` how many sends were in flight at the
    injections; ``problems`` are sentences, each of which fails the row.
    """

    def __init__(
        self,
        entry,
        folder: Path,
        *,
        seed: int,
        cases: int,
        size: float = 1.0,
        long: bool = False,
        haste: bool = False,
    ):
        self.entry, self.folder, self.seed, self.cases, self.size = entry, folder, seed, cases, size
        self.long, self.haste = long, haste
        self.hit = 0
        self.held_allowed = 0
        self.others_allowed = 0
        self.kinds: Counter[str] = Counter()
        self.matches: Counter[str] = Counter()
        self.problems: list[str] = []
        self.misses: list[str] = []
        """What did not strike as it should: such a row fails, and proves nothing of a mutant."""
        self.unended = False
        """In haste it came to no end: what is not done yet proves nothing."""
        self.notes: dict = {}
        self.drained_s = None
        self.drain_rate = None
        self.reread_s = 0
        self.patience_s = 60
        """How long PostgreSQL is waited for."""
        self.window_days = 8 if size >= 1 else 14
        """So many days one poll may read together: the clock does not wait for a struck worker's round."""
        self._healed_at = None
        self._rules: dict[str, list[dict]] = {}
        # Our programs run the tree this row runs on, which may be a mutant's.
        settings = {**SHORT, **entry.settings, "PYTHONPATH": str(Path.cwd())}
        self.plan = Plan(
            folder=folder,
            project=Path.cwd(),
            ports=Ports.free(),
            seed=seed,
            cases=cases,
            worker=entry.prefect,
            dispatcher=False,
            fresh=True,
            prefect=entry.prefect,
            second_gateway=entry.second_gateway,
            given=settings,
        )
        self.stack = _WorldStack(self)
        self.now = None

    def times(self, count: int) -> int:
        """``count`` in ``make faults``, less in the fast part, never less than one."""
        return max(1, round(count * self.size))

    @property
    def least(self) -> int:
        """How often the fault must strike, at this size and in a city as small as this."""
        if not self.entry.least:
            return 0
        share = min(1.0, self.cases / self.entry.cases) if self.size < 1 else 1.0
        return max(1, int(self.entry.least * self.size * share))

    # The city

    def no_end(self, why: str):
        """It did not come to its end in its time."""
        self.unended = self.haste
        (self.misses if self.haste else self.problems).append(why)

    def begin(self):
        """The world's first morning; the city's list and its liaisons are in the ledger."""
        self.world = json.loads((self.stack.simulators.world / "world.json").read_text(encoding="utf-8"))
        self.begins = datetime.fromisoformat(self.world["begins"])
        self.ends = datetime.fromisoformat(self.world["ends"])
        asyncio.run(self._load_city())
        self._days = self._working_days()
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

        While something is due a day lasts up to five times as long: a business clock that runs away
        from the workers would make everything late, which is no fault of theirs.
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
        self.set_clock(now)
        time.sleep(each_s)
        end = time.monotonic() + 4 * each_s
        while time.monotonic() < end and self.patiently(
            lambda: self.rows(_STATE, {"texts": False})[0]["busy"]
        ):
            time.sleep(0.1)

    def rest(self, *, every: int | None = None, each_s: float = 0.4, patience_s: float = 90):
        """Live to the end of the world, some working days at a step, and be quiet there."""
        every = every or (2 if self.size >= 1 else 5)
        while self.days(every, every=every, each_s=each_s):
            pass
        self.wait_quiet(patience_s)

    # Programs

    def dispatcher(self, name="dispatcher", *, wrap=(), env=None) -> psutil.Process:
        """A real `shenguan dispatch` that is at work, below ``wrap`` (faketime) if given."""
        program = Path(sys.executable).with_name("shenguan")
        before = self.patiently(lambda: self.value(_SESSIONS))
        self.start(name, [*wrap, str(program), "dispatch", "--rest-s", "0.05"], env=env)
        process = self.process(name)
        self.until(lambda: self.patiently(lambda: self.value(_SESSIONS)) > before, 60, f"{name} works")
        return process

    def start(self, name: str, argv, *, env=None):
        """A program of this row's own; ends with it."""
        environment = {**self.stack.environment(), **(env or {})}
        self.stack.supervisor.start(Program(name, argv, environment))

    def process(self, name: str, *, patience_s=10) -> psutil.Process:
        """The program itself, not its launcher."""
        launcher = psutil.Process(self.stack.supervisor.pid(name))
        return self.until(lambda: next(iter(launcher.children()), None), patience_s, f"{name} runs")

    def stop(self, *names: str):
        for name in names:
            self.stack.supervisor.stop(name)

    def stop_ours(self):
        """Ends every worker; the outside, the listener and the ledger stay."""
        outside = [f"sim-{system}" for system in self.plan.simulated]
        kept = ("listener", "postgres-will", "prefect-server", *outside)
        for name in list(self.stack.supervisor._running):
            if name not in kept:
                self.stop(name)

    def kill(self, name: str):
        """SIGKILL to a program and to all below it."""
        process = self.process(name)
        for each in [process, *process.children(recursive=True)]:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
        self.until(lambda: not self.stack.supervisor.is_alive(name), 10, f"{name} is dead")
        self.stop(name)

    def command(self, *words: str, timeout: float = 300, env=None) -> subprocess.CompletedProcess:
        """A command of ours beside the stack."""
        from config.surroundings import child_environment

        environment = {**self.stack.environment(), **(env or {})}
        program = Path(sys.executable).with_name("shenguan")
        return subprocess.run(
            [str(program), *words],
            env=child_environment(environment, runtime_dir=self.folder / "xdg"),
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def down(self, *systems: str):
        """These systems refuse every connection from now on."""
        for system in systems:
            self.stop(f"sim-{system}")

    def up(self, *systems: str):
        """They are there again, with the time of now and no fault."""
        simulators = self.stack.simulators
        for system in systems:
            self.stack.supervisor.start(simulators._program(system))
        simulators.wait(self.stack.supervisor)
        simulators.set_clock(self.now, rate=0)
        for system in systems:
            simulators.set_faults(system, self._rules.get(system, []))

    # What the simulators do wrong

    def faults(self, system: str, *rules: dict):
        """The system fails by these rules, beside those it has."""
        self._note_hits(system)
        self._rules.setdefault(system, []).extend(
            {"seed": self.seed + number, **rule} for number, rule in enumerate(rules)
        )
        self.stack.simulators.set_faults(system, self._rules[system])

    def heal(self):
        """No system fails any more; what they struck is counted. From here the drain is measured."""
        for system in list(self._rules):
            self._note_hits(system)
            self._rules[system] = []
            self.stack.simulators.set_faults(system, [])
        self._healed_at = time.monotonic()

    def note_hits(self):
        """Count what was struck so far: a system that ends forgets its counts."""
        for system, rules in self._rules.items():
            self._note_hits(system)
            self.stack.simulators.set_faults(system, rules)

    def _note_hits(self, system: str):
        if not self._rules.get(system):
            return
        for rule in self.stack.simulators.fault_hits(system):
            self.hit += rule["hits"]
            self.kinds[f"{system} {rule['do']['kind']}"] += rule["hits"]
            self.matches.update(dict.fromkeys(rule["match"].values(), rule["hits"]))

    # The ledger, as anybody with its password sees it

    def rows(self, sql: str, values=()) -> list[dict]:
        with psycopg.connect(self.url, row_factory=dict_row, connect_timeout=5) as conn:
            conn.read_only = True
            return conn.execute(sql, values).fetchall()

    def value(self, sql: str, values=()):
        (found,) = self.rows(sql, values)
        return next(iter(found.values()))

    def change(self, sql: str, values=()):
        with psycopg.connect(self.url, connect_timeout=5) as conn:
            conn.execute(sql, values)

    @property
    def url(self) -> str:
        return self.stack.cluster.url("superuser", "shenguan")

    def patiently(self, act, *, patience_s=None):
        """Do it as soon as PostgreSQL is there."""
        end = time.monotonic() + (patience_s or self.patience_s)
        while True:
            try:
                return act()
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def until(self, ready, patience_s: float, what: str):
        """What ``ready`` gives, as soon as it gives something."""
        end = time.monotonic() + patience_s
        while not (found := ready()):
            if time.monotonic() > end:
                raise NotQuiet(f"not within {patience_s:.0f} s: {what}")
            time.sleep(0.05)
        return found

    def feed_has(self, case_no: str) -> bool:
        """Whether the platform has served something of this case."""
        return f'"case_no":"{case_no}"' in self.stack.simulators.feed("platform").read_text(encoding="utf-8")

    def open_texts(self) -> int:
        """Texts in flight now: what an injection at this moment may leave held."""
        return self.value("SELECT count(*) FROM effects WHERE channel = 'sms' AND state = 'intent'")

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


class _WorldStack(Stack):
    """A stack whose world the row may change before the simulators read it."""

    def __init__(self, row):
        super().__init__(row.plan)
        self._row = row

    def _make_world(self):
        super()._make_world()
        if self._row.entry.world is not None:
            self._row.entry.world(self.simulators.world, self._row)


_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^shenguan'"
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
_DONE = (
    "SELECT count(*) FROM effects WHERE state IN ('accepted', 'delivered', 'undelivered', 'refused', 'held',"
    " 'superseded')"
)
