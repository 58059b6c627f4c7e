"""Our automations on a real server: made once, kept in step, and calling a webhook in Chinese."""

import asyncio
import json
import re
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.prefect_api.automations import apply, declared
from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.events import emit
from adapters.prefect_api.values import NewRun, State
from adapters.prefect_api.wire import PrefectWire

pytestmark = pytest.mark.stack

FILE = Path(__file__).resolve().parents[3] / "config" / "automations.toml"


@pytest.fixture
async def wire(prefect_server):
    opened = PrefectWire(prefect_server.api_url, auth=prefect_server.auth)
    yield opened
    await opened.aclose()


@pytest.fixture
async def robot():
    """What a chat robot was told, and its address."""
    said: asyncio.Queue[str] = asyncio.Queue()

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
        body = json.loads(await reader.readexactly(length))
        await said.put(body["text"]["content"])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        said.url = (
            f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/robot?key=unguessable-{uuid4().hex}"
        )
        yield said


async def told(robot, word, *, seconds=60):
    """The first message with this word."""

    async def wait():
        while word not in (message := await robot.get()):
            pass
        return message

    return await asyncio.wait_for(wait(), seconds)


async def names(wire):
    return {row["name"]: row["id"] for row in await wire.post("/automations/filter", {"limit": 200})}


async def test_the_file_is_made_true_and_repeating_changes_nothing(wire, robot):
    done = await apply(wire, FILE, webhook=robot.url)
    assert done.calls
    assert set(done.automations) == {one["name"] for one in declared(FILE)}
    before = await names(wire)
    assert set(before) >= set(done.automations)
    again = await apply(wire, FILE, webhook=robot.url)
    assert (await names(wire), again.deleted) == (before, ())


async def test_what_no_longer_stands_in_the_file_goes_and_the_rest_of_others_stays(wire, robot, tmp_path):
    other = {"name": "别人的", "enabled": True, "trigger": declared(FILE)[2]["trigger"]}
    other["actions"] = [{"type": "do-nothing"}]
    await wire.post("/automations/", other)
    fewer = tmp_path / "fewer.toml"
    first, second = FILE.read_text(encoding="utf-8").split("[[automations]]")[1:3]
    fewer.write_text(f"[[automations]]{first}[[automations]]{second}", encoding="utf-8")
    await apply(wire, FILE, webhook=None)
    done = await apply(wire, fewer, webhook=None)
    assert len(done.deleted) == 2
    assert not done.calls
    assert "别人的" in await names(wire)


async def test_incidents_overdue_failures_and_silence_reach_the_robot(
    deployed, prefect: PrefectApi, wire, robot, tmp_path, cluster
):
    quick = tmp_path / "quick.toml"
    # the stand-in flow's own name, and a dispatcher that is silent sooner
    quick.write_text(
        FILE.read_text(encoding="utf-8").replace("within = 120", "within = 10").replace("总巡检", "sweep"),
        encoding="utf-8",
    )
    await apply(wire, quick, webhook=robot.url)
    await asyncio.sleep(2)  # the server loads its automations by notice
    await emit(wire, "shenguan.dispatcher.beat")
    await emit(wire, "shenguan.incident.opened", payload={"said": "事项编码不在清单内 X1（3 条）"})
    assert await told(robot, "新事件单") == "【审管联动】新事件单：事项编码不在清单内 X1（3 条）"
    await emit(wire, "shenguan.overdue", payload={"said": "5 项已逾期"})
    assert await told(robot, "逾期") == "【审管联动】5 项已逾期"
    sweep = await prefect.deployment_id("sweep")
    case = await prefect.deployment_id("case-lifecycle")
    refused = NewRun(uuid4().hex, "办件 · 许可", State("FAILED", "推送被拒"), {"case_no": "一号"})
    await prefect.create_runs(case, [refused])  # a case's own picture is no alarm
    await prefect.create_runs(sweep, [NewRun(uuid4().hex, "总巡检", State("FAILED", "Failed"))])
    assert "运行失败" in await told(robot, "流程")
    assert "分发器已两分钟没有动静" in await told(robot, "分发器", seconds=120)
    assert robot.empty() or "case_lifecycle" not in str(robot)
    with psycopg.connect(cluster.url("superuser", "prefect")) as conn:
        rows = conn.execute("SELECT data::text FROM block_document").fetchall()
    assert [row for row in rows if "unguessable" in row[0]] == [], "the robot's key lies encrypted"
    await apply(wire, FILE, webhook=None)
