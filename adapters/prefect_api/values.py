"""What is said to Prefect and heard from it, as plain values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from models.domain.errors import ShenguanError

StateType = Literal["RUNNING", "FAILED", "COMPLETED", "CANCELLED", "PENDING", "SCHEDULED"]

RUNS_KEPT = timedelta(days=90)
"""How long our server keeps runs that have ended; what is over longer is not drawn again."""

ENGINE_STATES = (
    "Scheduled",
    "Late",
    "AwaitingRetry",
    "AwaitingConcurrencySlot",
    "Pending",
    "Submitting",
    "InfrastructurePending",
    "Running",
    "Retrying",
    "Paused",
    "Suspended",
    "Resuming",
    "Cancelling",
)
"""Names of states under which an engine, a worker or a person is at a run: the mirror waits."""


@dataclass(frozen=True, slots=True)
class State:
    """What a run shows: Prefect's type drives colour and filters, the Chinese name is what people read."""

    type: StateType
    name: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is written, not executed. The same ``key`` never makes a second one."""

    key: str
    name: str
    state: State
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as Prefect has it now. ``key`` is the one it was made with."""

    flow_run_id: UUID
    name: str
    state: State | None
    since: datetime | None
    key: str | None
    tags: frozenset[str] = frozenset()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def is_labelled(self, name: str, tags: Collection[str], parameters: Mapping[str, Any]) -> bool:
        """Whether it has this name, these parameters, and these tags; people may have added others."""
        return self.name == name and set(tags) <= self.tags and self.parameters == parameters


@dataclass(frozen=True, slots=True)
class Table:
    """An artifact as Prefect has it now."""

    flow_run_id: UUID | None
    data: str
    description: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line on a run's log page. ``level`` is Python's: 20 information, 30 warning, 40 error."""

    flow_run_id: UUID
    at: datetime
    message: str
    level: int = 20
    logger: str = "shenguan"


class PrefectSaidNo(ShenguanError):  # noqa: N818 - named as the finding it is
    """Prefect answered, and not as asked. ``detail`` is its own sentence, shortened."""

    def __init__(self, route: str, status: int, detail: str) -> None:
        super().__init__(route, status, detail)
        self.route, self.status, self.detail = route, status, detail

    def __str__(self) -> str:
        return f"Prefect {self.route}: {self.status} {self.detail}"
