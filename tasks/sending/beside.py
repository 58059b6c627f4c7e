"""Work that goes on beside the steps and holds none of them up: looking whether a target answers again.

A look may take as long as a call's whole deadline. The steps go on meanwhile, and whoever closes the
services waits for what has been begun.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from models.domain.errors import ShenguanError

log = structlog.get_logger(__name__)


class Beside:
    """At most one piece of work of each name at a time, in this event loop."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Begin the work, unless it is still being done from before."""
        running = self._running.get(name)
        if running is None or running.done():
            self._running[name] = asyncio.create_task(_done(name, work))

    async def finished(self) -> None:
        """Return when nothing goes on any more."""
        while going := [task for task in self._running.values() if not task.done()]:
            await asyncio.wait(going)


async def _done(name: str, work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except Exception as surprise:  # noqa: BLE001 - it is tried again; the steps' own errors tell the rest
        said = str(surprise) if isinstance(surprise, ShenguanError) else ""
        log.warning("beside.failed", work=name, error=type(surprise).__name__, said=said)
