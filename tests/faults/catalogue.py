"""Every row by its number: what it is called, how many cases it takes, and the least it must strike."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BASELINE = 0
"""The row without a fault."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    number: int
    title: str
    run: Callable[[Any], None]
    cases: int
    least: int
    needs: tuple[str, ...] = ()
    prefect: bool = False
    second_gateway: bool = False
    patience_s: int = 300
    alone: bool = False
    """Nothing runs beside it: its figures are times, or its workers must come to a line in seconds."""
    settings: dict[str, str] = field(default_factory=dict)
    world: Callable[[Any, Any], None] | None = None


ROWS: dict[int, Entry] = {}


def row(number: int, title: str, *, least: int, cases: int = 40, **more: Any) -> Any:
    """Enter the function below as this row.

    ``least`` is how often the fault must really strike. ``needs`` names programs of the machine without
    which the row cannot run. ``settings`` are SHENGUAN_* beside those of every row.
    """

    def enter(run: Callable[[Any], None]) -> Callable[[Any], None]:
        assert number not in ROWS, number
        ROWS[number] = Entry(number=number, title=title, run=run, cases=cases, least=least, **more)
        return run

    return enter
