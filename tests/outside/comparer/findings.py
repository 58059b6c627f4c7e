"""What the comparer found: four counts, and a line for each of the first fifty of every count."""

from dataclasses import dataclass, field
from typing import Any

COUNTS = ("lost", "doubled", "unexpected", "silent")
DETAILS_PER_COUNT = 50


@dataclass
class Findings:
    """The four counts of design §5, and what stands behind them."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    details: list[dict[str, str]] = field(default_factory=list)

    def add(self, count: str, what: str, key: str, why: str) -> None:
        """Counts one finding. ``key`` names business by its numbers, never a person."""
        self.counts[count] += 1
        if self.counts[count] <= DETAILS_PER_COUNT:
            self.details.append({"count": count, "what": what, "key": key, "why": why})

    def absent(self, what: str, key: str, why: str) -> None:
        """Counts something owed that is neither there nor accounted for here: lost, and in silence."""
        self.add("lost", what, key, why)
        self.add("silent", what, key, why)

    def as_json(self) -> dict[str, Any]:
        """The counts and details as the output holds them."""
        return {**self.counts, "details": self.details}
