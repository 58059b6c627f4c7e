"""Bytes beyond the answer are never read as the answer to the next call, on real sockets."""

import asyncio
import json
import ssl

import pytest

from adapters.platform.client import PlatformClient
from adapters.transport import Transport
from models.domain.errors import NotDone
from tests.adapters.certificates import certificate_of_this_host
from tests.adapters.test_effects import BODY, PROBLEM, TAKEN, problem
from tests.adapters.test_transport import post


def framed(body, *, status=200, head=b"content-length"):
    if head == b"content-length":
        return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)
    return b"HTTP/1.1 %d X\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
        status,
        len(body),
        body,
    )


STRAYS = {
    "whole": framed(b"first") + framed(b"stray"),
    "begun": framed(b"first") + framed(b"stray")[:-3],
    "same": framed(b"first") * 2,
    "chunked": framed(b"first", head=b"chunked") + framed(b"stray"),
    "after_100": b"HTTP/1.1 100 Continue\r\n\r\n" + framed(b"first") + framed(b"stray"),
    "bare": framed(b"first").replace(b"\r\n", b"\n") + framed(b"stray"),
}


@pytest.mark.parametrize("packet", STRAYS.values(), ids=STRAYS)
async def test_an_answer_in_the_same_packet_is_not_taken_for_the_next(hostile, packet):
    async def together(connection, request):
        if len(server.requests) == 1:
            await connection.raw(packet)
        else:
            await connection.raw(framed(b"second"))

    async with hostile(together) as server, Transport(server.url, target="t") as transport:
        assert (await post(transport)).body[:1] == b"f"
        assert (await post(transport)).body == b"second"
        assert (len(server.requests), server.connections) == (2, 2)


async def test_an_answer_that_fills_a_read_hides_none_behind_it(hostile):
    first = framed(b"f" * 65495)
    assert len(first) == 65536

    async def together(connection, request):
        await connection.raw(first + framed(b"stray") if len(server.requests) == 1 else framed(b"second"))

    async with hostile(together) as server, Transport(server.url, target="t") as transport:
        assert len((await post(transport)).body) == 65495
        assert (await post(transport)).body == b"second"


@pytest.mark.parametrize(
    "packets",
    [
        [framed(b"fine")],
        [framed(b"fine")[:-4], b"fine"],
        [framed(b"fine")[:-2], b"ne"],
        [b"HTTP/1.1 204 X\r\n\r\n"],
        [framed(b"")],
        [framed(b"f" * 300_000)],
    ],
    ids=["one", "head_then_body", "split", "no_body", "empty", "large"],
)
async def test_a_connection_that_brought_one_whole_answer_is_kept(hostile, packets):
    async def whole(connection, request):
        for packet in packets:
            await connection.raw(packet)
            await asyncio.sleep(0.01)

    async with hostile(whole) as server, Transport(server.url, target="t") as transport:
        for _ in range(3):
            await post(transport, max_bytes=1_000_000)
            await asyncio.sleep(0.02)
        assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize("surplus", [b"", framed(b"stray")], ids=["one", "two"])
@pytest.mark.parametrize("records", [1, 2])
async def test_a_record_of_tls_behind_the_answer_is_not_taken_for_the_next(tmp_path, records, surplus):
    certificate, key = certificate_of_this_host(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    connections = 0

    async def serve(reader, writer):
        nonlocal connections
        connections += 1
        own = framed(str(connections).encode())
        while await reader.readuntil(b"\r\n\r\n") and await reader.readexactly(2):
            # Two writes before the loop turns leave as two records in one packet.
            for piece in (own + surplus,) if records == 1 else (own, surplus):
                writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    tls = ssl.create_default_context(cafile=certificate)
    async with Transport(url, target="t", tls=tls) as transport:
        answers = [(await post(transport)).body for _ in range(3)]
    server.close()
    assert answers == ([b"1", b"2", b"3"] if surplus else [b"1"] * 3)


def told(value, status, kind="application/json"):
    body = json.dumps(value).encode()
    return b"HTTP/1.1 %d X\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s" % (
        status,
        kind.encode(),
        len(body),
        body,
    )


TOOK, BUSY = told(TAKEN, 201), told(problem("not-processed", 503), 503, PROBLEM)
AFTER_IT = {
    "receipt": TOOK,
    "422": told(problem("rule-broken", 422), 422, PROBLEM),
    "503": told(problem("not-processed", 503), 503, PROBLEM),
}


@pytest.mark.parametrize("stray", AFTER_IT.values(), ids=AFTER_IT)
@pytest.mark.parametrize("truth", [TOOK, BUSY], ids=["taken", "not_taken"])
async def test_a_push_is_judged_by_its_own_answer(talking, stray, truth):
    async def together(connection, request):
        await connection.raw(TOOK + stray if len(server.requests) == 1 else truth)

    async with talking(together) as (exchange, server):
        client = PlatformClient(exchange)
        await client.push("PS1", BODY)
        if truth is TOOK:
            assert (await client.push("PS1", BODY)).number == "TS1"
        else:
            with pytest.raises(NotDone):
                await client.push("PS1", BODY)
        assert len(server.requests) == 2


async def test_a_page_is_never_the_one_of_another_feed(talking):
    page = {"has_more": False, "next_cursor": "c1"}

    async def together(connection, request):
        if request.target.startswith("/v1/cases"):
            await connection.raw(told(page | {"items": [1]}, 200) + told(page | {"items": [2]}, 200))
        else:
            await connection.raw(told(page | {"items": [3]}, 200))

    async with talking(together) as (exchange, _):
        assert [item.value for item in (await exchange.page("/v1/cases", None, limit=10)).items] == [1]
        assert [item.value for item in (await exchange.page("/v1/feedback", None, limit=10)).items] == [3]
