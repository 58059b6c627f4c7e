"""The outside systems as local programs, and the controls only a demo has over them."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from adapters.stack.processes import Program, Supervisor
from adapters.stack.ready import answers, ask
from adapters.stack.secrets import Secrets

System = Literal["platform", "credit", "sms", "sms2"]
SYSTEMS: tuple[System, ...] = ("platform", "credit", "sms")

GATEWAYS = frozenset({"sms", "sms2"})
"""They post receipts; a second one is there only where it is asked for."""

KEY_ID = "shenguan"
"""Who we are to the simulated platform and credit system."""
SMS_ACCOUNT = "shenguan-ap"

_START_TIMEOUT = 60.0


@dataclass(frozen=True)
class Clock:
    """Business time as anchors and a rate; rate 0 stands still."""

    anchor_machine: datetime
    anchor_business: datetime
    rate: float


class Simulators:
    """Simulators below ``folder/sim``, one process each; those that are not in ``ports`` are real.

    Their ledgers are ``sim/{platform,credit,sms}.jsonl``, what they have served
    ``sim/{…}.feed.jsonl``, the world they play ``world/``.
    """

    def __init__(self, folder: Path, ports: Mapping[System, int], secrets: Secrets, *, listener: str) -> None:
        self.folder = folder / "sim"
        self.world = folder / "world"
        self.ports = dict(ports)
        self._secrets = secrets
        self._listener = listener
        self._clock: Clock | None = None

    def url(self, system: System) -> str:
        """The simulator's base address."""
        return f"http://127.0.0.1:{self.ports[system]}"

    def ledger(self, system: System) -> Path:
        """What it has stored, one effect a line."""
        return self.folder / f"{system}.jsonl"

    def feed(self, system: System) -> Path:
        """What it has served, one record a line, at its first time."""
        return self.folder / f"{system}.feed.jsonl"

    def settings(self) -> dict[str, str]:
        """Our side of the wires: addresses and credentials as SHENGUAN_* settings."""
        given: dict[str, str] = {}
        for system in self.ports:
            name = f"SHENGUAN_{system.upper()}"
            given[f"{name}_URL"] = self.url(system)
            if system == "sms2":
                given |= {
                    f"{name}_KIND": "aliyun",
                    f"{name}_KEY_ID": SMS_ACCOUNT,
                    f"{name}_KEY_SECRET": self._secrets[system],
                    f"{name}_SIGN_NAME": "审管联动演示",
                    f"{name}_TEMPLATE": "SMS_1",
                }
            elif system == "sms":
                given |= {
                    f"{name}_KIND": "yunmas",
                    f"{name}_EC_NAME": "审管联动演示",
                    f"{name}_AP_ID": SMS_ACCOUNT,
                    f"{name}_SECRET_KEY": self._secrets["sms"],
                    f"{name}_SIGN": "SHENGUAN",
                }
            else:
                given |= {f"{name}_KEY_ID": KEY_ID, f"{name}_SECRET": self._secrets[system]}
        return given

    def launch(self, supervisor: Supervisor) -> None:
        """Starts them; the world is there already. ``wait`` says when they answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for system in self.ports:
            supervisor.start(self._program(system))

    def wait(self, supervisor: Supervisor) -> None:
        """Returns when all answer.

        Raises:
            ProgramEnded: one did not start.
        """
        for system in self.ports:
            ready = partial(answers, f"{self.url(system)}/_sim/health")
            supervisor.wait_for(f"sim-{system}", ready, timeout=_START_TIMEOUT)

    def set_clock(self, business: datetime, *, rate: float) -> Clock:
        """All simulators' business time is ``business`` from now on; what was set, to set ours alike."""
        self._clock = Clock(datetime.now(UTC), business, rate)
        for system in self.ports:
            self._tell_clock(system, self._clock)
        return self._clock

    def keep_clock(self, clock: Clock) -> None:
        """Tells a clock that was set elsewhere, such as the ledger's, to all simulators."""
        self._clock = clock
        for system in self.ports:
            self._tell_clock(system, clock)

    def tend(self) -> None:
        """Sets the clock of a simulator that has been started again; it woke with the machine's time."""
        if self._clock is None:
            return
        for system in self.ports:
            try:
                shown = ask(f"{self.url(system)}/_sim/health")["business_now"]
            except OSError:
                continue  # it is just starting; the next look finds it
            elapsed = (datetime.now(UTC) - self._clock.anchor_machine).total_seconds() * self._clock.rate
            expected = self._clock.anchor_business.timestamp() + elapsed
            if abs(datetime.fromisoformat(shown).timestamp() - expected) > 2 + self._clock.rate:
                self._tell_clock(system, self._clock)

    def set_faults(self, system: System, rules: Sequence[Mapping[str, Any]]) -> None:
        """The simulator fails by these rules from now on; none: it never fails."""
        self._control(system, "faults", list(rules))

    def fault_hits(self, system: System) -> Any:
        """How often each rule has struck."""
        return ask(f"{self.url(system)}/_sim/faults", headers=self._control_header())

    def _tell_clock(self, system: System, clock: Clock) -> None:
        body = {
            "anchor_machine": clock.anchor_machine.isoformat(),
            "anchor_business": clock.anchor_business.isoformat(),
            "rate": clock.rate,
        }
        self._control(system, "clock", body)

    def _control(self, system: System, what: str, body: Any) -> None:
        ask(f"{self.url(system)}/_sim/{what}", body=body, headers=self._control_header())

    def _control_header(self) -> dict[str, str]:
        return {"X-Sim-Control": self._secrets["sim_control"]}

    def _program(self, system: System) -> Program:
        keys = self._secrets.file(
            f"sim-{system}-keys",
            json.dumps({SMS_ACCOUNT if system in GATEWAYS else KEY_ID: self._secrets[system]}),
        )
        kind = "sms-aliyun" if system == "sms2" else system
        argv = [sys.executable, "-m", "adapters.sandbox", kind, f"--port={self.ports[system]}"]
        argv += [f"--world={self.world.resolve()}", f"--ledger={self.ledger(system).resolve()}"]
        argv += [f"--feed={self.feed(system).resolve()}", f"--keys={keys.resolve()}"]
        if system in GATEWAYS:
            argv.append(f"--listener={self._listener}")
        environment = {
            "SIM_CONTROL": self._secrets["sim_control"],
            "SIM_LISTENER_SECRET": self._secrets["listener"],
        }
        return Program(f"sim-{system}", argv, environment, restart=True, grace=5)
