"""Every case as a run in Prefect: a picture of the ledger, written beside the work.

The mirror is a projection. It writes each case's latest state only, in groups; what it cannot write
now stays to be shown, and what somebody deletes, cancels or retries over there is drawn again.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any
from uuid import UUID

from adapters.prefect_api.client import MOVE_LIMIT, PrefectApi
from adapters.prefect_api.values import RUNS_KEPT, NewRun, PrefectSaidNo, State, StateType
from models.domain.errors import NotDone, OutcomeUnknown, Unreadable
from models.ledger.connection import Ledger
from models.ledger.queries import mirror, showing
from models.ledger.queries.showing import Lag, Shown
from tasks.mirror.run_words import failure_of

MIRROR_TAG = "镜像"
"""Marks runs that no engine executes: who looks for runs that hang leaves them alone."""

KEY = "case:"
"""What the key of a case's run begins with; the case's id follows."""

CODES_STAY: Mapping[str, str] = MappingProxyType({})
"""Names of regions by code where nobody gives any: the codes are shown."""
_QUIET_S = 2.0
_PART = 40
"""Runs made by one call, half a second of the server's: it is never long in the work's way."""
_AWAY = (NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo)


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What one pass did. ``behind`` cases still wait, the longest for ``lag_s`` seconds.

    ``reachable`` is False when Prefect did not answer as it should; then the rest waits. ``hurried``:
    the ledger's work goes first. ``lines`` of timelines were written, ``lines_behind`` pages lack some.
    """

    created: int
    moved: int
    behind: int
    lag_s: float
    reachable: bool
    lines: int = 0
    lines_behind: int = 0
    hurried: bool = False

    @classmethod
    def waiting(cls, lag: Lag) -> "Mirrored":
        """Nothing was done, for it is another's turn."""
        return cls(0, 0, lag.cases, lag.seconds, reachable=True, lines_behind=lag.lines_cases)


@dataclass(frozen=True, slots=True)
class Due:
    """A case, what its run should show, and what it was last shown."""

    case_id: UUID
    case_no: str
    name: str
    tags: tuple[str, ...]
    wanted: State
    shown: tuple[str | None, str | None]
    flow_run_id: UUID | None
    dirty_since: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any], regions: Mapping[str, str] = CODES_STAY) -> "Due":
        """Out of a row of ``queries.mirror.dirty``; ``regions`` are names by code."""
        kind: StateType = row["wanted_type"]
        tags = (row["item_name"], row["department"], regions.get(row["region"], row["region"]), MIRROR_TAG)
        return cls(
            row["case_id"],
            row["case_no"],
            f"{row['case_no']} · {row['item_name']}",
            tuple(tag for tag in tags if tag),
            State(kind, row["wanted_name"], failure_of(row)),
            (row["shown"], row["message"]),
            row["flow_run_id"],
            row["dirty_since"],
        )

    @property
    def is_shown(self) -> bool:
        """Whether its run says so already, as far as we remember."""
        return self.shown == (self.wanted.name, self.wanted.message)

    @property
    def parameters(self) -> dict[str, str]:
        """What the run is executed with when somebody clicks Retry."""
        return {"case_no": self.case_no}

    @property
    def key(self) -> str:
        """What the run is made and found again with."""
        return f"{KEY}{self.case_id}"

    def new_run(self) -> NewRun:
        """The run to write where there is none."""
        return NewRun(self.key, self.name, self.wanted, self.parameters, self.tags)


async def never() -> bool:
    """A pass that gives way to nothing."""
    return False


async def mirror_cases(
    ledger: Ledger,
    prefect: PrefectApi,
    *,
    deployment_id: UUID,
    regions: Mapping[str, str] = CODES_STAY,
    limit: int = 500,
    hurried: bool = False,
    gives_way: Callable[[], Awaitable[bool]] = never,
) -> Mirrored:
    """Shows up to ``limit`` cases that have moved, the longest waiting first.

    Safe to repeat and to run beside itself: a run is found again by its case's key, and a case that
    moves meanwhile stays to be shown. ``hurried`` leaves those that have moved a moment ago: they will
    move again. ``gives_way`` is asked before each call that writes some dozens of runs; what is left then
    is the next pass's.
    """
    async with ledger.reading() as conn:
        due = [
            Due.of(row, regions)
            for row in await mirror.dirty(conn, limit, quiet_s=_QUIET_S if hurried else 0)
        ]
    work = _Pass(ledger, prefect, deployment_id, gives_way)
    reachable = False
    with suppress(*_AWAY):
        await work.create([one for one in due if one.flow_run_id is None])
        await work.move([one for one in due if one.flow_run_id is not None])
        reachable = True
    async with ledger.reading() as conn:
        lag = await showing.lag(conn)
    return Mirrored(work.created, work.moved, lag.cases, lag.seconds, reachable, lines_behind=lag.lines_cases)


async def redraw_all(ledger: Ledger) -> int:
    """Marks every case to be shown anew, whatever the mirror remembers; how many they are.

    Those that were over before Prefect's server let their runs go are left.
    """
    async with ledger.writing() as conn:
        return await showing.show_all_again(conn, closed_days=RUNS_KEPT.days)


@dataclass
class _Pass:
    """One pass; what was shown is noted group by group, so that a break costs one group."""

    ledger: Ledger
    prefect: PrefectApi
    deployment_id: UUID
    gives_way: Callable[[], Awaitable[bool]]
    created: int = field(default=0)
    moved: int = field(default=0)

    async def create(self, due: Sequence[Due]) -> None:
        for part in _parts(due, _PART):
            if await self.gives_way():
                return
            made = await self.prefect.create_runs(self.deployment_id, [one.new_run() for one in part])
            states = await self.prefect.run_states(made.values())
            fresh: list[tuple[Due, UUID]] = []
            for one in part:
                run = states.get(made[one.key]) if one.key in made else None
                if run is None:
                    continue  # not written; it stays to be shown
                if run.state == one.wanted:
                    fresh.append((one, run.flow_run_id))
                elif await self.prefect.move_runs([run.flow_run_id], one.wanted):
                    fresh.append((one, run.flow_run_id))  # it was there: our memory of it was lost
            await self._note(fresh)
            self.created += len(fresh)

    async def move(self, due: Sequence[Due]) -> None:
        await self._note([(one, one.flow_run_id) for one in due if one.is_shown])
        groups: dict[State, list[Due]] = defaultdict(list)
        for one in due:
            if not one.is_shown:
                groups[one.wanted].append(one)
        for state, group in groups.items():
            for part in _parts(group, MOVE_LIMIT):
                if await self.gives_way():
                    return
                await self._move_part(state, part)

    async def _move_part(self, state: State, part: Sequence[Due]) -> None:
        by_run = {one.flow_run_id: one for one in part if one.flow_run_id is not None}
        moved = await self.prefect.move_runs(by_run, state)
        await self._note([(by_run[run], run) for run in moved])
        self.moved += len(moved)
        left = by_run.keys() - moved
        if not left:
            return
        there = await self.prefect.run_states(left)
        gone = [by_run[run] for run in left if run not in there]  # the others: an engine is at work
        if gone:
            async with self.ledger.writing() as conn:
                await showing.forget_runs(conn, [one.case_id for one in gone])
            await self.create(gone)

    async def _note(self, shown: Sequence[tuple[Due, UUID | None]]) -> None:
        rows = [
            Shown(one.case_id, run, one.wanted.name, one.wanted.message, one.dirty_since)
            for one, run in shown
            if run
        ]
        if rows:
            async with self.ledger.writing() as conn:
                await showing.mark_shown(conn, rows)


def _parts(values: Sequence[Due], size: int) -> Iterator[list[Due]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
