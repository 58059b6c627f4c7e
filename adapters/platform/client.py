"""The city platform over its signed HTTP wire (``adapters/contracts/platform.v1.yaml``)."""

from collections.abc import Mapping

from adapters.exchange import Exchange
from adapters.platform.port import Channel
from adapters.receipts import counted, look_up, send
from adapters.values import CountRow, Page, Receipt, Stored

_PATHS: Mapping[Channel, str] = {"push": "/v1/pushes", "recall": "/v1/recalls", "return": "/v1/returns"}


class PlatformClient:
    """``adapters.platform.port.Platform`` over an exchange whose target is the platform."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def changed_cases(self, cursor: str | None, *, limit: int = 200) -> Page:
        """See the port."""
        return await self._exchange.page("/v1/cases/changes", cursor, limit=limit)

    async def changed_feedback(self, cursor: str | None, *, limit: int = 200) -> Page:
        """See the port."""
        return await self._exchange.page("/v1/feedback/changes", cursor, limit=limit)

    async def push(self, own_id: str, body: bytes) -> Receipt:
        """See the port."""
        return await send(self._exchange, _PATHS["push"], own_id, body)

    async def recall(self, own_id: str, body: bytes) -> Receipt:
        """See the port."""
        return await send(self._exchange, _PATHS["recall"], own_id, body)

    async def give_back(self, own_id: str, body: bytes) -> Receipt:
        """See the port."""
        return await send(self._exchange, _PATHS["return"], own_id, body)

    async def find(self, channel: Channel, own_id: str) -> Stored | None:
        """See the port."""
        return await look_up(self._exchange, _PATHS[channel], own_id)

    async def counts(self, day: str) -> tuple[CountRow, ...]:
        """See the port."""
        return await counted(self._exchange, day)

    async def effects(
        self, day: str, cursor: str | None, *, kind: str = "", department: str = "", limit: int = 500
    ) -> Page:
        """See the port."""
        said = {"day": day, "kind": kind, "department": department}
        query = {name: value for name, value in said.items() if value}
        return await self._exchange.page("/v1/effects", cursor, limit=limit, query=query)
