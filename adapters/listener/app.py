"""The listener: an app that is handed the function it calls, and knows nothing of the ledger.

Receipts come unsigned. What guards them is an unguessable path, a list of addresses, and that the
ledger believes only what it is waiting for. Serve it without an access log: the path holds the secret.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Collection, Sequence
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.listener.aliyun import read_reports
from adapters.listener.yunmas import read_receipt
from adapters.values import InboundReceipt

log = structlog.get_logger(__name__)

Receive = Callable[[bytes, InboundReceipt | None], Awaitable[None]]

BODY_LIMIT = 64 * 1024
ARRAY_LIMIT = 1024 * 1024
SECRET_LEAST = 16
_READ_S = 10.0


def make_listener(*, path_secret: str, receive: Receive, allowed: Collection[str] = ()) -> Starlette:
    """An app with ``POST /receipts/yunmas/{secret}``, ``…/aliyun/{secret}`` and ``GET /health``.

    ``receive`` gets the exact bytes and the report they hold, None when they hold none (for quarantine).
    200 is answered only after it came back; when it raises, 503, so that the gateway posts again.
    ``allowed`` are addresses or networks (``10.1.0.0/16``) of the peer; empty means any. To a stranger,
    and to a wrong secret, the path is not there (404).

    Raises:
        ValueError: a secret of fewer than 16 characters, or something that is no address.
    """
    if len(path_secret) < SECRET_LEAST:
        raise ValueError(f"the path secret needs at least {SECRET_LEAST} characters")
    gate = _Gate(path_secret.encode(), tuple(ip_network(text, strict=False) for text in allowed))

    async def receipts(request: Request) -> Response:
        if not gate.admits(request):
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return await _received(request, receive)

    async def arrays(request: Request) -> Response:
        if not gate.admits(request):
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return await _received_array(request, receive)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/receipts/yunmas/{secret}", receipts, methods=["POST"]),
            Route("/receipts/aliyun/{secret}", arrays, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ]
    )


class _Gate:
    """Who may post."""

    def __init__(self, secret: bytes, networks: tuple[IPv4Network | IPv6Network, ...]) -> None:
        self._secret = secret
        self._networks = networks

    def admits(self, request: Request) -> bool:
        """Whether the secret is ours and the peer's address allowed; the secret in constant time."""
        known = hmac.compare_digest(request.path_params["secret"].encode(), self._secret)
        return self._from_allowed(request) and known

    def _from_allowed(self, request: Request) -> bool:
        if not self._networks:
            return True
        try:
            peer = ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        return any(peer in network for network in self._networks)


async def _received(request: Request, receive: Receive) -> Response:
    raw = await _read(request, BODY_LIMIT)
    if isinstance(raw, Response):
        return raw
    receipt = read_receipt(raw)
    if not await _kept([(raw, receipt)], receive):
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "not-stored")
    return _answer(HTTPStatus.OK, "ok" if receipt else "malformed")


async def _received_array(request: Request, receive: Receive) -> Response:
    raw = await _read(request, ARRAY_LIMIT)
    if isinstance(raw, Response):
        return raw
    if not await _kept(read_reports(raw), receive):
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "not-stored")
    return JSONResponse({"code": 0, "msg": "接收成功"})


async def _kept(reports: Sequence[tuple[bytes, InboundReceipt | None]], receive: Receive) -> bool:
    try:
        for raw, receipt in reports:
            await receive(raw, receipt)
    except Exception as error:  # noqa: BLE001 - whatever it is, the gateway must post again
        log.error("receipt.not_stored", error=type(error).__name__)  # noqa: TRY400 - a trace could show the number
        return False
    return True


async def _read(request: Request, limit: int) -> bytes | Response:
    try:
        async with asyncio.timeout(_READ_S):
            raw = await _body(request, limit)
    except (TimeoutError, ClientDisconnect):
        return Response(status_code=HTTPStatus.REQUEST_TIMEOUT)
    return _answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large") if raw is None else raw


async def _body(request: Request, limit: int) -> bytes | None:
    """The whole body; None when it is over the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _answer(status: HTTPStatus, code: str) -> JSONResponse:
    return JSONResponse({"code": code}, status_code=status)
