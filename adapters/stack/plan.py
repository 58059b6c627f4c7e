"""What a stack is to start, and where: said before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Self

from adapters.stack.ready import free_port, is_port_free
from adapters.stack.simulators import SYSTEMS, System
from models.domain.errors import ShenguanError


class PortTaken(ShenguanError):  # noqa: N818 - named as the finding it is
    """Somebody else listens where we must. ``taken`` maps what it is for to the port."""

    def __init__(self, taken: Mapping[str, int]) -> None:
        super().__init__(dict(taken))
        self.taken = dict(taken)

    def __str__(self) -> str:
        named = "、".join(f"{port}（{what}）" for what, port in self.taken.items())
        return f"端口已被占用：{named}。请先结束占用的程序，再重新启动"


@dataclass(frozen=True)
class Ports:
    """Loopback ports of everything that listens."""

    ui: int
    platform: int
    credit: int
    sms: int
    listener: int
    sms2: int = 4214

    @classmethod
    def fixed(cls) -> Self:
        """Where people and neighbours expect the standing stack."""
        return cls(ui=4200, platform=4211, credit=4212, sms=4213, listener=4221)

    @classmethod
    def free(cls) -> Self:
        """Ports nobody uses now."""
        ports: set[int] = set()
        while len(ports) < len(cls.__dataclass_fields__):
            ports.add(free_port())
        return cls(*sorted(ports))

    def assert_free(self, *, second_gateway: bool = False) -> None:
        """Nobody listens there; the second gateway's port only counts where there is one.

        Raises:
            PortTaken: naming every port that is in use.
        """
        names = {
            "ui": "界面",
            "platform": "平台仿真",
            "credit": "信用仿真",
            "sms": "短信仿真",
            "listener": "回执",
        }
        if second_gateway:
            names["sms2"] = "备用短信仿真"
        taken = {what: port for name, what in names.items() if not is_port_free(port := getattr(self, name))}
        if taken:
            raise PortTaken(taken)


@dataclass(frozen=True)
class Plan:
    """One stack.

    ``given`` are the person's own SHENGUAN_* settings: they win over ours, a system whose URL is
    among them is real and gets no simulator, and with a DATABASE_URL the ledger lives there.
    ``schedules`` lets deployments start by themselves. ``renew`` drops what a stack with another
    seed or number of cases left in the folder; without it the world that is there stays;
    ``fresh`` drops it in any case.
    ``city_root`` holds the city's folder where that is not config/. Without ``prefect`` there is no
    server, and no worker or dispatcher either. With ``quiet_since`` the simulated systems begin
    nothing of their own, and the city's liaisons are in office from that day. ``second_gateway`` starts
    a simulator of a second SMS gateway.
    """

    folder: Path
    project: Path
    ports: Ports
    seed: int
    cases: int
    city: str = "yiyang"
    given: Mapping[str, str] = field(default_factory=dict)
    worker: bool = True
    dispatcher: bool = True
    listener: bool = True
    schedules: bool = True
    renew: bool = False
    fresh: bool = False
    city_root: Path | None = None
    prefect: bool = True
    quiet_since: date | None = None
    second_gateway: bool = False

    @property
    def city_folder(self) -> Path:
        """The folder of the city's files."""
        return (self.city_root or self.project / "config") / self.city

    @property
    def simulated(self) -> tuple[System, ...]:
        """The systems that are not real."""
        systems: tuple[System, ...] = (*SYSTEMS, "sms2") if self.second_gateway else SYSTEMS
        return tuple(system for system in systems if f"SHENGUAN_{system.upper()}_URL" not in self.given)

    @property
    def all_simulated(self) -> bool:
        """Whether nobody outside is real, a second gateway included: only then may business time run fast."""
        return not any(f"SHENGUAN_{system.upper()}_URL" in self.given for system in (*SYSTEMS, "sms2"))

    @property
    def own_ledger(self) -> bool:
        """Whether the ledger is in the embedded PostgreSQL."""
        return "SHENGUAN_DATABASE_URL" not in self.given


def demo_plan(project: Path, *, seed: int, cases: int, second_gateway: bool = False) -> Plan:
    """The demo: below ``var/demo``, free ports, its own clock; nothing from outside comes in."""
    return Plan(
        folder=project / "var" / "demo",
        project=project,
        ports=Ports.free(),
        seed=seed,
        cases=cases,
        worker=False,
        dispatcher=False,
        schedules=False,
        renew=True,
        second_gateway=second_gateway,
    )


def up_plan(
    project: Path, *, seed: int, cases: int, given: Mapping[str, str], second_gateway: bool = False
) -> Plan:
    """The standing stack: below ``var/up``, fixed ports, everything on."""
    return Plan(
        folder=project / "var" / "up",
        project=project,
        ports=Ports.fixed(),
        seed=seed,
        cases=cases,
        city=given.get("SHENGUAN_CITY", "yiyang"),
        given=given,
        second_gateway=second_gateway,
    )
