"""Ends a process whose event loop stands still: a record that hangs its reader counts like one that kills it.

The clock runs in a thread of the interpreter's own that needs no lock of ours, so that it also ends what
never returns from C. What was leased goes back when its lease ends, what was intended becomes unknown, a
record's attempt is counted already: whoever starts next tries it alone, and then a person has it.
"""

import asyncio
import contextlib
import faulthandler
import sys
from collections.abc import AsyncIterator

_BEATS = 4


@contextlib.asynccontextmanager
async def watched(stall_s: float) -> AsyncIterator[None]:
    """While inside, the process ends with 1 and its stack on stderr once the loop stands for ``stall_s``."""
    if sys.__stderr__ is None:  # nowhere to say why: whoever runs it so looks after it
        yield
        return
    beating = asyncio.create_task(_beat(stall_s))
    try:
        yield
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        faulthandler.cancel_dump_traceback_later()


async def _beat(stall_s: float) -> None:
    assert sys.__stderr__ is not None
    while True:
        faulthandler.dump_traceback_later(stall_s, exit=True, file=sys.__stderr__)
        await asyncio.sleep(stall_s / _BEATS)
