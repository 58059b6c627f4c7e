"""The other half of ``ours``: it takes in, pushes and does whatever lanes are left.

Says a line when it is ready, waits for one, works until the next; the last line is what it used, as JSON.
"""

import asyncio
import json
import sys
import time

from benchmarks.systems.ours import HERE
from benchmarks.systems.run import calls_made, count_calls, peak_rss
from config.logging import configure_logging
from tasks.composition import open_services
from tasks.dispatcher import LANES, dispatch, settle_memory


async def main() -> dict[str, object]:
    """What its work took: CPU seconds, peak bytes, calls by target."""
    async with open_services() as services:
        stop = asyncio.Event()
        settle_memory()
        _tell("ready")
        await asyncio.to_thread(sys.stdin.readline)
        calls_made.clear()
        used = time.process_time()
        async with asyncio.TaskGroup() as group:
            group.create_task(dispatch(services, stop, only=[lane for lane in LANES if lane not in HERE]))
            await asyncio.to_thread(sys.stdin.readline)
            stop.set()
        return {"cpu_s": time.process_time() - used, "peak_rss": peak_rss(), "calls": dict(calls_made)}


def _tell(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    count_calls()
    configure_logging(level="warning", form="json")
    _tell(json.dumps(asyncio.run(main())))
