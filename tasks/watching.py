"""What wakes a dispatcher, and what it alone does: the bell of the ledger, listened to all day."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog

from models.ledger.bell import Bell
from models.ledger.connection import LedgerUnavailable
from models.ledger.queries.bell import ANYTHING

log = structlog.get_logger(__name__)

_SIGN_OF_LIFE_S = 5.0
"""How often what nobody leads is asked for; the server takes silence of four of these for death."""
_LONGEST_PAUSE_S = 10.0


class Watch:
    """Hears the bell for this process, and knows which works no other process does meanwhile.

    Where the bell cannot be heard everything goes on, by looking instead of listening, and nothing is
    left to others: doing it twice at the same time is a waste and never an error.
    """

    def __init__(self, url: str, works: frozenset[str], rung: Callable[[Collection[str]], None]) -> None:
        self._url = url
        self._works = works
        self._rung = rung
        self._bell: Bell | None = None

    def is_ours(self, work: str) -> bool:
        """Whether this process does it; False while another one does."""
        return self._bell is None or work not in self._works or work in self._bell.leads

    async def keep_listening(self, stop: asyncio.Event) -> None:
        """Listen until told to stop; after every beginning to listen everything is looked at once."""
        pause = 1.0
        while not stop.is_set():
            try:
                async with Bell.listen(self._url) as bell:
                    await bell.lead(self._works)
                    self._bell = bell
                    self._rung({ANYTHING})
                    pause = 1.0
                    await self._listen(bell, stop)
            except LedgerUnavailable as away:
                log.warning("bell.away", reason=away.reason)
            finally:
                self._bell = None
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)

    async def _listen(self, bell: Bell, stop: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stopped.done():
                hearing = asyncio.ensure_future(bell.heard(_SIGN_OF_LIFE_S))
                await asyncio.wait({hearing, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not hearing.done():
                    hearing.cancel()
                    with suppress(asyncio.CancelledError):
                        await hearing
                    return
                if rang := hearing.result():
                    self._rung(rang)
                before = len(bell.leads)
                await bell.lead(self._works)
                if len(bell.leads) > before:
                    log.info("works.led", works=sorted(bell.leads))
                    self._rung({ANYTHING})
        finally:
            stopped.cancel()
