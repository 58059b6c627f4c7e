"""Find the runs that show something else than the ledger, or are gone: Cancel, Delete, what is set by hand.

Three looks, from cheap to thorough: states nobody but us may leave behind; how many runs there are of
what should be; and one run after the other, a few a time, round and round.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from adapters.prefect_api.client import READ_LIMIT, PrefectApi
from adapters.prefect_api.values import ENGINE_STATES, RUNS_KEPT, LogLine, RunState
from models.ledger.connection import Ledger
from models.ledger.queries import mirror, showing
from models.ledger.queries.mirror import NAMES_BY_TYPE, STATE_NAMES
from tasks.mirror.runs import CODES_STAY, KEY, Due

_AT_WORK = {
    # An engine comes to an end within minutes, and a worker picks up what is scheduled. An hour without an
    # end is what housekeeping calls hanging.
    **dict.fromkeys(ENGINE_STATES, timedelta(hours=1)),
    # No step of ours pauses, and nobody answers a Cancel of a run that only mirrors.
    **dict.fromkeys(("Cancelling", "Paused", "Suspended"), timedelta(seconds=20)),
}
_CLOSED = NAMES_BY_TYPE["COMPLETED"]
_OPEN = tuple(name for name in STATE_NAMES if name not in _CLOSED)
_FULL_PAUSE_S = 600.0
"""A full look that found nothing is not made again so soon, whatever the numbers say."""


@dataclass
class Auditor:
    """Looks again and again; remembers how far it has come."""

    ledger: Ledger
    regions: Mapping[str, str] = field(default_factory=lambda: CODES_STAY)
    after: UUID | None = None
    full_looked: float | None = None

    async def look(self, prefect: PrefectApi, deployment_id: UUID) -> int:
        """One look; how many cases will be drawn again because of it.

        Raises:
            NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo: Prefect did not answer as it should.
        """
        strayed = await self.look_for_strayed(prefect, deployment_id)
        if await self._numbers_differ(prefect, deployment_id):
            found = await self.look_at_all(prefect)
            self.full_looked = None if found else time.monotonic()
            return strayed + found
        return strayed + await self.look_at_some(prefect)

    async def look_for_strayed(self, prefect: PrefectApi, deployment_id: UUID) -> int:
        """Runs in a state that is none of ours, or of another type than the name says."""
        runs = list(await prefect.strayed_runs(deployment_id, shown=STATE_NAMES))
        for kind, names in NAMES_BY_TYPE.items():
            others = [name for name in STATE_NAMES if name not in names]
            runs += await prefect.runs_in(deployment_id, state_type=kind, names=others)
        found = [UUID(run.key.removeprefix(KEY)) for run in runs if run.key and run.key.startswith(KEY)]
        if not found:
            return 0
        async with self.ledger.writing() as conn:
            return await showing.show_again(conn, found)

    async def look_at_some(self, prefect: PrefectApi) -> int:
        """The next few runs, one by one."""
        async with self.ledger.reading() as conn:
            known = await showing.known(conn, after=self.after, limit=READ_LIMIT, closed_days=_closed_days())
            rows = await mirror.wanted(conn, known)
        self.after = max(known) if len(known) == READ_LIMIT else None
        return await self._compare(prefect, rows)

    async def look_at_all(self, prefect: PrefectApi) -> int:
        """Every run, from the first to the last."""
        self.after = None
        found = await self.look_at_some(prefect)
        while self.after is not None:
            found += await self.look_at_some(prefect)
        return found

    async def _numbers_differ(self, prefect: PrefectApi, deployment_id: UUID) -> bool:
        """Whether fewer runs are there than should be, where the mirror is not behind anyway."""
        if self.full_looked is not None and time.monotonic() - self.full_looked < _FULL_PAUSE_S:
            return False
        async with self.ledger.reading() as conn:
            if (await showing.lag(conn)).cases:
                return False
            counts = await showing.shown_counts(conn, closed_days=_closed_days())
        at_work = await prefect.count_runs(deployment_id, state_names=ENGINE_STATES)
        still_open = await prefect.count_runs(deployment_id, state_names=_OPEN)
        closed = await prefect.count_runs(deployment_id, state_names=_CLOSED)
        ours_closed = sum(counts.get(name, 0) for name in _CLOSED)
        ours_open = sum(counts.get(name, 0) for name in _OPEN)
        return still_open + at_work < ours_open or still_open + at_work + closed < ours_open + ours_closed

    async def _compare(self, prefect: PrefectApi, rows: Sequence[Mapping[str, Any]]) -> int:
        known = [Due.of(row, self.regions) for row in rows]
        due = [one for one in known if one.flow_run_id is not None]
        there = await prefect.run_states([one.flow_run_id for one in due if one.flow_run_id is not None])
        gone: list[UUID] = []
        wrong: list[UUID] = []
        mended = 0
        for one in due:
            run = there.get(one.flow_run_id) if one.flow_run_id is not None else None
            if run is None:
                gone.append(one.case_id)
                continue
            if not run.is_labelled(one.name, one.tags, one.parameters):
                await prefect.relabel_run(
                    run.flow_run_id,
                    name=one.name,
                    tags=sorted({*run.tags, *one.tags}),
                    parameters=one.parameters,
                )
                mended += 1
            if run.state == one.wanted:
                continue
            if is_hanging(run):
                # also one that is to be shown anyway: the mirror spares it as long as it looks at work
                if moved := await prefect.move_runs([run.flow_run_id], one.wanted, sparing=()):
                    await prefect.write_logs([_taken_back(run)])
                mended += len(moved)
            elif one.dirty_since is not None:
                continue
            elif run.state is None or run.state.name not in ENGINE_STATES:
                wrong.append(one.case_id)
        if gone or wrong:
            async with self.ledger.writing() as conn:
                await showing.forget_runs(conn, gone)
                await showing.show_again(conn, wrong)
        return len(gone) + len(wrong) + mended


def is_hanging(run: RunState) -> bool:
    """Whether an engine's state has lasted longer than any engine is at work."""
    if run.state is None or run.since is None or run.state.name not in _AT_WORK:
        return False
    return datetime.now(UTC) - run.since > _AT_WORK[run.state.name]


def _taken_back(run: RunState) -> LogLine:
    """What the run's page says of it: whoever clicked looks there for what became of the click."""
    assert run.state is not None
    begun = run.state.name in {"Running", "Retrying", "Resuming"}
    why = "执行它的进程没有做完" if begun else "没有进程来执行"
    said = f"这里显示“{run.state.name}”已过了时限，{why}，现恢复为台账中的状态"
    todo = "如仍须重试，请确认 worker 在运行，再点 Retry"
    return LogLine(run.flow_run_id, datetime.now(UTC), f"{said}。{todo}", level=30)


def _closed_days() -> int:
    # a margin, for Prefect's own clean-up begins before ours counts the day as over
    return RUNS_KEPT.days - 5
