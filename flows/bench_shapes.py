"""What measurements write: the figures of ``shenguan bench``, for ``--json`` and its schemas."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds: the median, the tail, and how many they are."""

    n: int
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Rest:
    """What a dispatcher used before a phase began: a share of one core, transactions of the ledger."""

    worker_cpu_share: float
    transactions_per_s: float


@dataclass(frozen=True, slots=True)
class Engine:
    """Prefect during a phase: whether it answered, cases shown before and at the end, and what it then owed.

    ``caught_up_s`` from the end of the phase until every case was shown; the server is started again
    first where it was stopped.
    """

    engine: str
    answered: bool
    shown_before: int
    shown_at_the_end: int
    behind_at_the_end: int
    caught_up_s: float


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: cases published, and what the simulators' stamps say of them.

    95 of 100 were promised within ``promised_s``; nothing was where it is null.
    """

    cases: int
    published_in_s: float
    promised_s: float | None
    load_average: float
    idle: Rest
    prefect: Engine
    pushed: int
    liaisons_told: int
    published_to_push_s: Spread
    published_to_first_text_s: Spread
    push_to_first_text_s: Spread


@dataclass(frozen=True, slots=True)
class Latency:
    """The first moment, by phase; ``missed`` says in Chinese what was promised and not kept."""

    cores: int
    phases: dict[str, Phase]
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """A steady stream of cases that move three times, and how far behind states and timelines ever were."""

    cases_per_s: float
    cases: int
    seconds: float
    behind_p50_s: float
    behind_p95_s: float
    behind_most_s: float
    lines_behind_most_s: float
    load_average: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """Cases that were all there at once, and what showing them took."""

    cases: int
    moves_a_case: int
    seconds: float
    s_per_1k_cases: float
    runs_written_per_s: float
    runs_made: int
    runs_moved: int
    lines: int
    api_calls_per_1k_cases: float
    prefect_cpu_s_per_1k_cases: float
    most_behind_s: float
    load_average: float


@dataclass(frozen=True, slots=True)
class Retained:
    """A retention's work: bytes before, when the rows were deleted, after VACUUM, and written anew."""

    bytes_before: int
    rows_due: int
    deleted_in_s: float
    bytes_deleted: int
    bytes_vacuumed: int
    bytes_written_anew: int
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Size:
    """Prefect's database with one kind of cases in it.

    ``ended_without_an_end`` are runs that ended at no known time: no retention would take them.
    """

    bytes: int
    rows: dict[str, int]
    bytes_by_table: dict[str, int]
    ended_without_an_end: int
    after_7_days: Retained
    after_90_days: Retained


@dataclass(frozen=True, slots=True)
class Sizes:
    """The same by what the cases did, and of a database in which nothing has happened."""

    one_move: Size
    six_moves: Size
    empty: int


@dataclass(frozen=True, slots=True)
class Idle:
    """What a whole stack writes into Prefect's database a minute where no case moves."""

    bytes_empty: int
    minutes: float
    sweeps: int
    bytes_a_minute: int
    rows_a_minute: dict[str, float]


@dataclass(frozen=True, slots=True)
class Year:
    """Prefect's database after a year of so many cases, worked out from the rest.

    ``bytes_if_nothing_ended``: where every case of the year is still open.
    """

    cases: int
    bytes_of_a_run: int
    bytes_of_its_events: int
    open_days: int
    runs_there: int
    bytes_of_runs: int
    bytes_of_events: int
    bytes_at_rest: int
    bytes: int
    bytes_if_nothing_ended: int


@dataclass(frozen=True, slots=True)
class Mirror:
    """The mirror's pace and what it leaves; ``missed`` says in Chinese what was promised and not kept."""

    cores: int
    stream: Stream
    six_at_once: Backlog
    one_move: Backlog
    six_shown: Backlog
    sizes: Sizes
    at_rest: Idle
    a_year: Year
    missed: tuple[str, ...]
