"""Whether anybody listens at an address: a connection that says nothing, and is closed."""

import asyncio
import contextlib
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


async def why_not_reached(url: str, *, patience_s: float = 5.0) -> str | None:
    """None when a TCP connection to the address opens; else the kind of error that hinders it."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    try:
        async with asyncio.timeout(patience_s):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError) as error:
        return type(error).__name__
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None
