"""What Prefect's own vacuum does not do: runs that hang, runs nobody will start, years of minutes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.prefect_api.values import ENGINE_STATES
from adapters.prefect_api.wire import PrefectWire

_PAGE = 200
_AT_ONCE = 50

AT_WORK = {
    "type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]},
    "name": {"any_": list(ENGINE_STATES)},
}
"""States of a run that an engine executes, or executed until it died."""
NOT_BEGUN = {"type": {"any_": ["SCHEDULED"]}}
"""States of a run that nobody has begun."""


@dataclass(frozen=True, slots=True)
class Hanging:
    """A run in which nothing moves: its name, what it shows, since when."""

    flow_run_id: UUID
    name: str
    state: str
    since: datetime


async def hanging(wire: PrefectWire, *, before: datetime, drawn: str) -> list[Hanging]:
    """Runs that have been at work since before, in a state that only an engine gives, and show no progress.

    A line in its log or a task begun since then is progress: a long bulk rerun writes one for each batch.
    Runs tagged ``drawn`` are pictures no engine executes; they are looked at only where their state is
    an engine's, which a Retry leaves when its worker dies.
    """
    found: list[Hanging] = []
    executed: list[str] = []
    chosen = {"state": AT_WORK, "start_time": {"before_": before.isoformat()}}
    for row in await _rows(wire, chosen):
        since = datetime.fromisoformat(row["state"]["timestamp"])
        if since < before:
            mark = f"{row['name']}（{drawn}）" if drawn in row.get("tags", ()) else row["name"]
            found.append(_hanging(row, mark))
            if drawn not in row.get("tags", ()):  # on a picture's log page stands what we write there
                executed.append(row["id"])
    moving = await _moving(wire, executed, [str(each.flow_run_id) for each in found], before)
    return [each for each in found if str(each.flow_run_id) not in moving]


async def _moving(
    wire: PrefectWire, with_logs: Collection[str], all_of_them: Collection[str], since: datetime
) -> set[str]:
    """Those of the runs in which something has happened since."""
    after = {"after_": since.isoformat()}
    moving: set[str] = set()
    while left := set(with_logs) - moving:
        logs = {"flow_run_id": {"any_": sorted(left)}, "timestamp": after}
        rows = await wire.post("/logs/filter", {"logs": logs, "limit": _PAGE})
        if not rows:
            break
        moving |= {row["flow_run_id"] for row in rows}
    while left := set(all_of_them) - moving:
        body = {"flow_runs": {"id": {"any_": sorted(left)}}, "task_runs": {"start_time": after}}
        rows = await wire.post("/task_runs/filter", body | {"limit": _PAGE})
        if not rows:
            break
        moving |= {row["flow_run_id"] for row in rows}
    return moving


async def never_started(wire: PrefectWire, *, before: datetime) -> list[Hanging]:
    """Runs that should have begun before and did not: nothing ever deletes those.

    A Retry leaves the time a run was first expected at: who waits since then only is left.
    """
    chosen = {"state": NOT_BEGUN, "expected_start_time": {"before_": before.isoformat()}}
    found = [_hanging(row, row["name"]) for row in await _rows(wire, chosen)]
    return [each for each in found if each.since < before]


async def end(
    wire: PrefectWire,
    runs: Sequence[UUID],
    *,
    still: Mapping[str, Any],
    kind: str,
    name: str,
    message: str,
) -> int:
    """These runs are over, with this state; how many. Those no longer ``still`` in a state are left."""
    ended = 0
    for at in range(0, len(runs), _AT_ONCE):
        part = [str(run) for run in runs[at : at + _AT_ONCE]]
        body = {
            "flow_runs": {"id": {"any_": part}, "state": still},
            "state": {"type": kind, "name": name, "message": message},
            "force": True,
            "limit": _AT_ONCE,
        }
        answer = await wire.post("/flow_runs/bulk_set_state", body)
        ended += sum(result["status"] == "ACCEPT" for result in answer["results"])
    return ended


async def delete_ended(
    wire: PrefectWire, deployments: Collection[UUID], *, before: datetime, most: int
) -> int:
    """Completed and cancelled runs of these deployments that ended before are gone, with their logs.

    Returns how many.

    Failed ones stay until the server's own vacuum takes them: somebody may still want to know why.
    """
    if not deployments:
        return 0
    chosen = {
        "deployment_id": {"any_": [str(one) for one in deployments]},
        "state": {"type": {"any_": ["COMPLETED", "CANCELLED"]}},
        "end_time": {"before_": before.isoformat()},
    }
    gone = 0
    while gone < most:
        answer = await wire.post("/flow_runs/bulk_delete", {"flow_runs": chosen, "limit": _AT_ONCE})
        if not answer["deleted"]:
            break
        gone += len(answer["deleted"])
    return gone


async def deployments_named(wire: PrefectWire, names: Sequence[str]) -> dict[str, UUID]:
    """The deployments of these names."""
    body = {"deployments": {"name": {"any_": list(names)}}, "limit": _PAGE}
    return {row["name"]: UUID(row["id"]) for row in await wire.post("/deployments/filter", body)}


def _hanging(row: dict[str, Any], name: str) -> Hanging:
    state = row["state"]
    return Hanging(UUID(row["id"]), name, state["name"], datetime.fromisoformat(state["timestamp"]))


async def _rows(wire: PrefectWire, chosen: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"flow_runs": chosen, "limit": _PAGE, "sort": "START_TIME_ASC"}
    rows: list[dict[str, Any]] = await wire.post("/flow_runs/filter", body)
    return rows
