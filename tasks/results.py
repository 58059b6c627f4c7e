"""What short commands print when they are done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CityLoaded:
    """``reopened`` records that were parked for an item wait for their turn again."""

    reopened: int


@dataclass(frozen=True, slots=True)
class StatementWritten:
    """Our own account: how many lines, in which file."""

    lines: int
    file: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A supervised process that was told to stop, and how long it ran."""

    command: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A stack that stands: the lines that say where to look."""

    where: tuple[str, ...]
