"""The raw control: unsigned POSTs into an empty sink. It tells how fast the machine is just now."""

import asyncio
import subprocess
import sys
import time
from typing import Self

from aiohttp import web

from adapters.transport import Transport

_POSTS = 1600
_FEWEST = 160
_IN_FLIGHT = 16
_BODY = b"x" * 900  # about as long as a push


async def _sink() -> None:
    async def taken(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=201)

    app = web.Application()
    app.router.add_post("/", taken)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


class Control:
    """The sink in its own process, for the time of the ``with``."""

    def __enter__(self) -> Self:
        argv = [sys.executable, "-m", "benchmarks.control"]
        self._child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own sink
        assert self._child.stdout is not None
        self._url = f"http://127.0.0.1:{int(self._child.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()

    def posts_per_s(self, cases: int) -> float:
        """Unsigned POSTs a second, as many in flight as in the job.

        Fewer are posted beside a small job, or the control would last longer than the job.
        """
        return asyncio.run(_posted(self._url, min(_POSTS, max(_FEWEST, cases))))


async def _posted(url: str, posts: int) -> float:
    async with Transport(url, target="sink", connections=_IN_FLIGHT) as transport:

        async def some(count: int) -> None:
            for _ in range(count):
                await transport.call("POST", "/", body=_BODY, headers={}, deadline_s=20, max_bytes=1024)

        await some(_IN_FLIGHT)
        begun = time.perf_counter()
        await asyncio.gather(*(some(posts // _IN_FLIGHT) for _ in range(_IN_FLIGHT)))
        return posts // _IN_FLIGHT * _IN_FLIGHT / (time.perf_counter() - begun)


if __name__ == "__main__":
    asyncio.run(_sink())
