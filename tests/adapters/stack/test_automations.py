"""Our automations on a real server: made once, kept in step, and calling a webhook in Chinese."""

import asyncio
import base64
import json
import re
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from adapters.prefect_api.automations import apply, declared
from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.events import emit
from adapters.prefect_api.values import NewRun, State
from adapters.prefect_api.wire import PrefectWire
from models.domain.workdays import Calendar
from tasks.alerting import OURSELVES_AFTER, Alerter
from tasks.desk.keeping import keep_desk
from tasks.doctor.house import look_at_house
from tasks.housekeeping import keep_house
from tasks.watching_rules import rules_off

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
    said.status = 200

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
        body = json.loads(await reader.readexactly(length))
        assert set(body) == {"msgtype", "text"}
        await said.put(body["text"]["content"])
        status = f"HTTP/1.1 {said.status} X\r\n".encode()
        writer.write(status + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
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


def watched(server, robot, **more):
    """The settings of a process that alerts."""
    return SimpleNamespace(
        prefect_api_url=server.api_url,
        prefect_api_auth=SecretStr(server.auth),
        alert_webhook_url=SecretStr(robot.url),
        alert_overdue_limit=1000,
        **more,
    )


async def within(seconds, until):
    """What ``await until()`` gives once it gives anything."""
    async with asyncio.timeout(seconds):
        while True:
            if found := await until():
                return found
            await asyncio.sleep(0.5)


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


async def test_what_somebody_did_to_the_rules_is_named(prefect_server, wire, robot):
    settings = watched(prefect_server, robot)
    await apply(wire, FILE, webhook=robot.url)
    assert await rules_off(wire, settings) == []
    rows = {row["name"]: row for row in await wire.post("/automations/filter", {"limit": 200})}
    failed, silent, incident, overdue = (rows[one["name"]] for one in declared(FILE))
    await wire.patch(f"/automations/{failed['id']}", {"enabled": False})
    await wire.delete(f"/automations/{silent['id']}")
    known = ("name", "description", "enabled", "tags", "trigger", "actions")
    broken = (
        (incident, "trigger", incident["trigger"] | {"match": {"prefect.resource.id": "nobody"}}),
        (overdue, "actions", [{"type": "do-nothing"}]),
    )
    for row, part, change in broken:
        await wire.put(f"/automations/{row['id']}", {name: row[name] for name in known} | {part: change})
    said = [
        "规则“审管联动 · 流程失败”已被停用",
        "规则“审管联动 · 分发器无动静”不在 Prefect 中",
        "规则“审管联动 · 新事件单”已被改动",
        "规则“审管联动 · 逾期超限”已被改动",
    ]
    assert await rules_off(wire, settings) == said
    await apply(wire, FILE, webhook=robot.url, switched_on=False)  # a start of the stack
    assert await rules_off(wire, settings) == said[:1], "switched off on purpose: it stays so, and is named"
    for row, part, change in broken:
        await wire.put(f"/automations/{row['id']}", {name: row[name] for name in known} | {part: change})
    await wire.delete(f"/automations/{(await names(wire))[silent['name']]}")
    kept = await keep_house(settings)
    assert list(kept.rules_off) == said
    (told,) = [each for each in await look_at_house(settings) if each.what == "告警"]
    assert (told.level, told.said) == ("attention", "；".join(said))
    await apply(wire, FILE, webhook=f"{robot.url}&other")
    assert len(await rules_off(wire, settings)) == len(said)
    assert "不是设定的告警地址" in (await rules_off(wire, settings))[0]
    await apply(wire, FILE, webhook=robot.url)
    assert await rules_off(wire, settings) == []


OPENED = """
INSERT INTO incidents (kind, key, count, message, owner, since, due_at)
VALUES ('unknown_item', %s, 1, '清单中没有这个编码', '联动运维岗', now(), now() + interval '1 day')
"""


async def test_an_alert_counts_as_told_when_the_robot_took_it_and_is_told_again_else(
    prefect_server, wire, robot, ledger
):
    async def told_of(key):
        async with ledger.reading() as conn:
            cursor = await conn.execute("SELECT 1 FROM alerts WHERE key = %s", (key,))
            return await cursor.fetchone() is not None

    async def opened(key):
        async with ledger.writing() as conn:
            await conn.execute(OPENED, (key,))

    async def later(seconds):
        async with ledger.writing() as conn:
            await conn.execute(
                "UPDATE alert_asks SET asked_at = asked_at - make_interval(secs => %s)", (seconds,)
            )

    await apply(wire, FILE, webhook=robot.url)
    await asyncio.sleep(2)  # the server loads its automations by notice
    settings = watched(prefect_server, robot)
    voice = Alerter(SimpleNamespace(settings=settings, ledger=ledger))
    await opened("first")
    assert await voice.speak() == 0, "Prefect has heard it; that is no proof"
    assert "first" in await told(robot, "新事件单")
    assert await within(60, voice.speak) == 1
    assert await told_of("first")

    robot.status = 500
    await opened("second")
    assert await voice.speak() == 0
    assert "second" in await told(robot, "新事件单")

    async def lost():
        return [said for said in await rules_off(wire, settings) if "没有送达（500）" in said]

    (said,) = await within(60, lost)  # Prefect itself notes it as executed
    assert "新事件单" in said
    assert await voice.speak() == 0
    assert not await told_of("second")
    robot.status = 200
    await later(60)
    await voice.speak()
    assert "second" in await told(robot, "新事件单")
    await within(60, voice.speak)
    assert await told_of("second")
    assert await rules_off(wire, settings) == []

    identity = (await names(wire))["审管联动 · 新事件单"]
    await wire.patch(f"/automations/{identity}", {"enabled": False})
    await asyncio.sleep(2)
    await opened("third")
    for _ in range(OURSELVES_AFTER):
        assert await voice.speak() == 0
        assert not await told_of("third")
        await later(3600)
    assert robot.empty()
    assert await voice.speak() == 1, "by ourselves, after Prefect was asked in vain"
    assert "third" in await told(robot, "third")
    assert await told_of("third")


async def test_an_alert_that_cannot_be_told_leaves_the_desk_fresh(prefect_server, wire, robot, ledger):
    settings = watched(prefect_server, robot)
    settings.alert_overdue_limit = None  # nothing can be compared with it: telling fails each time
    calendar = Calendar()
    services = SimpleNamespace(settings=settings, ledger=ledger, calendar=calendar)

    async def drawn():
        body = {"artifacts": {"key": {"any_": ["desk-1-overview"]}}, "limit": 1}
        return await wire.post("/artifacts/latest/filter", body)

    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_desk(services, stop, rest_s=0.1))
    (page,) = await within(30, drawn)
    stop.set()
    await keeping
    assert (
        "分发器还没有读过数据源" in base64.b64decode(page["data"].split("base64,")[1].split(")")[0]).decode()
    )


async def test_incidents_overdue_failures_and_silence_reach_the_robot(
    deployed, prefect: PrefectApi, wire, robot, tmp_path, cluster
):
    quick = tmp_path / "quick.toml"
    # the stand-in flows' own names, and a dispatcher that is silent sooner
    quick.write_text(
        FILE.read_text(encoding="utf-8")
        .replace("within = 120", "within = 10")
        .replace("总巡检", "sweep")
        .replace("运行维护", "housekeeping"),
        encoding="utf-8",
    )
    await apply(wire, quick, webhook=robot.url)
    await asyncio.sleep(2)  # the server loads its automations by notice
    await emit(wire, "shenguan.dispatcher.beat")
    await emit(wire, "shenguan.incident.opened", payload={"said": "事项编码不在清单内 X1（3 条）"})
    assert await told(robot, "新事件单") == "【审管联动】新事件单：事项编码不在清单内 X1（3 条）"
    for odd in ('X"},"at":{"isAtAll":true},"y":{"z":"', "一行\n又一行\t\\", "{{ flow.name }}<b>&'"):
        await emit(wire, "shenguan.incident.opened", payload={"said": odd})
        assert await told(robot, "新事件单") == f"【审管联动】新事件单：{odd}"
    await emit(wire, "shenguan.overdue", payload={"said": "5 项已逾期"})
    assert await told(robot, "逾期") == "【审管联动】5 项已逾期"
    sweep = await prefect.deployment_id("sweep")
    case = await prefect.deployment_id("case-lifecycle")
    refused = NewRun(uuid4().hex, "办件 · 许可", State("FAILED", "推送被拒"), {"case_no": "一号"})
    await prefect.create_runs(case, [refused])  # a case's own picture is no alarm
    for _ in range(12):  # a ledger that is away fails each minute's run
        await prefect.create_runs(sweep, [NewRun(uuid4().hex, "总巡检", State("FAILED", "Failed"))])
    other = await prefect.deployment_id("housekeeping")
    await prefect.create_runs(other, [NewRun(uuid4().hex, "运行维护", State("FAILED", "Failed"))])
    first, second = [await told(robot, "流程") for _ in range(2)]
    assert "“sweep”运行失败" in first
    assert "“housekeeping”运行失败" in second, "each flow is told once an hour"
    assert "分发器已两分钟没有动静" in await told(robot, "分发器", seconds=120)
    assert robot.empty() or "case_lifecycle" not in str(robot)
    with psycopg.connect(cluster.url("superuser", "prefect")) as conn:
        rows = conn.execute("SELECT data::text FROM block_document").fetchall()
    assert [row for row in rows if "unguessable" in row[0]] == [], "the robot's key lies encrypted"
    await apply(wire, FILE, webhook=None)
