"""Events of ours in Prefect's feed: what automations wait for."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from adapters.prefect_api.wire import PrefectWire

DISPATCHER = "shenguan.dispatcher"


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
