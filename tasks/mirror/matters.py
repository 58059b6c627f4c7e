"""One run for each open matter: a dead target, an unknown item, a section without a phone.

However many cases wait behind it, the matter is one Failed run with a table of them; when it is over the
run is Completed, and the cases go on as they are.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.values import ENGINE_STATES, LogLine, NewRun, RunState, State, Table
from models.domain.reasons import reason_name
from models.ledger.connection import Ledger
from models.ledger.queries import matters
from models.ledger.queries.matters import MatterShown
from tasks.mirror.matter_words import name_of, sentence_of, tables_of
from tasks.mirror.runs import MIRROR_TAG

INCIDENT_DEPLOYMENT = "incident"
OPEN = "待处理"
OVER = State("COMPLETED", "已了结", "已了结，其后各件自动继续。")


@dataclass(frozen=True, slots=True)
class _Open:
    row: Mapping[str, Any]
    known: Mapping[str, Any]
    counted: str
    rows: Sequence[Mapping[str, str]]

    @property
    def state(self) -> State:
        return State("FAILED", OPEN, sentence_of(self.row))

    @property
    def table(self) -> str:
        return json.dumps(self.rows, ensure_ascii=False)

    @property
    def shown(self) -> str:
        return f"{self.state.name} {self.state.message}"

    @property
    def digest(self) -> str:
        return sha256(f"{self.counted} {self.table}".encode()).hexdigest()

    @property
    def table_key(self) -> str:
        return f"matter-{sha256(self.row['key'].encode()).hexdigest()[:12]}"

    @property
    def about(self) -> str:
        return f"**{name_of(self.row)}**：{self.counted}。{sentence_of(self.row)}"

    def is_as(self, table: Table | None, run_id: UUID | None) -> bool:
        """Whether the page in Prefect is this run's, and says what was written there last."""
        if table is None or table.flow_run_id != run_id:
            return False
        return self.known["message"] != self.digest or (table.data, table.description) == (
            self.table,
            self.about,
        )

    def new_run(self) -> NewRun:
        key = f"matter:{self.row['key']}:{self.known['opened_at'].isoformat()}"
        tags = ("事件", reason_name(self.row["kind"]), MIRROR_TAG)
        return NewRun(key, name_of(self.row), self.state, {"matter": self.row["key"]}, tags)


async def show_matters(
    ledger: Ledger, prefect: PrefectApi, *, deployment_id: UUID, tables: bool = True
) -> int:
    """Draws every open matter and ends what is over; how many are open.

    ``tables``: those that have changed are written too; a new matter's always is.

    Safe to repeat. A run that somebody deleted, cancelled, ended or renamed is drawn again, and so is a table
    that was deleted or edited.

    Raises:
        NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo: the rest waits.
    """
    async with ledger.writing() as conn:
        rows = await matters.open_matters(conn)
        known = await matters.remember(conn, [row["key"] for row in rows])
        waiting = await tables_of(conn, rows)
    due = [_Open(row, known[row["key"]], *waiting[row["key"]]) for row in rows]
    there = await prefect.run_states([one["flow_run_id"] for one in known.values() if one["flow_run_id"]])
    drawn = await prefect.tables_of([one.table_key for one in due]) if tables else {}
    for one in due:
        stands = not tables or one.is_as(drawn.get(one.table_key), one.known["flow_run_id"])
        table = tables and (not stands or one.known["message"] != one.digest)
        await _show(ledger, prefect, deployment_id, one, there, table=table)
    await _end(
        ledger, prefect, [one for key, one in known.items() if key not in {row["key"] for row in rows}]
    )
    return len(due)


async def _show(
    ledger: Ledger,
    prefect: PrefectApi,
    deployment_id: UUID,
    one: _Open,
    there: Mapping[UUID, RunState],
    *,
    table: bool,
) -> None:
    run_id: UUID | None = one.known["flow_run_id"]
    run = there.get(run_id) if run_id is not None else None
    if run is None:
        made = await prefect.create_runs(deployment_id, [one.new_run()])
        run_id = made.get(one.new_run().key)
        if run_id is None:
            return  # not written; it stays to be shown
    elif run.state is not None and run.state.name in ENGINE_STATES:
        return  # somebody clicked Retry: an engine is at work
    if run is None or run.state != one.state:
        await prefect.move_runs([run_id] if run_id else [], one.state)
    if run is None and run_id is not None:
        # one that ends us between here and the note says it once more: it is no timeline
        sentence = f"{one.counted}。{sentence_of(one.row)}"
        await prefect.write_logs([LogLine(run_id, datetime.now(UTC), sentence, logging.ERROR)])
    new = one.new_run()
    if run is not None and not run.is_labelled(new.name, new.tags, new.parameters):
        await prefect.relabel_run(
            run.flow_run_id, name=new.name, tags=sorted({*run.tags, *new.tags}), parameters=new.parameters
        )
    table = table or run is None
    if table:
        await prefect.create_artifact(
            one.table_key, kind="table", data=one.table, description=one.about, flow_run_id=run_id
        )
    digest = one.digest if table else one.known["message"]
    if run_id is not None and (one.known["shown"], one.known["message"]) != (one.shown, digest):
        async with ledger.writing() as conn:
            await matters.mark_shown(conn, [MatterShown(one.row["key"], run_id, one.shown, digest)])


async def _end(ledger: Ledger, prefect: PrefectApi, over: Sequence[Mapping[str, Any]]) -> None:
    if not over:
        return
    runs = {one["flow_run_id"]: one["key"] for one in over if one["flow_run_id"]}
    moved = await prefect.move_runs(runs, OVER)
    there = await prefect.run_states(runs.keys() - moved)
    # one at which an engine is comes next time; one that is gone needs no end
    ended = [key for run, key in runs.items() if run in moved or run not in there]
    ended += [one["key"] for one in over if not one["flow_run_id"]]
    async with ledger.writing() as conn:
        await matters.mark_closed(conn, ended)
