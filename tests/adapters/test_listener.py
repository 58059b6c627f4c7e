"""The listener on a real socket: stored before it is answered, and to strangers not there."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
import uvicorn

from adapters.listener.app import BODY_LIMIT, make_listener
from adapters.transport import Transport

SECRET = "an-unguessable-path-1"
PATH = f"/receipts/yunmas/{SECRET}"
REPORT = {
    "reportStatus": "DELIVRD",
    "mobile": "18000001999",
    "submitDate": "20261123100000",
    "receiveDate": "20261123100005",
    "errorCode": "DB:0140",
    "msgGroup": "0105013527000001139923",
}


class Desk:
    """Keeps what it is given; may refuse."""

    def __init__(self):
        self.taken = []
        self.broken = False

    async def receive(self, raw, receipt):
        await asyncio.sleep(0)
        if self.broken:
            raise OSError(f"no room for {raw!r}")
        self.taken.append((raw, receipt))


@pytest.fixture
async def desk():
    return Desk()


@asynccontextmanager
async def serving(desk, **options):
    app = make_listener(path_secret=SECRET, receive=desk.receive, **options)
    config = uvicorn.Config(app, port=0, access_log=False, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    running = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with Transport(f"http://127.0.0.1:{port}", target="listener") as transport:

        async def send(body, path=PATH, method="POST"):
            raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            answer = await transport.call(method, path, body=raw, headers={}, deadline_s=15, max_bytes=10_000)
            return answer.status, answer.body

        send.port = port
        yield send
    server.should_exit = True
    await running


async def test_a_report_is_stored_then_answered(desk):
    async with serving(desk) as send:
        assert await send(REPORT | {"extra": [1]}) == (200, b'{"code":"ok"}')
        assert await send(None, "/health", "GET") == (200, b'{"status":"ok"}')
    ((raw, receipt),) = desk.taken
    assert json.loads(raw)["extra"] == [1]
    assert receipt.delivered
    assert (receipt.msg_group, receipt.mobile) == (REPORT["msgGroup"], REPORT["mobile"])
    assert (receipt.submitted, receipt.received) == ("20261123100000", "20261123100005")
    assert receipt.error_code == "DB:0140"
    assert "18000001999" not in repr(receipt)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"not json",
        b'{"reportStatus":"DELIVRD"',
        json.dumps(REPORT).encode()[:-1] + b',"x":NaN}',
        json.dumps(REPORT | {"msgGroup": 7}).encode(),
        json.dumps(REPORT | {"msgGroup": ""}).encode(),
        json.dumps(REPORT | {"mobile": "x' OR 1=1"}).encode(),
        json.dumps(REPORT | {"reportStatus": "\n" * 5}).encode(),
        json.dumps({k: v for k, v in REPORT.items() if k != "mobile"}).encode(),
        json.dumps(
            {"mobile": "18000001999", "smsContent": "收到", "sendTime": "2026-11-23 10:00:00"}
        ).encode(),
        "{'状态'}".encode("gbk"),
    ],
)
async def test_what_is_no_report_is_stored_too_and_taken(desk, body):
    async with serving(desk) as send:
        assert await send(body) == (200, b'{"code":"malformed"}')
    assert desk.taken == [(body, None)]


async def test_not_stored_is_not_taken(desk):
    desk.broken = True
    async with serving(desk) as send:
        assert await send(REPORT) == (503, b'{"code":"not-stored"}')
        desk.broken = False
        assert (await send(REPORT))[0] == 200
    assert len(desk.taken) == 1


@pytest.mark.parametrize(
    "path", [PATH + "x", PATH[:-1], "/receipts/yunmas/", "/receipts/yunmas/%E7%9B%8A", "/"]
)
async def test_a_wrong_secret_finds_nothing(desk, path):
    async with serving(desk) as send:
        status, body = await send(REPORT, path)
    assert status == 404
    assert desk.taken == []
    assert SECRET.encode() not in body


async def test_a_stranger_finds_nothing(desk):
    async with serving(desk, allowed=["10.0.0.0/8", "192.0.2.7"]) as send:
        assert (await send(REPORT))[0] == 404
    async with serving(desk, allowed=["127.0.0.1", "10.0.0.0/8"]) as send:
        assert (await send(REPORT))[0] == 200
    assert len(desk.taken) == 1


async def test_too_large_is_cut(desk):
    async with serving(desk) as send:
        assert (await send(b"x" * BODY_LIMIT))[0] == 200
        assert await send(b"x" * (BODY_LIMIT + 1)) == (413, b'{"code":"too-large"}')
    assert len(desk.taken) == 1


async def test_a_body_that_never_comes_is_not_waited_for(desk, monkeypatch):
    monkeypatch.setattr("adapters.listener.app._READ_S", 0.2)
    async with serving(desk) as send:
        reader, writer = await asyncio.open_connection("127.0.0.1", send.port)
        writer.write(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{{".encode())
        head = await asyncio.wait_for(reader.readline(), 3)
        writer.close()
        assert b" 408 " in head
    assert desk.taken == []


@pytest.mark.parametrize("options", [{"path_secret": "short"}, {"allowed": ["somewhere"]}])
def test_settings_that_guard_nothing_are_refused(desk, options):
    with pytest.raises(ValueError, match=r"secret|address|network"):
        make_listener(**({"path_secret": SECRET, "receive": None} | options))
