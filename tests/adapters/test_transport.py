"""What the transport says of every way a call can end, on real sockets."""

import asyncio
import gzip
import pickle
import socket
import ssl
import time

import pytest

from adapters.transport import KEPT_BYTES, Transport
from models.domain.errors import NotDone, OutcomeUnknown, Unreadable
from tests.adapters.certificates import certificate_of_this_host

SECRET_NAME = "王小明430902199001011234"


async def post(transport, *, deadline_s=5.0, max_bytes=100_000, body=b"{}", path="/v1/pushes"):
    return await transport.call(
        "POST",
        path,
        body=body,
        headers={"content-type": "application/json"},
        deadline_s=deadline_s,
        max_bytes=max_bytes,
    )


async def ok(connection, request):
    await connection.answer(b"fine")


async def test_a_call_carries_exactly_our_bytes_under_the_base_path(hostile):
    async with hostile(ok) as server, Transport(server.url + "/base/", target="t") as transport:
        answer = await post(transport, body=SECRET_NAME.encode(), path="/v1/x?day=2026-01-01")
    request = server.requests[0]
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"fine", "application/json")
    assert (request.method, request.target) == ("POST", "/base/v1/x?day=2026-01-01")
    assert request.body == SECRET_NAME.encode()
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["accept-encoding"] == "identity"


async def test_nobody_listens(closed_port):
    async with Transport(f"http://127.0.0.1:{closed_port}", target="t") as transport:
        with pytest.raises(NotDone):
            await post(transport)


async def test_the_connection_is_never_accepted():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        async with Transport(url, target="t", connect_s=0.2) as transport:
            with pytest.raises(NotDone):
                await post(transport)
        async with Transport(url, target="t", connect_s=5) as transport:
            with pytest.raises(NotDone):
                await post(transport, deadline_s=0.2)
        for sock in waiting:
            sock.close()


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("how", ["close", "reset", "hang", "half", "half_head"])
async def test_read_then_no_whole_answer_is_unknown_and_never_sent_again(hostile, how, kept):
    async def do(connection, request):
        if kept and connection.served == 1 and len(server.requests) == 1:
            await connection.answer()
        else:
            done = getattr(connection, how)()
            if done is not None:
                await done

    async with hostile(do) as server, Transport(server.url, target="t") as transport:
        if kept:
            await post(transport)
        with pytest.raises(OutcomeUnknown):
            await post(transport, deadline_s=0.4)
        assert len(server.requests) == 1 + kept
        assert server.connections == 1


async def test_a_large_request_cut_off_half_way_is_unknown(hostile):
    async def greedy(reader, writer):
        await reader.read(1000)
        writer.transport.abort()

    server = await asyncio.start_server(greedy, "127.0.0.1", 0)
    async with Transport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", target="t") as transport:
        with pytest.raises(OutcomeUnknown):
            await post(transport, body=b"x" * 20_000_000)
    server.close()


async def test_a_connection_closed_while_idle_is_not_used_and_the_post_goes_once(hostile):
    async def once(connection, request):
        await connection.answer()
        connection.close()

    async with hostile(once) as server, Transport(server.url, target="t") as transport:
        for _ in range(3):
            await post(transport)
            await asyncio.sleep(0.05)
        assert (len(server.requests), server.connections) == (3, 3)


async def test_no_connection_is_kept_when_none_shall_be(hostile):
    async with hostile(ok) as server, Transport(server.url, target="t", kept_s=0) as transport:
        for _ in range(3):
            await post(transport)
        assert server.connections == 3


async def test_an_answer_after_the_answer_is_not_taken_for_the_next(hostile):
    async def twice(connection, request):
        await connection.answer(b"first")
        await asyncio.sleep(0.05)
        await connection.answer(b"stray")

    async with hostile(twice) as server, Transport(server.url, target="t") as transport:
        assert (await post(transport)).body == b"first"
        await asyncio.sleep(0.15)
        assert (await post(transport)).body == b"first"


PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"
STRAYS = {
    "an answer": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray",
    "an answer in chunks": CHUNKED.replace(b"first", b"stray"),
    "a refusal": b"HTTP/1.1 422 No\r\ncontent-length: 2\r\n\r\n{}",
    "a failure": b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
    "an answer of another version": CHUNKED.replace(b"first", b"stray").replace(b"/1.1", b"/3.1"),
    "a beginning": b"HTTP/1.1 200 OK\r\ncontent-le",
    "a byte": b"\n",
}


@pytest.mark.parametrize("first", [PLAIN, CHUNKED], ids=["plain", "chunked"])
@pytest.mark.parametrize("stray", list(STRAYS.values()), ids=list(STRAYS))
async def test_what_came_with_an_answer_is_no_part_of_the_next_one(hostile, first, stray):
    async def once_with_more(connection, request):
        if "/one" in request.target:
            await connection.raw(first + stray)
        else:
            await connection.answer(b"second")

    async with hostile(once_with_more) as server, Transport(server.url, target="t") as transport:
        assert (await post(transport, path="/one")).body == b"first"
        answer = await post(transport, path="/two")
        assert (answer.status, answer.body) == (200, b"second")
        assert server.connections == 2


@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("answer", [PLAIN, CHUNKED], ids=["plain", "chunked"])
async def test_a_connection_whose_answers_end_where_they_say_is_kept(hostile, answer, pieces):
    async def in_pieces(connection, request):
        size = -(-len(answer) // pieces)
        for at in range(0, len(answer), size):
            await connection.raw(answer[at : at + size])
            await asyncio.sleep(0.02)

    async with hostile(in_pieces) as server, Transport(server.url, target="t") as transport:
        for _ in range(3):
            assert (await post(transport)).body == b"first"
        assert server.connections == 1


@pytest.mark.parametrize("where", ["body", "head", "never_ends"])
async def test_the_deadline_is_total(hostile, where):
    async def drip(connection, request):
        if where == "body":
            await connection.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        if where == "never_ends":
            await connection.raw(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await connection.raw(b"H")
            await asyncio.sleep(0.02)

    async with hostile(drip) as server, Transport(server.url, target="t") as transport:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            await post(transport, deadline_s=0.3)
        assert time.monotonic() - started < 1.0


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_cut_while_it_streams(hostile, chunked):
    async def huge(connection, request):
        block = b"x" * 65536
        if chunked:
            await connection.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            block = b"10000\r\n" + block + b"\r\n"
        else:
            await connection.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n")
        for _ in range(32768):
            await connection.raw(block)
            sent[0] += 65536

    sent = [0]
    async with hostile(huge) as server, Transport(server.url, target="t") as transport:
        with pytest.raises(Unreadable) as caught:
            await post(transport, max_bytes=200_000)
    assert caught.value.rule == "too-large"
    assert caught.value.raw == b"x" * KEPT_BYTES
    assert sent[0] < 50_000_000


async def test_a_compressed_answer_nobody_asked_for_is_not_unpacked(hostile):
    bomb = gzip.compress(b"0" * 10_000_000)

    async def packed(connection, request):
        await connection.answer(bomb, content_encoding="gzip")

    async with hostile(packed) as server, Transport(server.url, target="t") as transport:
        with pytest.raises(Unreadable) as caught:
            await post(transport)
    assert caught.value.rule == "content-encoding"
    assert caught.value.raw == bomb[:KEPT_BYTES]


async def test_a_redirect_is_an_answer_and_is_not_followed(hostile):
    async def elsewhere(connection, request):
        await connection.answer(status=307, location="/v1/other")

    async with hostile(elsewhere) as server, Transport(server.url, target="t") as transport:
        assert (await post(transport)).status == 307
        assert len(server.requests) == 1


async def test_a_proxy_of_the_environment_is_not_asked(hostile, closed_port, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    async with hostile(ok) as server, Transport(server.url, target="t") as transport:
        assert (await post(transport)).body == b"fine"


@pytest.mark.parametrize("limit", ["connection", "deadline"])
async def test_waiting_in_vain_for_a_free_connection_is_not_done(hostile, limit):
    async def slow(connection, request):
        await asyncio.sleep(0.6)
        await connection.answer()

    connect_s, deadline_s = (0.1, 5.0) if limit == "connection" else (5.0, 0.1)
    async with (
        hostile(slow) as server,
        Transport(server.url, target="t", connections=1, connect_s=connect_s) as transport,
    ):
        first = asyncio.create_task(post(transport))
        await asyncio.sleep(0.05)
        with pytest.raises(NotDone):
            await post(transport, deadline_s=deadline_s)
        assert (await first).status == 200
        assert len(server.requests) == 1


async def test_a_cancelled_call_leaves_no_half_used_connection(hostile):
    async def slow_once(connection, request):
        if len(server.requests) == 1:
            await asyncio.sleep(0.1)
        await connection.answer(str(len(server.requests)).encode())

    async with hostile(slow_once) as server, Transport(server.url, target="t", connections=1) as transport:
        first = asyncio.create_task(post(transport))
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await post(transport)).body == b"2"
        assert server.connections == 2


async def test_tls_to_a_server_that_speaks_none_is_not_done(hostile):
    async with hostile(ok) as server:
        url = server.url.replace("http:", "https:")
        async with Transport(url, target="t", connect_s=0.3) as transport:
            with pytest.raises(NotDone):
                await post(transport)
        assert server.requests == []


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_certificate_is_checked_before_anything_leaves(tmp_path, trusted):
    certificate, key = certificate_of_this_host(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    seen = []

    async def serve(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    tls = ssl.create_default_context(cafile=certificate) if trusted else None
    async with Transport(url, target="t", tls=tls) as transport:
        if trusted:
            assert (await post(transport)).status == 200
        else:
            with pytest.raises(NotDone):
                await post(transport)
    server.close()
    assert len(seen) == trusted


async def test_errors_say_nothing_of_what_was_sent_and_survive_pickling(hostile):
    async def close(connection, request):
        connection.close()

    async with hostile(close) as server, Transport(server.url, target="t") as transport:
        with pytest.raises(OutcomeUnknown) as caught:
            await post(transport, body=SECRET_NAME.encode(), path="/v1/reports/PS430902199001011234")
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert str(error) == "t: the outcome is unknown (RemoteProtocolError)"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["ftp://h", "http://", "http://u:p@h", "h:80", "http://h/?a=1"])
def test_a_base_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="base address"):
        Transport(url, target="t")
