"""Events of ours in Prefect's feed: what automations wait for, and what came of it."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from adapters.prefect_api.wire import PrefectWire

DISPATCHER = "shenguan.dispatcher"
_EXECUTED, _FAILED = "prefect.automation.action.executed", "prefect.automation.action.failed"
_EVENT, _AUTOMATION = "prefect.event.", "prefect.automation."
_PAGE = 50
_SAID = 40
_CUT = 1000
"""Prefect notes so many signs of an answer at most."""
_FINE = range(200, 300)
_CODES = {"errcode": ("0",), "StatusCode": ("0",), "code": ("0", "200")}
"""By the name robots give their own code (企业微信 and 钉钉, 飞书, others): what says that it was taken."""
_KIND = re.compile(r"failed: (\w+)")


@dataclass(frozen=True, slots=True)
class Action:
    """What came of an automation's action: ``took`` when the webhook took the message.

    ``why`` says else what was the matter: a status, the robot's own code, or the kind of an error; never an
    address.
    """

    took: bool
    why: str
    at: datetime


async def emit(
    wire: PrefectWire, event: str, *, payload: dict[str, Any] | None = None, event_id: UUID | None = None
) -> None:
    """One event, seen by the server when this returns. It holds counts and codes, never a person."""
    told = {
        "id": str(event_id or uuid4()),
        "event": event,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": DISPATCHER, "prefect.resource.name": "分发器"},
        "related": [],
        "payload": payload or {},
    }
    await wire.post("/events", [told])


async def taken(wire: PrefectWire, event_ids: Collection[UUID], *, since: datetime) -> set[UUID]:
    """Those of our events of which a webhook took the message.

    Prefect notes an action as executed whatever the webhook answered: its status is looked at.
    """
    ids = [f"{_EVENT}{each}" for each in event_ids]
    found: set[UUID] = set()
    for at in range(0, len(ids), _PAGE // 2):
        part = ids[at : at + _PAGE // 2]
        for row in await _actions(wire, {"related": {"id": part}}, since):
            if action_of(row).took:
                named = {one["prefect.resource.id"] for one in row["related"]} & set(part)
                found |= {UUID(each.removeprefix(_EVENT)) for each in named}
    return found


async def last_actions(
    wire: PrefectWire, automations: Collection[str], *, since: datetime
) -> dict[str, Action]:
    """Automation id → the last action it took since then; without those that took none."""
    found: dict[str, Action] = {}
    for identity in automations:
        rows = await _actions(wire, {"resource": {"id": [f"{_AUTOMATION}{identity}"]}}, since, limit=1)
        if rows:
            found[identity] = action_of(rows[0])
    return found


def action_of(row: Mapping[str, Any]) -> Action:
    """What an event of an automation's action says."""
    payload = row.get("payload") or {}
    at = datetime.fromisoformat(row["occurred"])
    if row["event"] == _FAILED:
        said = _KIND.search(str(payload.get("reason", "")))
        return Action(took=False, why=said[1] if said else "ActionFailed", at=at)
    status = payload.get("status_code")
    if not isinstance(status, int):
        return Action(took=False, why="没有设定告警地址", at=at)
    why = why_not_taken(status, str(payload.get("response_body", "")))
    return Action(took=why is None, why=why or "", at=at)


def why_not_taken(status: int, answer: str) -> str | None:
    """Why a chat robot did not take a message; None when it did. Robots refuse with 200 and a code.

    Another kind of webhook answers with nothing or with JSON: a page, such as a login's, is none.
    """
    if status not in _FINE:
        return str(status)
    try:
        told = json.loads(answer) if answer.strip() else None
    except ValueError:
        cut = len(answer) >= _CUT and answer.lstrip()[0] in "{["
        return None if cut else "答复不是 JSON"
    if not isinstance(told, dict):
        return None
    for name, fine in _CODES.items():
        if name in told and str(told[name]) not in fine:
            return f"{name} {told[name]}"[:_SAID]
    return None


async def _actions(
    wire: PrefectWire, chosen: dict[str, Any], since: datetime, *, limit: int = _PAGE
) -> list[dict[str, Any]]:
    asked = {"event": {"name": [_EXECUTED, _FAILED]}, "occurred": {"since": since.isoformat()}}
    body = {"filter": asked | chosen, "limit": limit}
    rows: list[dict[str, Any]] = (await wire.post("/events/filter", body))["events"]
    return rows
