"""What a run of real records comes to, and whether it is fine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from tasks.imports.report import ImportReport

COUNTS = ("lost", "doubled", "unexpected", "silent")
OTHER_QUARANTINE = 0.01
_ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class RealSummary:
    """Both reports, the outside comparer's four counts, and what the ledger holds.

    ``orphans`` are inspections that name no licence; ``other_quarantine`` is the share of all rows
    that lies with a person for another reason. ``handled`` are the ledger's own counts.
    """

    cases: ImportReport
    feedback: ImportReport
    orphans: int
    other_quarantine: float
    lost: int
    doubled: int
    unexpected: int
    silent: int
    can_settle: int
    settled: int
    handled: dict[str, int | float | None]
    seconds: float

    @classmethod
    def of(
        cls,
        cases: ImportReport,
        feedback: ImportReport,
        verdict: Mapping[str, Any],
        *,
        counts: Mapping[str, Any],
        seconds: float,
    ) -> Self:
        """The summary of two reports and the comparer's verdict."""
        orphans = feedback.by_rule.get(_ORPHAN, 0)
        stopped = sum(cases.by_rule.values()) + sum(feedback.by_rule.values()) - orphans
        return cls(
            cases=cases,
            feedback=feedback,
            orphans=orphans,
            other_quarantine=round(stopped / max(1, cases.rows + feedback.rows), 6),
            can_settle=verdict["can_settle"],
            settled=verdict["settled"],
            handled=dict(counts),
            seconds=seconds,
            **{name: verdict[name] for name in COUNTS},
        )

    @property
    def fine(self) -> bool:
        """Whether every row is accounted for and nothing was lost, doubled, unasked or silent."""
        return (
            self.cases.adds_up
            and self.feedback.adds_up
            and not self.cases.waiting + self.feedback.waiting
            and self.other_quarantine <= OTHER_QUARANTINE
            and not any((self.lost, self.doubled, self.unexpected, self.silent))
        )

    def lines(self) -> Iterator[str]:
        """The summary for people."""
        yield f"无主检查 {self.orphans} 条交人处理；其余隔离占全部行的 {self.other_quarantine:.4%}"
        yield f"丢失 {self.lost}，重复 {self.doubled}，多发 {self.unexpected}，无声 {self.silent}"
        yield f"可闭环 {self.can_settle} 件，已闭环 {self.settled} 件；共 {self.seconds} 秒"
