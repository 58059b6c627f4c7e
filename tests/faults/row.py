"""One row: a city of its own that is lived through, struck, healed, drained and counted from outside."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

from adapters.stack.plan import Plan, Ports
from adapters.stack.processes import Program
from adapters.stack.stack import Stack
from tests.faults.living import Living

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"SHENGUAN_CALL_DEADLINE_S": "1.5", "SHENGUAN_LEASE_S": "4"}
COUNTS = ("lost", "doubled", "unexpected", "silent")
SYSTEMS = ("platform", "credit", "sms")
OPEN_STATES = ("leased", "intent", "unknown")


class Row(Living):
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
        self.window_days = 8 if size >= 1 else 14
        """So many days may pass over what is not done yet; what else is the comparer's to say."""
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

    def no_end(self, why: str):
        """It did not come to its end in its time."""
        self.unended = self.haste
        (self.misses if self.haste else self.problems).append(why)

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
