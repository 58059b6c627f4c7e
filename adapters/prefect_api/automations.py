"""Prefect's automations made what one file says, and the webhook they call."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from adapters.prefect_api.values import PrefectSaidNo
from adapters.prefect_api.wire import PrefectWire

TAG = "审管联动"
BLOCK = "shenguan-alerts"
_GONE = 404
_PLACE = "said"
_HEADERS = {"content-type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Applied:
    """What the server has now, by name; ``calls`` is False where no webhook is set and nobody is told."""

    automations: tuple[str, ...]
    deleted: tuple[str, ...]
    calls: bool


@dataclass(frozen=True, slots=True)
class Off:
    """An automation of ours that is not as the file has it."""

    name: str
    why: Literal["missing", "disabled", "changed", "another_address"]


@dataclass(frozen=True, slots=True)
class Watching:
    """What the server watches for us: ids by name, and what is off."""

    automations: Mapping[str, str]
    off: tuple[Off, ...]


def body_of(said: str) -> str:
    """What a webhook is sent: the shape 企业微信 and 钉钉 share."""
    return json.dumps({"msgtype": "text", "text": {"content": said}}, ensure_ascii=False)


def template_of(said: str) -> str:
    """The template of that body: whatever the sentence's fields hold stays inside the sentence."""
    body = body_of(_PLACE).replace(json.dumps(_PLACE), "{{ said | tojson }}")
    return f"{{% set said %}}{said}{{% endset %}}{body}"


def declared(path: Path) -> list[dict[str, Any]]:
    """The automations of the file."""
    found: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["automations"]
    return found


async def apply(wire: PrefectWire, path: Path, *, webhook: str | None, switched_on: bool = True) -> Applied:
    """The server's automations of ours are those of the file afterwards; repeating it changes nothing.

    Without ``switched_on`` one that somebody has switched off stays off. ``webhook`` is kept as a block,
    encrypted with the server's key. Raises as the wire does.
    """
    block = await _ensure_block(wire, webhook) if webhook else None
    there = {row["name"]: row for row in await ours(wire)}
    wanted = [_automation(one, block) for one in declared(path)]
    for one in wanted:
        known = there.pop(one["name"], None)
        if known is None:
            await wire.post("/automations/", one)
        else:
            enabled = switched_on or known["enabled"]
            await wire.put(f"/automations/{known['id']}", one | {"enabled": enabled})
    for row in there.values():
        await wire.delete(f"/automations/{row['id']}")
    return Applied(tuple(one["name"] for one in wanted), tuple(sorted(there)), block is not None)


async def watching(wire: PrefectWire, path: Path, *, webhook: str | None) -> Watching:
    """The server's automations of ours beside those of the file; nothing is changed."""
    there = {row["name"]: row for row in await ours(wire)}
    block = await _block(wire) if webhook else None
    off: list[Off] = []
    calls = None if block is None else str(block["id"])
    for one in (_automation(each, calls) for each in declared(path)):
        row = there.get(one["name"])
        if row is None:
            off.append(Off(one["name"], "missing"))
        elif not row["enabled"]:
            off.append(Off(one["name"], "disabled"))
        elif not _is_as(one["trigger"], row["trigger"]) or not _acts_as(one["actions"], row):
            off.append(Off(one["name"], "changed"))
        elif block is not None and block["data"].get("url") != webhook:
            off.append(Off(one["name"], "another_address"))
    return Watching({name: str(row["id"]) for name, row in there.items()}, tuple(off))


async def ours(wire: PrefectWire) -> list[dict[str, Any]]:
    """The server's automations that carry our tag."""
    rows = await wire.post("/automations/filter", {"limit": 200})
    return [row for row in rows if TAG in row.get("tags", ())]


def _is_as(wanted: Any, there: Any) -> bool:
    """Whether the server's value says what ours says, and nothing beside it."""
    if isinstance(wanted, Mapping):
        if not isinstance(there, Mapping):
            return False
        return all(
            _is_as(wanted[key], value) if key in wanted else not value or key == "id"
            for key, value in there.items()
        ) and set(wanted) <= set(there)
    if isinstance(wanted, list) and isinstance(there, list):
        return sorted(map(str, wanted)) == sorted(map(str, there))  # the server keeps them as sets
    return bool(wanted == there)


def _acts_as(wanted: list[dict[str, Any]], row: Mapping[str, Any]) -> bool:
    if row.get("actions_on_trigger") or row.get("actions_on_resolve") or len(row["actions"]) != len(wanted):
        return False
    return all(
        {key: there.get(key) for key in one} == one for one, there in zip(wanted, row["actions"], strict=True)
    )


async def _block(wire: PrefectWire) -> dict[str, Any] | None:
    """Our block with its address, or None where it is gone."""
    path = f"/block_types/slug/webhook/block_documents/name/{BLOCK}?include_secrets=true"
    try:
        found: dict[str, Any] = await wire.get(path)
    except PrefectSaidNo as said:
        if said.status != _GONE:
            raise
        return None
    return found


def _automation(one: Mapping[str, Any], block: str | None) -> dict[str, Any]:
    action: dict[str, Any] = {"type": "do-nothing"}
    if block is not None:
        action = {"type": "call-webhook", "block_document_id": block, "payload": template_of(one["said"])}
    return {
        "name": one["name"],
        "description": one["description"],
        "enabled": True,
        "tags": [TAG],
        "trigger": one["trigger"],
        "actions": [action],
        "actions_on_trigger": [],
        "actions_on_resolve": [],
    }


async def _ensure_block(wire: PrefectWire, webhook: str) -> str:
    """The id of the block that calls this address."""
    data = {"method": "POST", "url": webhook, "headers": _HEADERS}
    try:
        kind = await wire.get("/block_types/slug/webhook")
    except PrefectSaidNo as said:
        if said.status != _GONE:
            raise
        await wire.post("/block_types/install_system_block_types", {})
        kind = await wire.get("/block_types/slug/webhook")
    schemas = await wire.post(
        "/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind["id"]]}}, "limit": 1}
    )
    schema = schemas[0]["id"]
    try:
        block = await wire.get(f"/block_types/slug/webhook/block_documents/name/{BLOCK}")
    except PrefectSaidNo as said:
        if said.status != _GONE:
            raise
        made = {"name": BLOCK, "data": data, "block_type_id": kind["id"], "block_schema_id": schema}
        return str((await wire.post("/block_documents/", made))["id"])
    change = {"data": data, "block_schema_id": schema, "merge_existing_data": False}
    await wire.patch(f"/block_documents/{block['id']}", change)
    return str(block["id"])
