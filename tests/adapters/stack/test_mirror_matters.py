"""One run for each open matter, whatever waits behind it; over, it is Completed."""

import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.values import State
from models.ledger.queries import quarantine
from models.ledger.queries.quarantine import NewIncident
from tasks.mirror.matters import show_matters
from tests.adapters.stack.mirrored import BUSINESS, new_case

pytestmark = pytest.mark.stack

DEPARTMENT = """
INSERT INTO departments (code, name, level, region, unit, role)
VALUES ('D1', '乙市市场监管局', 'city', '430900', '', 'supervision')
"""
WAITS = """
INSERT INTO effects (own_id, channel, target, business_key, stage, content_version, content_sha256, case_id,
    send_after, state, reason)
VALUES (%(own)s, 'push', 'D1', %(own)s, 'acceptance', 1, '', %(case)s, now(), 'planned', 'breaker_open')
"""


@pytest.fixture
async def deployment(deployed, prefect: PrefectApi) -> UUID:
    found = await prefect.deployment_id("incident")
    assert found is not None
    return found


async def incident(ledger, kind, key, message="") -> None:
    row = NewIncident(
        kind=kind,
        key=key,
        count=1,
        message=message,
        owner="联动运维岗",
        since=BUSINESS,
        due_at=BUSINESS + timedelta(days=2),
    )
    async with ledger.writing() as conn:
        await quarantine.open_incidents(conn, [row])


async def runs(prefect: PrefectApi, deployment: UUID) -> list[dict]:
    chosen = {"deployment_id": {"any_": [str(deployment)]}}
    return await prefect._wire.post("/flow_runs/filter", {"flow_runs": chosen, "sort": "START_TIME_ASC"})


async def tables(prefect: PrefectApi, run: str) -> list[dict]:
    chosen = {"flow_run_id": {"any_": [run]}}
    return await prefect._wire.post("/artifacts/filter", {"artifacts": chosen, "sort": "CREATED_DESC"})


async def key_of(ledger) -> str:
    """The key of the newest matter."""
    async with ledger.reading() as conn:
        cursor = await conn.execute("SELECT key FROM mirror_incidents ORDER BY opened_at DESC LIMIT 1")
        return (await cursor.fetchone())["key"]


async def test_a_dead_target_is_one_run_with_what_waits_and_ends_when_it_heals(
    ledger, prefect, deployment
) -> None:
    async with ledger.writing() as conn:
        await conn.execute(DEPARTMENT)
    cases = [await new_case(ledger) for _ in range(3)]
    async with ledger.writing() as conn:
        for case_id, _ in cases[:2]:
            await conn.execute(WAITS, {"own": uuid4().hex, "case": case_id})
    await incident(ledger, "breaker_open", "platform/D1", "乙市市场监管局（政务服务平台）：连不上")
    await incident(ledger, "unknown_item", "1143X")
    assert await show_matters(ledger, prefect, deployment_id=deployment) == 2
    shown = {run["name"]: run for run in await runs(prefect, deployment)}
    assert set(shown) == {"监管部门不可达 · 乙市市场监管局", "事项编码不在清单内 · 1143X"}
    dead = shown["监管部门不可达 · 乙市市场监管局"]
    assert (dead["state_type"], dead["state_name"]) == ("FAILED", "待处理")
    message = dead["state"]["message"]
    assert "连不上。自 2026-03-10 10:00。系统定时试探" in message
    assert "负责：联动运维岗，2026-03-12 10:00 前" in message
    (table,) = await tables(prefect, dead["id"])
    assert "2 项对外动作在等，涉及办件 2 件" in table["description"]
    assert {row["办件"] for row in json.loads(table["data"])} == {case_no for _, case_no in cases[:2]}

    (line,) = await prefect._wire.post("/logs/filter", {"logs": {"flow_run_id": {"any_": [dead["id"]]}}})
    assert "2 项对外动作在等，涉及办件 2 件。" in line["message"]

    # nothing new: nothing is written; more that waits: another table of the same run
    await show_matters(ledger, prefect, deployment_id=deployment)
    assert len(await tables(prefect, dead["id"])) == 1
    async with ledger.writing() as conn:
        await conn.execute(WAITS, {"own": uuid4().hex, "case": cases[2][0]})
    await show_matters(ledger, prefect, deployment_id=deployment, tables=False)
    assert len(await tables(prefect, dead["id"])) == 1, "not at every look"
    await show_matters(ledger, prefect, deployment_id=deployment)
    assert "3 项对外动作在等" in (await tables(prefect, dead["id"]))[0]["description"]

    async with ledger.writing() as conn:
        await quarantine.close_incidents(conn, "breaker_open", ["platform/D1"])
    assert await show_matters(ledger, prefect, deployment_id=deployment) == 1
    ended = (await prefect.run_states([UUID(dead["id"])]))[UUID(dead["id"])]
    assert (ended.state.type, ended.state.name) == ("COMPLETED", "已了结")
    assert len(await runs(prefect, deployment)) == 2, "no run but these two"

    # the same target once more is another matter
    await incident(ledger, "breaker_open", "platform/D1", "乙市市场监管局（政务服务平台）：连不上")
    await show_matters(ledger, prefect, deployment_id=deployment)
    assert len(await runs(prefect, deployment)) == 3


async def test_whatever_is_done_to_its_run_it_is_shown_again(ledger, prefect, deployment) -> None:
    await incident(ledger, "unknown_item", "2222Y")
    await show_matters(ledger, prefect, deployment_id=deployment)
    name = "事项编码不在清单内 · 2222Y"
    (run,) = [UUID(run["id"]) for run in await runs(prefect, deployment) if run["name"] == name]
    await prefect.move_runs([run], State("CANCELLED", "Cancelled"), sparing=())
    await show_matters(ledger, prefect, deployment_id=deployment)
    assert (await prefect.run_states([run]))[run].state.name == "待处理"
    chosen = {"name": "另起的名字", "tags": [], "parameters": {"matter": "别的"}}
    await prefect._wire.patch(f"/flow_runs/{run}", chosen)
    await show_matters(ledger, prefect, deployment_id=deployment)
    named = (await prefect.run_states([run]))[run]
    assert named.is_labelled(name, ["事件", "事项编码不在清单内", "镜像"], {"matter": await key_of(ledger)})
    (table,) = await tables(prefect, str(run))
    await prefect._wire.delete(f"/artifacts/{table['id']}")
    assert await tables(prefect, str(run)) == []
    await show_matters(ledger, prefect, deployment_id=deployment, tables=False)
    await show_matters(ledger, prefect, deployment_id=deployment)
    (redrawn,) = await tables(prefect, str(run))
    assert (redrawn["data"], redrawn["description"]) == (table["data"], table["description"])
    await prefect._wire.patch(f"/artifacts/{redrawn['id']}", {"data": "[]"})
    await show_matters(ledger, prefect, deployment_id=deployment)
    assert (await tables(prefect, str(run)))[0]["data"] == table["data"]
    await prefect._wire.post("/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": [str(run)]}}})
    await show_matters(ledger, prefect, deployment_id=deployment)
    (again,) = [run["id"] for run in await runs(prefect, deployment) if run["name"] == name]
    assert len(await tables(prefect, again)) == 1
    await prefect.retry_run(UUID(again))
    await show_matters(ledger, prefect, deployment_id=deployment)
    waiting = (await prefect.run_states([UUID(again)]))[UUID(again)]
    assert waiting.state.name == "AwaitingRetry", "a worker is to have it"
