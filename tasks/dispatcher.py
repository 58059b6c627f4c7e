"""The dispatcher: a supervised process that carries the work out, whether Prefect is up or not."""

import asyncio
import signal
import time

import structlog

from models.domain.errors import ShenguanError
from models.ledger.connection import LedgerUnavailable
from tasks import steps
from tasks.composition import Services, open_services
from tasks.draining import worked
from tasks.showing import Mirroring

log = structlog.get_logger(__name__)

_LONGEST_PAUSE_S = 10.0


async def run_dispatcher(*, rest_s: float = 0.5) -> None:
    """Run every step again and again until SIGTERM; ``rest_s`` seconds between rounds at rest."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with open_services() as services:
        mirroring = asyncio.create_task(Mirroring(services).keep_showing(stop))
        await _work(services, stop, rest_s)
        await mirroring


async def _work(services: Services, stop: asyncio.Event, rest_s: float) -> None:
    pause = rest_s
    while not stop.is_set():
        begun = time.monotonic()
        try:
            did = await steps.everything(services)
            # At work, the next round follows at once.
            pause = 0.0 if any(worked(counts) for counts in did.values()) else rest_s
        except LedgerUnavailable as away:
            log.warning("ledger.away", reason=away.reason)
            pause = min(_LONGEST_PAUSE_S, max(rest_s, pause * 2 or rest_s))
        except ShenguanError as finding:
            log.error("round.failed", error=type(finding).__name__)  # noqa: TRY400 - a trace shows nothing more
            pause = min(_LONGEST_PAUSE_S, max(rest_s, pause * 2 or rest_s))
        left = pause - (time.monotonic() - begun)
        if left > 0:
            try:
                await asyncio.wait_for(stop.wait(), left)
            except TimeoutError:
                continue
