"""The gateway's contract, and a receipt's whole way: sent, reported to our listener, read."""

import asyncio

import pytest
import uvicorn

from adapters.listener.app import make_listener
from adapters.sms.yunmas import YunmasAccount, YunmasClient
from adapters.transport import Transport
from models.domain.errors import NotDone, Refused

PATH_SECRET = "an-unguessable-path-1"


@pytest.fixture
async def listening():
    """The listener's address, and what it was given."""
    taken = asyncio.Queue()

    async def receive(raw, receipt):
        await taken.put(receipt)

    app = make_listener(path_secret=PATH_SECRET, receive=receive, allowed=["127.0.0.1"])
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, access_log=False, log_config=None, lifespan="off", ws="none")
    )
    running = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", taken
    server.should_exit = True
    await running


async def test_a_text_and_its_receipt(outside, listening):
    url, taken = listening
    gateway = outside("sms", listener=url)
    account = YunmasAccount("某市政务", "demo", gateway.secret, "SIGN1")
    async with YunmasClient(Transport(gateway.url, target="sms", kept_s=0), account) as client:
        sent = [await client.send("18000001999", "您有1件新的办结，编号A7。") for _ in range(6)]
        groups = {receipt.msg_group for receipt in sent}
        assert len(groups) == 6  # the same text six times is six texts
        reports = [await asyncio.wait_for(taken.get(), 5) for _ in range(6)]
        assert {report.msg_group for report in reports} == groups
        assert all(report.delivered and report.mobile == "18000001999" for report in reports)
        with pytest.raises(Refused, match="InvalidMobile"):
            await client.send("12", "x")
    for wrong, code in (
        (YunmasAccount("某市政务", "demo", "wrong", "SIGN1"), "InvalidUsrOrPwd"),
        (YunmasAccount("某市政务", "demo", gateway.secret, ""), "NoSignId"),
    ):
        async with YunmasClient(Transport(gateway.url, target="sms", kept_s=0), wrong) as client:
            with pytest.raises(NotDone, match=code):
                await client.send("18000001999", "x")
    assert len(gateway.stored()) == 6
