"""What all simulators share: the way of a request, control, health, start and end."""

import asyncio
import hmac
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from aiohttp import web

from adapters.sandbox.clock import BusinessClock, moment, written
from adapters.sandbox.faults import BY_HANDLER, Fault, Script
from adapters.sandbox.ledger import Journal, log_beside
from adapters.sandbox.signatures import Verifier
from adapters.sandbox.strikes import strike
from adapters.sandbox.wire import MAX_BODY, Problem, answer, parse

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)
FAULT: web.RequestKey[Fault] = web.RequestKey("fault", Fault)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    port: int
    host: str
    world: Path
    ledger: Path
    feed: Path
    listener: str
    keys: dict[str, str]
    light: bool


class Simulator:
    """One outside system. A subclass gives its routes and what to do with a request."""

    signed = True

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = BusinessClock.kept_in(options.ledger.with_name(f"{options.ledger.stem}.clock.json"))
        self.script = Script()
        self.verifier = Verifier(options.keys)
        self.journal = Journal(options.ledger, durable=not options.light)
        self.log = Journal(log_beside(options.ledger), durable=False)
        self.feed_file = Journal(options.feed, durable=not options.light)
        self.world = read_json(options.world / "world.json", {})
        self._control = os.environ.get("SIM_CONTROL", "")
        self._kept: WeakSet[asyncio.Transport] = WeakSet()

    def routes(self) -> list[web.RouteDef]:
        """The routes of the contract."""
        raise NotImplementedError

    def controls(self) -> list[web.RouteDef]:
        """Control routes of this simulator beside the common ones, below ``/_sim/``."""
        return []

    def target_text(self, body: bytes) -> str:
        """The text in which a fault rule's ``target`` is looked for."""
        return body.decode("utf-8", "replace")

    async def begin(self) -> None:
        """Called when the loop runs, before the port opens."""

    async def end(self) -> None:
        """Called on SIGTERM, before the files close."""

    def application(self) -> web.Application:
        """The aiohttp application with all routes and control routes."""
        app = web.Application(middlewares=[self._middleware()], client_max_size=MAX_BODY)
        app.add_routes([*self.routes(), *self.controls()])
        app.add_routes(
            [
                web.get("/_sim/health", self._health),
                web.post("/_sim/clock", self._set_clock),
                web.get("/_sim/faults", self._get_faults),
                web.post("/_sim/faults", self._set_faults),
                web.post("/_sim/lose", self._lose),
            ]
        )
        return app

    async def lose(self, own_ids: frozenset[str]) -> int:  # noqa: ARG002 - a gateway holds nothing
        """Lose effects that were confirmed; how many were held."""
        return 0

    def object_in(self, request: web.Request) -> dict[str, Any]:
        """The JSON object of the request's body."""
        return parse(request[BODY], request.content_type)

    def _middleware(self) -> Any:
        @web.middleware
        async def way(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith("/_sim/"):
                return await self._controlled(request, handler)
            try:
                request[BODY] = await request.read()
            except web.HTTPRequestEntityTooLarge:
                return Problem("too-large", f"报文超过 {MAX_BODY} 字节").response()
            body = request[BODY]
            fault = self.script.pick(
                request.method, request.path, self._connection_of(request), lambda: self.target_text(body)
            )
            if fault is None:
                return await self._answered(request, handler)
            request[FAULT] = fault
            if fault.kind in BY_HANDLER:
                return await self._answered(request, handler)
            return await strike(fault, request, lambda: self._answered(request, handler))

        return way

    def _connection_of(self, request: web.Request) -> str:
        """Whether this is the first request of its connection."""
        transport = request.transport
        if transport is None or transport in self._kept:
            return "kept"
        self._kept.add(transport)
        return "fresh"

    async def _answered(self, request: web.Request, handler: Handler) -> web.Response:
        try:
            if self.signed:
                self.verifier.verify(request.method, request.raw_path, request.headers, request[BODY])
            response = await handler(request)
        except Problem as problem:
            headers = {"Retry-After": "5"} if problem.code == "not-processed" else None
            return problem.response(headers=headers)
        except web.HTTPNotFound:
            return Problem("not-found", "没有这个地址").response()
        except web.HTTPMethodNotAllowed:
            return Problem("method-not-allowed", "这个地址不支持该方法").response()
        assert isinstance(response, web.Response)
        return response

    async def _controlled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Sim-Control", "")
        open_to_all = request.path == "/_sim/health"
        if not open_to_all and not (self._control and hmac.compare_digest(given, self._control)):
            return Problem("unknown-key", "控制口令不符").response(status=403)
        try:
            return await handler(request)
        except Problem as problem:
            return problem.response()

    async def _health(self, _: web.Request) -> web.Response:
        return answer({"status": "ok", "business_now": written(self.clock.now())})

    async def _set_clock(self, request: web.Request) -> web.Response:
        try:
            value = await request.json()
            self.clock.set(
                anchor_machine=moment(value["anchor_machine"]),
                anchor_business=moment(value["anchor_business"]),
                rate=float(value["rate"]),
            )
        except (ValueError, KeyError, TypeError):
            raise Problem("malformed", "应有 anchor_machine、anchor_business、rate") from None
        return answer({"business_now": written(self.clock.now())})

    async def _lose(self, request: web.Request) -> web.Response:
        try:
            own_ids = frozenset(str(own_id) for own_id in (await request.json())["own_ids"])
        except (ValueError, KeyError, TypeError):
            raise Problem("malformed", "应有 own_ids") from None
        return answer({"lost": await self.lose(own_ids)})

    async def _get_faults(self, _: web.Request) -> web.Response:
        return web.json_response(self.script.counts())

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self.script.replace(await request.json())
        except (ValueError, TypeError):
            raise Problem("malformed", "故障脚本不是 JSON，或数值不合格式") from None
        return answer({"rules": len(self.script.rules)})


async def serve(simulator: Simulator) -> None:
    """Serve until SIGTERM or SIGINT; the first line of stdout is `{"port":N}`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await simulator.begin()
    runner = web.AppRunner(simulator.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, simulator.options.host, simulator.options.port, backlog=1024)
    await site.start()
    port = runner.addresses[0][1]
    sys.stdout.write(json.dumps({"port": port}, separators=(",", ":")) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()
    await simulator.end()
    for journal in (simulator.journal, simulator.log, simulator.feed_file):
        await journal.close()


def read_json(path: Path, default: Any) -> Any:
    """The JSON in the file, or the default when there is no such file."""
    return json.loads(path.read_bytes()) if path.exists() else default
