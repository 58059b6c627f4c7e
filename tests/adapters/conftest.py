"""A server that does on a real socket whatever a test tells it, and counts what it read."""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.exchange import Exchange
from adapters.signing import make_signer
from adapters.transport import Transport


class Hostile:
    """`do` is called with each request it read; it answers, or misbehaves, through the connection."""

    def __init__(self, do):
        self.do = do
        self.requests = []
        self.connections = 0
        self._open = set()

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def stop(self):
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.connections += 1
        task = asyncio.current_task()
        self._open.add(task)
        connection = Connection(reader, writer)
        try:
            while not writer.is_closing():
                self.requests.append(await connection.request())
                await self.do(connection, self.requests[-1])
        except (
            asyncio.IncompleteReadError,
            ConnectionError,
            asyncio.CancelledError,
            asyncio.LimitOverrunError,
        ):
            pass
        finally:
            writer.close()
            self._open.discard(task)


class Connection:
    """One accepted connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.served = 0

    async def request(self):
        """The next whole request: method, target, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in headers.items()}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = first.split(" ")
        self.served += 1
        return Request(method, target, headers, body)

    async def raw(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body=b"{}", *, status=200, kind="application/json", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def close(self):
        self.writer.close()

    def reset(self):
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def half(self):
        await self.raw(b'HTTP/1.1 201 Created\r\ncontent-length: 200\r\n\r\n{"receipt":')
        self.close()

    async def half_head(self):
        await self.raw(b"HTTP/1.1 201 Cre")
        self.close()

    async def hang(self):
        await asyncio.sleep(60)


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body


async def misbehave(connection, how):
    """One of close, reset, hang, half, half_head."""
    done = getattr(connection, how)()
    if done is not None:
        await done


@pytest.fixture
def hostile():
    """`async with hostile(do) as server`."""

    @asynccontextmanager
    async def run(do):
        server = Hostile(do)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()

    return run


@pytest.fixture
def talking(hostile):
    """`async with talking(do) as (exchange, server)`: a signed exchange with such a server."""

    @asynccontextmanager
    async def run(do, *, deadline_s=5.0, target="platform", **options):
        async with hostile(do) as server, Transport(server.url, target=target, **options) as transport:
            signer = make_signer("rfc9421-sha256", key_id="demo", secret=b"a made-up secret")
            yield Exchange(transport, signer, deadline_s=deadline_s), server

    return run


@pytest.fixture
def closed_port():
    """A port of this machine on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


KEY_ID, SECRET, PATH_SECRET = "demo", "a made-up secret", "an-unguessable-path-1"
ROOT = Path(__file__).parents[2]


@dataclass
class System:
    """One outside system to speak to: its simulator, or a real endpoint named by the environment."""

    url: str
    key_id: str = KEY_ID
    secret: str = SECRET
    signing: str = "rfc9421-sha256"
    ledger: Path | None = None

    def exchange(self, target, signing=""):
        signer = make_signer(signing or self.signing, key_id=self.key_id, secret=self.secret.encode())
        return Exchange(Transport(self.url, target=target), signer, deadline_s=10)

    def stored(self):
        """The effects the simulator holds; None behind a real endpoint."""
        return [json.loads(line) for line in self.ledger.read_text().splitlines()] if self.ledger else None


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """`outside(kind, **world)`: a running simulator over these world files, or the real endpoint.

    A real one is named by SHENGUAN_TEST_{PLATFORM,CREDIT}_{URL,KEY_ID,SECRET,SIGNING}; it must be one
    made for tests, for the suite stores effects there.
    """
    started = []

    def open_system(kind, *, listener="", **world):
        name = f"SHENGUAN_TEST_{kind.upper()}_"
        if url := os.environ.get(f"{name}URL"):
            said = {key: os.environ[name + key.upper()] for key in ("key_id", "secret")}
            return System(url, **said, signing=os.environ.get(f"{name}SIGNING", "rfc9421-sha256"))
        folder = tmp_path_factory.mktemp(kind)
        (folder / "world.json").write_text(json.dumps({"seed": 7, "disorder": 0, "sms_undelivered": 0}))
        for file, rows in world.items():
            (folder / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        ledger = folder / "ledger.jsonl"
        command = [sys.executable, "-m", "adapters.sandbox", kind, "--world", folder, "--ledger", ledger]
        command += ["--feed", folder / "feed.jsonl"] + (["--listener", listener] if listener else [])
        surroundings = os.environ | {"SIM_SECRET": SECRET, "SIM_LISTENER_SECRET": PATH_SECRET}
        process = subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE)
        started.append(process)
        port = json.loads(process.stdout.readline())["port"]
        return System(f"http://127.0.0.1:{port}", ledger=ledger)

    yield open_system
    for process in started:
        process.terminate()
        process.wait(10)
        process.stdout.close()
