"""Prefect's REST routes that write many runs at once, as its server 3.8.8 has them."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from adapters.prefect_api.values import (
    ENGINE_STATES,
    LogLine,
    NewRun,
    PrefectSaidNo,
    RunState,
    State,
    Table,
)
from adapters.prefect_api.wire import PrefectWire

CREATE_LIMIT = 100
MOVE_LIMIT = 50
READ_LIMIT = 200
LOG_LIMIT = 500
_CONFLICT = 409
_JOB_TEMPLATE = {"job_configuration": {"stream_output": True}, "variables": {"type": "object"}}

T = TypeVar("T")


class PrefectApi:
    """One Prefect server. Use as ``async with``; bound to the event loop it is used in.

    Nothing here is proof of anything: what it writes is a picture of the ledger, and may be written
    again. Every method may raise the transport's ``NotDone``, ``OutcomeUnknown`` and ``Unreadable``,
    and ``PrefectSaidNo``.
    """

    def __init__(self, api_url: str, *, auth: str | None = None) -> None:
        self._wire = PrefectWire(api_url, auth=auth)

    @property
    def calls(self) -> Counter[str]:
        """How often each route was called so far, by ``METHOD /path`` without ids."""
        return self._wire.calls

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.aclose()

    async def deployment_id(self, name: str) -> UUID | None:
        """The id of the deployment of this name, whatever its flow is called; None when there is none."""
        found = await self._wire.post("/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
        return UUID(found[0]["id"]) if found else None

    async def deployments(self) -> dict[str, UUID]:
        """Every deployment's id by its name."""
        found = await self._wire.post("/deployments/filter", {"limit": READ_LIMIT})
        return {row["name"]: UUID(row["id"]) for row in found}

    async def ensure_work_pool(self, name: str, *, description: str) -> None:
        """A process work pool of this name is there afterwards, with our template.

        The template declares no variables. With the worker's own, the server checks a JSON schema
        for every run it creates, which is two thirds of what a created run costs.
        """
        body = {"description": description, "base_job_template": _JOB_TEMPLATE}
        try:
            await self._wire.post("/work_pools/", {"name": name, "type": "process", **body})
        except PrefectSaidNo as said:
            if said.status != _CONFLICT:
                raise
            await self._wire.patch(f"/work_pools/{name}", body)

    async def pause_deployment(self, deployment_id: UUID, *, paused: bool) -> None:
        """Its schedules stand still, or run again; runs asked for by hand are not touched."""
        verb = "pause_deployment" if paused else "resume_deployment"
        await self._wire.post(f"/deployments/{deployment_id}/{verb}", {})

    async def create_runs(self, deployment_id: UUID, runs: Sequence[NewRun]) -> dict[str, UUID]:
        """The id of each run by its key; a key Prefect knows gives the run that is there, unmoved.

        Runs that Prefect could not write are missing in the answer.
        """
        made: dict[str, UUID] = {}
        for part in _parts(runs, CREATE_LIMIT):
            path = f"/deployments/{deployment_id}/create_flow_run/bulk"
            answer = await self._wire.post(path, [_new_run(run) for run in part])
            for run, result in zip(part, answer["results"], strict=True):
                if result["status"] == "CREATED":
                    made[run.key] = UUID(result["flow_run_id"])
        return made

    async def move_runs(
        self, flow_run_ids: Iterable[UUID], state: State, *, sparing: Collection[str] = ENGINE_STATES
    ) -> set[UUID]:
        """The runs that show the state now.

        Left out are those that are gone, and those whose state's name is in ``sparing``: there an
        engine is at work. Orchestration rules are not asked, for the ledger has decided already.
        """
        moved: set[UUID] = set()
        for part in _parts(flow_run_ids, MOVE_LIMIT):
            chosen: dict[str, Any] = {"id": {"any_": [str(one) for one in part]}}
            if sparing:
                chosen["state"] = {"name": {"not_any_": list(sparing)}}
            answer = await self._wire.post(
                "/flow_runs/bulk_set_state",
                {"flow_runs": chosen, "state": _state(state), "force": True, "limit": MOVE_LIMIT},
            )
            moved |= {
                UUID(result["flow_run_id"]) for result in answer["results"] if result["status"] == "ACCEPT"
            }
        return moved

    async def run_states(self, flow_run_ids: Iterable[UUID]) -> dict[UUID, RunState]:
        """What these runs show; one that is gone is missing."""
        found: dict[UUID, RunState] = {}
        for part in _parts(flow_run_ids, READ_LIMIT):
            chosen = {"id": {"any_": [str(one) for one in part]}}
            for row in await self._wire.post("/flow_runs/filter", {"flow_runs": chosen, "limit": READ_LIMIT}):
                run = _run_state(row)
                found[run.flow_run_id] = run
        return found

    async def strayed_runs(
        self, deployment_id: UUID, *, shown: Collection[str], limit: int = READ_LIMIT
    ) -> tuple[RunState, ...]:
        """Runs of the deployment that show none of these names and at which no engine is.

        Somebody has cancelled them, or a Retry has ended: the ledger's state is due again.
        """
        names = [*shown, *ENGINE_STATES]
        chosen = {"deployment_id": {"any_": [str(deployment_id)]}, "state": {"name": {"not_any_": names}}}
        body = {"flow_runs": chosen, "limit": limit, "sort": "END_TIME_DESC"}
        return tuple(_run_state(row) for row in await self._wire.post("/flow_runs/filter", body))

    async def runs_in(
        self, deployment_id: UUID, *, state_type: str, names: Collection[str], limit: int = READ_LIMIT
    ) -> tuple[RunState, ...]:
        """Runs of the deployment whose state is of this type and of one of these names."""
        state = {"type": {"any_": [state_type]}, "name": {"any_": list(names)}}
        chosen = {"deployment_id": {"any_": [str(deployment_id)]}, "state": state}
        body = {"flow_runs": chosen, "limit": limit}
        return tuple(_run_state(row) for row in await self._wire.post("/flow_runs/filter", body))

    async def relabel_run(
        self, flow_run_id: UUID, *, name: str, tags: Sequence[str], parameters: Mapping[str, Any]
    ) -> None:
        """The run has this name, these tags and these parameters; its state stays."""
        body = {"name": name, "tags": list(tags), "parameters": dict(parameters)}
        await self._wire.patch(f"/flow_runs/{flow_run_id}", body)

    async def tables_of(self, keys: Collection[str]) -> dict[str, Table]:
        """The newest artifact of each key; one that is gone is missing."""
        found: dict[str, Table] = {}
        for part in _parts(keys, READ_LIMIT):
            body = {"artifacts": {"key": {"any_": list(part)}}, "limit": READ_LIMIT}
            for row in await self._wire.post("/artifacts/latest/filter", body):
                run = UUID(row["flow_run_id"]) if row.get("flow_run_id") else None
                found[row["key"]] = Table(run, row.get("data") or "", row.get("description") or "")
        return found

    async def count_runs(self, deployment_id: UUID, *, state_names: Collection[str] = ()) -> int:
        """How many runs the deployment has, in states of these names, or in any."""
        chosen: dict[str, Any] = {"deployment_id": {"any_": [str(deployment_id)]}}
        if state_names:
            chosen["state"] = {"name": {"any_": list(state_names)}}
        return int(await self._wire.post("/flow_runs/count", {"flow_runs": chosen}))

    async def retry_run(self, flow_run_id: UUID) -> None:
        """What the UI's Retry does: a worker executes the run's deployment for it."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry"}
        await self._wire.post(f"/flow_runs/{flow_run_id}/set_state", {"state": state, "force": True})

    async def write_logs(self, lines: Sequence[LogLine]) -> None:
        """Adds the lines to their runs' log pages; said twice, they are there twice."""
        for part in _parts(lines, LOG_LIMIT):
            await self._wire.post("/logs/", [_log(line) for line in part])

    async def loggers_of(self, flow_run_ids: Iterable[UUID]) -> list[tuple[UUID, str]]:
        """Each line of these runs' log pages, by its run and its logger's name."""
        found: list[tuple[UUID, str]] = []
        for part in _parts(flow_run_ids, MOVE_LIMIT):
            chosen = {"flow_run_id": {"any_": [str(one) for one in part]}}
            page: list[dict[str, Any]] | None = None
            offset = 0
            while page is None or len(page) == READ_LIMIT:
                body = {"logs": chosen, "limit": READ_LIMIT, "offset": offset, "sort": "TIMESTAMP_ASC"}
                page = await self._wire.post("/logs/filter", body)
                found += [(UUID(row["flow_run_id"]), row["name"]) for row in page or ()]
                offset += READ_LIMIT
        return found

    async def create_artifact(
        self, key: str, *, kind: str, data: str, description: str, flow_run_id: UUID | None = None
    ) -> UUID:
        """A new version of the artifact of this key (lower-case letters, digits, dashes).

        ``kind`` is ``markdown``, ``table`` (``data`` is then the JSON of a list of rows) or ``progress``.
        """
        body = {"key": key, "type": kind, "data": data, "description": description}
        if flow_run_id is not None:
            body["flow_run_id"] = str(flow_run_id)
        return UUID((await self._wire.post("/artifacts/", body))["id"])


def _parts(values: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    rest = iter(values)
    while part := tuple(islice(rest, size)):
        yield part


def _state(state: State) -> dict[str, Any]:
    return {"type": state.type, "name": state.name, "message": state.message}


def _new_run(run: NewRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "state": _state(run.state),
        "parameters": dict(run.parameters),
        "tags": list(run.tags),
        "idempotency_key": run.key,
        # The parameters are ours and few; checking each run's against a schema costs a tenth of it.
        "enforce_parameter_schema": False,
    }


def _log(line: LogLine) -> dict[str, Any]:
    return {
        "name": line.logger,
        "level": line.level,
        "message": line.message,
        "timestamp": line.at.isoformat(),
        "flow_run_id": str(line.flow_run_id),
    }


def _run_state(row: Mapping[str, Any]) -> RunState:
    state = row.get("state")
    since = datetime.fromisoformat(state["timestamp"]) if state else None
    shown = State(state["type"], state["name"], state.get("message")) if state else None
    tags, parameters = frozenset(row.get("tags") or ()), row.get("parameters") or {}
    return RunState(UUID(row["id"]), row["name"], shown, since, row.get("idempotency_key"), tags, parameters)
