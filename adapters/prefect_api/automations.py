"""Prefect's automations made what one file says, and the webhook they call."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.prefect_api.values import PrefectSaidNo
from adapters.prefect_api.wire import PrefectWire

TAG = "审管联动"
BLOCK = "shenguan-alerts"
_GONE = 404
_HEADERS = {"content-type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Applied:
    """What the server has now, by name; ``calls`` is False where no webhook is set and nobody is told."""

    automations: tuple[str, ...]
    deleted: tuple[str, ...]
    calls: bool


def body_of(said: str) -> str:
    """What a webhook is sent: the shape 企业微信 and 钉钉 share."""
    return json.dumps({"msgtype": "text", "text": {"content": said}}, ensure_ascii=False)


def declared(path: Path) -> list[dict[str, Any]]:
    """The automations of the file."""
    found: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["automations"]
    return found


async def apply(wire: PrefectWire, path: Path, *, webhook: str | None) -> Applied:
    """The server's automations of ours are those of the file afterwards; repeating it changes nothing.

    ``webhook`` is kept as a block, encrypted with the server's key. Raises as the wire does.
    """
    block = await _ensure_block(wire, webhook) if webhook else None
    there = {
        row["name"]: row
        for row in await wire.post("/automations/filter", {"limit": 200})
        if TAG in row.get("tags", ())
    }
    wanted = [_automation(one, block) for one in declared(path)]
    for one in wanted:
        known = there.pop(one["name"], None)
        if known is None:
            await wire.post("/automations/", one)
        else:
            await wire.put(f"/automations/{known['id']}", one)
    for row in there.values():
        await wire.delete(f"/automations/{row['id']}")
    return Applied(tuple(one["name"] for one in wanted), tuple(sorted(there)), block is not None)


def _automation(one: Mapping[str, Any], block: str | None) -> dict[str, Any]:
    action: dict[str, Any] = {"type": "do-nothing"}
    if block is not None:
        action = {"type": "call-webhook", "block_document_id": block, "payload": body_of(one["said"])}
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
