"""What became of each row of a file: admitted, repeated, or in front of a person."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from tasks.imports.lines import ImportFile

_STOPPED = frozenset({"quarantined", "parked"})
_UNKNOWN_ITEM = "unknown_item"

Outcomes = Mapping[UUID, tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The sums of one file: ``rows == admitted + repeated + quarantined + secret + waiting``.

    ``repeated`` are rows the ledger knew before, or that stand in the file twice; ``still_quarantined``
    says how many of these still lie with a person. ``secret`` rows were refused and only counted.
    ``waiting`` is 0 unless the steps could not be run to their end. ``by_rule`` and
    ``first_line_of_rule`` are about ``quarantined`` and ``still_quarantined`` together.
    """

    file: str
    mapping: str
    rows: int
    admitted: int
    repeated: int
    quarantined: int
    secret: int
    waiting: int
    still_quarantined: int
    by_rule: dict[str, int]
    first_line_of_rule: dict[str, int]
    seconds: float

    @property
    def adds_up(self) -> bool:
        """Whether every row is accounted for."""
        parts = (self.admitted, self.repeated, self.quarantined, self.secret, self.waiting)
        return self.rows == sum(parts)


def report_of(file: ImportFile, before: Outcomes, after: Outcomes, seconds: float) -> ImportReport:
    """The report of a file from what the inbox knew of its rows before the import and after it."""
    counts: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    first: dict[str, int] = {}
    seen: set[UUID] = set()
    for line in file.lines:
        outcome, reason = after.get(line.id, ("secret", None))
        known = line.id in before or line.id in seen
        stopped = outcome in _STOPPED
        if stopped and line.id not in seen:
            rule = _rule(outcome, reason)
            rules[rule] += 1
            first.setdefault(rule, line.line_no)
            counts["still_quarantined"] += line.id in before
        seen.add(line.id)
        counts["repeated" if known else _place(outcome)] += 1
    return ImportReport(
        file=file.path.name,
        mapping=file.mapping.name,
        rows=len(file.lines),
        admitted=counts["admitted"],
        repeated=counts["repeated"],
        quarantined=counts["quarantined"],
        secret=counts["secret"],
        waiting=counts["waiting"],
        still_quarantined=counts["still_quarantined"],
        by_rule=dict(rules.most_common()),
        first_line_of_rule=first,
        seconds=seconds,
    )


def _place(outcome: str) -> str:
    if outcome in {"waiting", "secret"}:
        return outcome
    return "quarantined" if outcome in _STOPPED else "admitted"


def _rule(outcome: str, reason: str | None) -> str:
    if outcome == "parked":
        return _UNKNOWN_ITEM
    # Behind a colon stands the one thing this row is about.
    return (reason or outcome).partition(":")[0]
