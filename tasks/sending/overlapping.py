"""Two batches of a line in flight: the outcomes of one are written beside the calls of the other."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tasks.sending.values import Sent

Send = Callable[[Callable[[], None]], Coroutine[Any, Any, Sent]]
"""Sends one batch; it calls what it is given as soon as it has something in its hands."""


async def send_in_turn(send: Send, note: Callable[[Sent], None], *, most: int) -> None:
    """Send batch after batch until one comes to nothing, ``most`` at most; ``note`` hears each end."""
    for _ in range(most):
        sent = await send(lambda: None)
        note(sent)
        if not sent.total:
            return


async def send_overlapping(send: Send, note: Callable[[Sent], None], *, most: int) -> None:
    """As ``send_in_turn``, but the next batch is leased once the one before it is in our hands.

    No third begins before the first has ended. How many calls run at once is the line's to say.

    Raises:
        Whatever a batch raised, once the other one has ended too.
    """
    flying: list[asyncio.Task[Sent]] = []

    async def ended(batch: asyncio.Task[Sent]) -> bool:
        sent = await batch
        flying.remove(batch)
        note(sent)
        return bool(sent.total)

    try:
        for _ in range(most):
            taken = asyncio.Event()
            batch = asyncio.create_task(send(taken.set))
            flying.append(batch)
            await _either(batch, taken)
            before = flying[:-1]
            fruitful = [await ended(each) for each in before]
            if not all(fruitful):
                break
            # What was in flight may have left something behind it: only alone does nothing mean nothing.
            if not taken.is_set() and not await ended(batch) and not before:
                break
        for last in tuple(flying):
            await ended(last)
    except asyncio.CancelledError:
        for each in flying:
            each.cancel()
        raise
    finally:
        await asyncio.gather(*flying, return_exceptions=True)


async def _either(batch: asyncio.Task[Sent], taken: asyncio.Event) -> None:
    waiting = asyncio.create_task(taken.wait())
    try:
        await asyncio.wait({batch, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
