"""How everything stands, in the words people read, with the ledger's codes beside them."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class BusinessClock:
    """``rate`` business seconds a machine second; ``real`` where business time is machine time."""

    machine: datetime
    business: datetime
    rate: float
    real: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is on its way: of one kind, in one state, for one reason. Machine time."""

    what: str
    name: str
    state: str
    reason: str
    count: int
    since: datetime
    next_try: datetime | None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A refused or held effect: a person ends it. Due in business time."""

    own_id: str
    channel: str
    case_no: str | None
    target: str
    state: str
    reason: str
    answer: str
    owner: str
    due_at: datetime
    overdue: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """Records, incidents or news in front of a person, grouped. ``key`` is a rule, a code or a section."""

    kind: str
    key: str
    message: str
    count: int
    owner: str
    due_at: datetime
    overdue: bool


@dataclass(frozen=True, slots=True)
class FeedRead:
    """When a feed was last read to its end, and how long ago, in seconds of machine time."""

    source: str
    feed: str
    name: str
    read_at: datetime
    age_s: float


@dataclass(frozen=True, slots=True)
class Completeness:
    """The newest day that was reconciled with a system; ``rate`` is None where nothing of ours was there.

    Texts have no look-up: theirs are the receipts that came.
    """

    system: str
    name: str
    day: date
    ours: int
    agreed: int
    unexplained: int
    rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceTold:
    """Leaves with a place in the tree and without, how long the oldest waits, when the last round was."""

    sealed: int
    unsealed: int
    waits_s: float
    sealed_at: datetime | None
    age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything at one moment. Counts by state; effects by channel, then state.

    ``mirror_behind`` cases wait to be shown in Prefect, ``mirror_lines_behind`` for lines of their timeline;
    what showing has cost is counted since the ledger began.
    """

    clock: BusinessClock
    cases: dict[str, int]
    handovers: dict[str, int]
    effects: dict[str, dict[str, int]]
    waiting: tuple[Waiting, ...]
    refused: int
    held: int
    stopped: tuple[Stopped, ...]
    quarantine: tuple[Findings, ...]
    incidents: tuple[Findings, ...]
    no_phone: tuple[Findings, ...]
    dispatching: tuple[Findings, ...]
    feeds: tuple[FeedRead, ...]
    evidence: EvidenceTold
    mirror_behind: int
    mirror_lag_s: float
    mirror_lines_behind: int
    mirror_lines_lag_s: float
    mirror_runs_made: int
    mirror_runs_moved: int
    mirror_lines_written: int
    mirror_api_calls: int
    senders_locked: bool
    completeness: tuple[Completeness, ...]
    provisional_years: tuple[int, ...]
    overdue: dict[str, int]

    @property
    def overdue_total(self) -> int:
        """How many of what stands in front of a person are past their day."""
        return sum(self.overdue.values())
