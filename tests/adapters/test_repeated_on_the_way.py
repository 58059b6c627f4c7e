"""Something between us and them sends a request twice and brings back the second answer only."""

import asyncio
from dataclasses import replace

import pytest

from adapters.platform.client import PlatformClient
from adapters.sms.aliyun import AliyunAccount, AliyunClient
from adapters.transport import Transport
from models.domain.errors import OutcomeUnknown
from tests.adapters.test_ports_platform import push

MOBILE, TEXT = "18000001999", "有1件新的办结，编号A7。"


async def brought(request, port):
    """The whole answer to one copy of the request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + request.body)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()
    return head + body


@pytest.fixture
def doubling(hostile):
    """`doubling(url)`: a proxy to that simulator."""

    def to(url):
        port = int(url.rpartition(":")[2])

        async def twice(connection, request):
            await brought(request, port)
            await connection.raw(await brought(request, port))

        return hostile(twice)

    return to


async def test_a_text_whose_nonce_was_used_may_have_left(outside, doubling):
    gateway = outside("sms-aliyun")
    account = AliyunAccount("demo", gateway.secret, "某市审管联动", "SMS_1")
    async with (
        doubling(gateway.url) as proxy,
        AliyunClient(Transport(proxy.url, target="sms2", kept_s=0), account) as client,
    ):
        with pytest.raises(OutcomeUnknown, match="SignatureNonceUsed"):
            await client.send(MOBILE, TEXT, "REF1")
    assert [line["out_id"] for line in gateway.stored()] == ["REF1"]


async def test_a_push_whose_nonce_was_used_may_be_held(outside, doubling):
    platform = outside("platform")
    own, body = push("T-1")
    async with doubling(platform.url) as proxy:
        through, straight = (
            replace(platform, url=url).exchange("platform") for url in (proxy.url, platform.url)
        )
        async with through, straight:
            with pytest.raises(OutcomeUnknown, match="nonce-replayed"):
                await PlatformClient(through).push(own, body)
            assert (await PlatformClient(straight).find("push", own)).own_id == own
    assert [line["own_id"] for line in platform.stored()] == [own]
