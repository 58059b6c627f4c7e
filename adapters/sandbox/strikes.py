"""Faults done at the transport: what the caller meets on the socket.

`before_*` and `status` never reach the handler; everything else really stores first
(``html200`` only with ``"store": true``).
"""

import asyncio
import json
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from adapters.sandbox.faults import Fault
from adapters.sandbox.feed import written_record
from adapters.sandbox.wire import Problem

_FOREVER_S = 3600.0
_PAGE = "<!DOCTYPE html><html><head><title>统一认证</title></head><body>请登录后再试</body></html>"
_MEGABYTE = 1024 * 1024

Answer = Callable[[], Awaitable[web.Response]]


async def strike(  # noqa: C901, PLR0911 - one line a kind
    fault: Fault, request: web.Request, real: Answer
) -> web.StreamResponse:
    """The answer the fault leaves of the real one; often none at all."""
    kind = fault.kind
    seconds = float(fault.do.get("seconds", _FOREVER_S))
    if kind == "status":
        return _status(fault)
    if kind == "html200" and not fault.do.get("store", False):
        return _html()
    if not kind.startswith("before_"):
        response = await real()
    if kind in {"before_hang", "store_then_hang"}:
        await asyncio.sleep(seconds)
        return _cut(request, reset=False)
    if kind in {"before_reset", "store_then_reset", "before_close", "store_then_close"}:
        return _cut(request, reset=kind.endswith("reset"))
    if kind == "late":
        await asyncio.sleep(float(fault.do.get("seconds", 1)))
        return response
    body = bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
    if kind == "store_then_half":
        await _begin(request, response, body[: len(body) // 2], len(body))
        return _cut(request, reset=False)
    if kind == "drip":
        return await _drip(request, response, body, float(fault.do.get("seconds", 1)))
    if kind == "huge":
        return await _huge(request, response, int(fault.do.get("bytes", 2 << 30)))
    if kind == "gzip_bomb":
        return await _bomb(request, response, int(fault.do.get("bytes", 2 << 30)))
    if kind == "html200":
        return _html()
    if kind == "shift":
        return web.Response(body=_shifted(fault, body), content_type=response.content_type)
    return web.Response(
        status=response.status, body=_mangled(fault, body), content_type=response.content_type
    )


def _status(fault: Fault) -> web.Response:
    headers = {}
    if "retry_after" in fault.do:
        headers["Retry-After"] = str(fault.do["retry_after"])
    status = int(fault.do.get("status", 503))
    if "code" in fault.do:
        return Problem(str(fault.do["code"]), "故障脚本").response(status=status, headers=headers)
    return web.Response(status=status, text=_PAGE, content_type="text/html", headers=headers)


def _html() -> web.Response:
    return web.Response(status=200, text=_PAGE, content_type="text/html")


def _cut(request: web.Request, *, reset: bool) -> web.Response:
    transport = request.transport
    if transport is not None:
        if reset:
            endpoint = transport.get_extra_info("socket")
            # a linger of 0 makes the kernel send RST, whatever stands in its buffers
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
    raise asyncio.CancelledError


async def _begin(
    request: web.Request, like: web.Response, first: bytes, length: int, **headers: str
) -> web.StreamResponse:
    response = web.StreamResponse(status=like.status, headers=headers)
    response.content_type = like.content_type
    response.content_length = length
    await response.prepare(request)
    await response.write(first)
    return response


async def _drip(request: web.Request, like: web.Response, body: bytes, seconds: float) -> web.StreamResponse:
    response = await _begin(request, like, body[:1], len(body))
    for byte in body[1:]:
        await asyncio.sleep(seconds)
        await response.write(bytes((byte,)))
    return response


async def _huge(request: web.Request, like: web.Response, total: int) -> web.StreamResponse:
    response = await _begin(request, like, b"", total)
    block = b" " * _MEGABYTE
    sent = 0
    while sent < total:
        await response.write(block[: total - sent])
        sent += len(block)
    return response


async def _bomb(request: web.Request, like: web.Response, total: int) -> web.StreamResponse:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b" " * _MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    # after a full flush every further megabyte packs to the same bytes; the checksum at
    # the end would be wrong, but a reader that gets so far has failed already
    block = packer.compress(b" " * _MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    response = web.StreamResponse(status=like.status, headers={"Content-Encoding": "gzip"})
    response.content_type = like.content_type
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(head)
    for _ in range(total // _MEGABYTE - 1):
        await response.write(block)
    return response


def _shifted(fault: Fault, body: bytes) -> bytes:
    """The page as one meets it whose records move while it is read; each is missing once at most."""
    page = json.loads(body)
    if not isinstance(page.get("items"), list):
        return body
    items = [written_record(item) for item in page["items"]]
    most = int(fault.do.get("most", 3))
    gone = {item for item in items[: fault.draw.randint(0, most)] if item not in fault.missed}
    fault.missed |= gone
    left = [item for item in items if item not in gone]
    left += fault.draw.sample(left, min(len(left), fault.draw.randint(0, most)))
    fault.draw.shuffle(left)
    tail = json.dumps({name: page[name] for name in ("next_cursor", "has_more")}, separators=(",", ":"))
    return b'{"items":[' + b",".join(left) + b"]," + tail[1:].encode()


def _mangled(fault: Fault, body: bytes) -> bytes:
    kind = fault.kind
    if kind == "gbk":
        text = body.decode("utf-8", "replace")
        # an ASCII answer would read the same in both charsets
        return text.replace("{", '{"备注":"来自旧系统",', 1).replace(",}", "}", 1).encode("gbk", "replace")
    if kind == "half_json":
        return body[: len(body) // 2]
    if kind == "nan":
        return b'{"value":NaN,' + body[1:]
    if kind == "deep":
        depth = int(fault.do.get("depth", 100_000))
        return b'{"deep":' + b"[" * depth + b"]" * depth + b"," + body[1:]
    count = int(fault.do.get("items", 1_000_000))
    return b'{"items":[' + b",".join([b"null"] * count) + b'],"next_cursor":"","has_more":false}'
