"""What the doctor says: one line for each thing looked at."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["fine", "attention", "bad"]
LEVEL_NAMES: dict[Level, str] = {"fine": "好", "attention": "注意", "bad": "坏"}
_WORST: tuple[Level, ...] = ("fine", "attention", "bad")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, what was found, and what to do (empty when it is fine)."""

    level: Level
    what: str
    said: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was looked at, in its order."""

    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 all fine, 1 something needs attention, 2 something is broken."""
        return max((_WORST.index(each.level) for each in self.findings), default=0)


def fine(what: str, said: str) -> Finding:
    """Nothing to do."""
    return Finding("fine", what, said)


def attention(what: str, said: str, todo: str) -> Finding:
    """It works, and somebody should look."""
    return Finding("attention", what, said, todo)


def bad(what: str, said: str, todo: str) -> Finding:
    """It does not work."""
    return Finding("bad", what, said, todo)
