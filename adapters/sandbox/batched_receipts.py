"""Receipts posted in arrays: what is due goes together, and again after 1, 5 and 10 minutes, then never."""

import asyncio
import contextlib
from http import HTTPStatus
from typing import Any

import aiohttp

from adapters.sandbox.ledger import Journal

_PAUSES_S = (60, 300, 600)
_GATHER_S = 0.05


class BatchCourier:
    """Posts reports beside the requests that caused them, as many at once as are due."""

    def __init__(self, url: str, log: Journal) -> None:
        self._url = url
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: list[tuple[dict[str, Any], bool]] = []

    def put(self, report: dict[str, Any], *, after: float, note: bool = True) -> None:
        """Let the report be due some seconds from now; ``note`` logs what became of it."""
        self._begin(self._later(report, after, note=note))

    async def post(self, reports: list[dict[str, Any]]) -> bool:
        """Whether the listener took this one array."""
        if not self._url:
            return False
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with self._session.post(self._url, json=reports) as response:
                return response.status == HTTPStatus.OK and (await response.json()).get("code") == 0
        return False

    def settled(self, report: dict[str, Any], outcome: str) -> None:
        """Note that this report needs no posting any more."""
        self._log.note({"outcome": outcome, "receipt": report["biz_id"], "target": report["phone_number"]})

    async def close(self) -> None:
        """Drop what was not posted yet; it is posted after the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, report: dict[str, Any], after: float, *, note: bool) -> None:
        await asyncio.sleep(after)
        self._due.append((report, note))
        if len(self._due) == 1:
            await asyncio.sleep(_GATHER_S)
            batch, self._due = self._due, []
            self._begin(self._deliver(batch))

    async def _deliver(self, batch: list[tuple[dict[str, Any], bool]]) -> None:
        reports = [report for report, _ in batch]
        outcome = "receipt_given_up"
        for pause in (*_PAUSES_S, 0):
            if not self._url:
                break
            if await self.post(reports):
                outcome = "receipt_taken"
                break
            await asyncio.sleep(pause)
        for report, note in batch:
            if note:
                self.settled(report, outcome)
