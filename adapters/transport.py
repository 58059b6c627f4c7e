"""The one door to the outside, and the only importer of the HTTP client.

A call ends in an answer, or in the one question that matters: is it *proven* that nothing left?
Measurements and the choice of client: ``docs/decisions/0001-http-transport.md``.
"""

import asyncio
import re
import select
import ssl
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpcore2

from models.domain.errors import NoConnection, NotDone, OutcomeUnknown, Unreadable

KEPT_BYTES = 64 * 1024
"""How much of an answer that cannot be taken is kept for quarantine."""

TOO_LARGE = "too-large"
"""The rule that an answer over the limit breaks."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, complete and within the limit. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport:
    """Calls to one base address over kept connections, bound to the event loop it is used in.

    No redirects, no repeats, no proxies from the environment, no decompression, HTTP/1.1 only;
    TLS certificates are verified. ``kept_s`` is how long an idle connection is kept: 0 gives every
    call a connection of its own, so that no call can meet one that the other side is just closing.
    """

    def __init__(
        self,
        base_url: str,
        *,
        target: str,
        connections: int = 32,
        kept_s: float = 5.0,
        connect_s: float = 5.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError(f"{target}: the base address must be http(s)://host[:port][/path]")
        self.target = target
        self.prefix = parts.path.rstrip("/")
        self._scheme, self._host, self._port = (
            parts.scheme.encode(),
            parts.hostname.encode("idna"),
            parts.port,
        )
        shown = b"[" + self._host + b"]" if b":" in self._host else self._host
        self._shown = shown if parts.port is None else shown + b":" + str(parts.port).encode()
        self._timeouts = {"connect": connect_s, "pool": connect_s}
        if tls is None and parts.scheme == "https":
            tls = ssl.create_default_context()
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections if kept_s else 0,
            keepalive_expiry=kept_s,
            http1=True,
            http2=False,
            retries=0,
            network_backend=_WatchedNetwork(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def host(self) -> str:
        """The value of the ``host`` header."""
        return self._shown.decode("ascii")

    async def aclose(self) -> None:
        """All connections closed."""
        await self._pool.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline_s: float,
        max_bytes: int,
    ) -> Answer:
        """The complete answer to one request, sent at most once.

        ``path`` starts with ``/``, is already escaped and may hold a query; the base address's own
        path goes before it. ``deadline_s`` is the total, from waiting for a connection to the last byte.

        Raises:
            NotDone: it is proven that no byte of the request left; NoConnection where it is theirs.
            OutcomeUnknown: the request, or a part of it, left, and no complete answer came.
            Unreadable: an answer came that is over ``max_bytes`` (``too-large``) or compressed although
                that was not asked for (``content-encoding``); its first bytes are kept.
        """
        target = (self.prefix + path).encode("ascii")
        request = httpcore2.Request(
            method,
            httpcore2.URL(scheme=self._scheme, host=self._host, port=self._port, target=target),
            headers=self._headers(headers, body),
            content=body or b"",
            extensions={"timeout": self._timeouts},
        )
        request_state = _Departure()
        token = _departure.set(request_state)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._answer(request, max_bytes)
        except _FAILURES as error:
            # The kind of the error is told, never its text: a library may quote what was sent.
            reason = type(error).__name__
            if request_state.begun:
                raise OutcomeUnknown(self.target, reason) from None
            if isinstance(error, httpcore2.PoolTimeout):
                # Our own connections are all taken: that says nothing of them.
                raise NotDone(self.target, reason) from None
            raise NoConnection(self.target, reason) from None
        finally:
            _departure.reset(token)

    def _headers(self, headers: Mapping[str, str], body: bytes | None) -> list[tuple[bytes, bytes]]:
        made = [(b"host", self._shown), (b"accept-encoding", b"identity"), (b"user-agent", b"shenguan")]
        made += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        if body is not None:
            made.append((b"content-length", str(len(body)).encode()))
        return made

    async def _answer(self, request: httpcore2.Request, max_bytes: int) -> Answer:
        response = await self._pool.handle_async_request(request)
        headers = {name.decode("latin-1").lower(): v.decode("latin-1") for name, v in response.headers}
        packed = headers.get("content-encoding", "identity").strip().lower() != "identity"
        most, rule = (KEPT_BYTES, "content-encoding") if packed else (max_bytes, TOO_LARGE)
        body = bytearray()
        try:
            async with aclosing(response.aiter_stream()) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > most:
                        break
            if len(body) <= most:
                stream = response.extensions["network_stream"]
                assert isinstance(stream, _WatchedStream)
                stream.ended(len(body), chunked="transfer-encoding" in headers)
        finally:
            await response.aclose()
        if packed or len(body) > most:
            raise Unreadable(self.target, rule, bytes(body[:KEPT_BYTES]))
        return Answer(response.status, headers, bytes(body))


_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    TimeoutError,
    OSError,
)


_HEAD_END = re.compile(rb"\n\r?\n")
"""Where the head of an answer ends, as the parser below finds it."""
_CHUNKS_END, _ANSWER_BEGINS = b"0\r\n\r\n", b"HTTP/"


class _Departure:
    """Whether a byte of this call's request was handed to the network."""

    begun = False


_departure: ContextVar[_Departure] = ContextVar("departure")


class _WatchedStream(httpcore2.AsyncNetworkStream):
    """A connection that notes the first write of a call: the proof is ours, not an error's name.

    It also counts what came since: bytes behind the end of an answer are no part of the next one, and the
    library below would take them for it. Such a connection takes no new call.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket: Any = None
        self._tls: Any = None
        self._poll = select.poll()
        self._came, self._head, self._head_ends, self._last, self._tail = 0, b"", 0, b"", b""
        self._cut = False
        self._takes_calls = True

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        came = await self._stream.read(max_bytes, timeout)
        self._came += len(came)
        if not self._head_ends:
            self._head += came
            found = _HEAD_END.search(self._head)
            self._head_ends = found.end() if found else 0
        self._tail = (self._tail + came)[-len(_CHUNKS_END) :]
        self._last = came
        # A full read may have left a rest below us, where no poll shows it.
        self._cut = len(came) >= max_bytes
        return came

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        _departure.get().begun = True
        self._came, self._head, self._head_ends, self._last, self._tail = 0, b"", 0, b"", b""
        self._takes_calls = False  # until its answer has ended as it said
        await self._stream.write(buffer, timeout)

    def ended(self, body: int, *, chunked: bool) -> None:
        """An answer with a body of so many bytes is complete; where more came, no call may follow.

        The frames of a body in chunks are not counted: there the last bytes must be its end, and what was
        read last must hold no other answer's beginning.
        """
        if chunked:
            begins = self._last.count(_ANSWER_BEGINS) - self._last.startswith(_ANSWER_BEGINS)
            whole = self._tail == _CHUNKS_END and not begins
        else:
            whole = bool(self._head_ends) and self._came == self._head_ends + body
        self._takes_calls = whole and not self._cut

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        return _WatchedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        # Asked before each call of a kept connection; the stream below would gather all it knows for it.
        return self._is_readable() if info == "is_readable" else self._stream.get_extra_info(info)

    def _is_readable(self) -> bool:
        """Whether something lies there unread, as its end would: such a connection takes no new call."""
        if not self._takes_calls:
            return True
        if self._socket is None:
            self._socket = self._stream.get_extra_info("socket")
            if self._socket is None or self._socket.fileno() < 0:
                return True
            self._tls = self._stream.get_extra_info("ssl_object")
            self._poll.register(self._socket.fileno(), select.POLLIN)
        # A closed one is no file any more, and its number may be another's by now.
        return self._socket.fileno() < 0 or bool(self._poll.poll(0)) or self._holds_a_record()

    def _holds_a_record(self) -> bool:
        """Whether TLS took more off the socket than the answer; what this takes out, no call needs."""
        if self._tls is None:
            return False
        try:
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            return True
        return True


class _WatchedNetwork(httpcore2.AsyncNetworkBackend):
    """Connections over asyncio, each of them watched."""

    def __init__(self) -> None:
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _WatchedStream(
            await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
