"""State reports (状态报告): posted to the listener one by one, again if it does not answer 200."""

import asyncio
import contextlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import aiohttp

from adapters.sandbox.ledger import Journal

_PAUSES_S = (0.5, 1, 2, 4, 8, 15, 30, 30)


class Courier:
    """Posts state reports beside the requests that caused them."""

    def __init__(self, url: str, log: Journal) -> None:
        self._url = url
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, report: Callable[[], dict[str, Any]], *, after: float, note: bool = True) -> None:
        """Post the report some seconds from now; ``note`` logs what became of it."""
        task = asyncio.create_task(self._deliver(report, after, note=note))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def post(self, report: dict[str, Any]) -> bool:
        """Whether the listener answered 200 to this one post."""
        if not self._url:
            return False
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session.post(self._url, json=report) as response:
                return bool(response.status == HTTPStatus.OK)
        return False

    async def close(self) -> None:
        """Drop what was not posted yet; it is posted after the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, make: Callable[[], dict[str, Any]], after: float, *, note: bool) -> None:
        await asyncio.sleep(after)
        report = make()
        outcome = "receipt_given_up"
        for pause in (*_PAUSES_S, 0):
            if not self._url:
                break
            if await self.post(report):
                outcome = "receipt_taken"
                break
            await asyncio.sleep(pause)
        if note:
            settled(self._log, report, outcome)


def settled(log: Journal, report: dict[str, Any], outcome: str) -> None:
    """Note that this report needs no posting any more."""
    log.note({"outcome": outcome, "receipt": report["msgGroup"], "target": report["mobile"]})
