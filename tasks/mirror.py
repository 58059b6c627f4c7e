"""Every case as a run in Prefect: a picture of the ledger, written beside the work.

The mirror is a projection. It writes each case's latest state only, in groups; what it cannot write
now stays to be shown, and what somebody deletes, cancels or retries over there is drawn again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from adapters.prefect_api.client import CREATE_LIMIT, MOVE_LIMIT, PrefectApi
from adapters.prefect_api.values import NewRun, PrefectSaidNo, State, StateType
from models.domain.errors import NotDone, OutcomeUnknown, Unreadable
from models.ledger.connection import Ledger
from models.ledger.queries import mirror, showing
from models.ledger.queries.showing import Shown

MIRROR_TAG = "镜像"
"""Marks runs that no engine executes: who looks for runs that hang leaves them alone."""

_KEY = "case:"
_AWAY = (NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo)


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What one pass did. ``behind`` cases still wait, the longest for ``lag_s`` seconds.

    ``reachable`` is False when Prefect did not answer as it should; then the rest waits.
    """

    created: int
    moved: int
    behind: int
    lag_s: float
    reachable: bool


@dataclass(frozen=True, slots=True)
class _Due:
    case_id: UUID
    case_no: str
    name: str
    tags: tuple[str, ...]
    wanted: State
    shown: str | None
    flow_run_id: UUID | None
    dirty_since: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "_Due":
        kind: StateType = row["wanted_type"]
        tags = (row["item_name"], row["department"], row["region"], MIRROR_TAG)
        return cls(
            row["case_id"],
            row["case_no"],
            f"{row['case_no']} · {row['item_name']}",
            tuple(tag for tag in tags if tag),
            State(kind, row["wanted_name"]),
            row["shown"],
            row["flow_run_id"],
            row["dirty_since"],
        )

    @property
    def key(self) -> str:
        return f"{_KEY}{self.case_id}"

    def new_run(self) -> NewRun:
        return NewRun(self.key, self.name, self.wanted, {"case_no": self.case_no}, self.tags)


async def mirror_cases(
    ledger: Ledger, prefect: PrefectApi, *, deployment_id: UUID, limit: int = 500
) -> Mirrored:
    """Shows up to ``limit`` cases that have moved, the longest waiting first.

    Safe to repeat and to run beside itself: a run is found again by its case's key, and a case that
    moves meanwhile stays to be shown.
    """
    async with ledger.reading() as conn:
        due = [_Due.of(row) for row in await mirror.dirty(conn, limit)]
    work = _Pass(ledger, prefect, deployment_id)
    reachable = False
    with suppress(*_AWAY):
        await work.create([one for one in due if one.flow_run_id is None])
        await work.move([one for one in due if one.flow_run_id is not None])
        reachable = True
    async with ledger.reading() as conn:
        lag = await showing.lag(conn)
    return Mirrored(work.created, work.moved, lag.cases, lag.seconds, reachable)


async def restore_strayed(
    ledger: Ledger, prefect: PrefectApi, *, deployment_id: UUID, names: Collection[str]
) -> int:
    """Marks cases whose run shows none of the ``names`` we give, and where no engine is at work.

    That is what a Cancel, or a Retry that has ended, leaves behind. The next pass draws them again;
    the number of cases marked.
    """
    strayed = await prefect.strayed_runs(deployment_id, shown=names)
    found = [UUID(run.key.removeprefix(_KEY)) for run in strayed if run.key and run.key.startswith(_KEY)]
    if not found:
        return 0
    async with ledger.writing() as conn:
        return await showing.show_again(conn, found)


async def redraw_all(ledger: Ledger) -> int:
    """Marks every case to be shown anew, whatever the mirror remembers; how many they are."""
    async with ledger.writing() as conn:
        return await showing.show_all_again(conn)


@dataclass
class _Pass:
    """One pass; what was shown is noted group by group, so that a break costs one group."""

    ledger: Ledger
    prefect: PrefectApi
    deployment_id: UUID
    created: int = field(default=0)
    moved: int = field(default=0)

    async def create(self, due: Sequence[_Due]) -> None:
        for part in _parts(due, CREATE_LIMIT):
            made = await self.prefect.create_runs(self.deployment_id, [one.new_run() for one in part])
            states = await self.prefect.run_states(made.values())
            fresh: list[tuple[_Due, UUID]] = []
            for one in part:
                run = states.get(made[one.key]) if one.key in made else None
                if run is None:
                    continue  # not written; it stays to be shown
                if run.state is not None and run.state.name == one.wanted.name:
                    fresh.append((one, run.flow_run_id))
                elif await self.prefect.move_runs([run.flow_run_id], one.wanted):
                    fresh.append((one, run.flow_run_id))  # it was there: our memory of it was lost
            await self._note(fresh)
            self.created += len(fresh)

    async def move(self, due: Sequence[_Due]) -> None:
        await self._note([(one, one.flow_run_id) for one in due if one.shown == one.wanted.name])
        groups: dict[State, list[_Due]] = defaultdict(list)
        for one in due:
            if one.shown != one.wanted.name:
                groups[one.wanted].append(one)
        for state, group in groups.items():
            for part in _parts(group, MOVE_LIMIT):
                await self._move_part(state, part)

    async def _move_part(self, state: State, part: Sequence[_Due]) -> None:
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

    async def _note(self, shown: Sequence[tuple[_Due, UUID | None]]) -> None:
        rows = [Shown(one.case_id, run, one.wanted.name, one.dirty_since) for one, run in shown if run]
        if rows:
            async with self.ledger.writing() as conn:
                await showing.mark_shown(conn, rows)


def _parts(values: Sequence[_Due], size: int) -> Iterator[list[_Due]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
