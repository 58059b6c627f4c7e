"""Prefect's server, our prefect.yaml and the bulk routes, on the real thing."""

import asyncio
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy
import yaml

from adapters.prefect_api.client import MOVE_LIMIT, PrefectApi
from adapters.prefect_api.values import LogLine, NewRun, PrefectSaidNo, State
from adapters.stack.deploy import deploy_all, stand_schedules_still
from adapters.stack.worker import worker_program
from models.domain.errors import NotDone

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[3]
DECLARED = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]


def status_of(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def test_the_server_asks_for_a_login_kept_to_its_owner(prefect_server) -> None:
    assert status_of(f"{prefect_server.api_url}/flows/count") == 401
    auth = prefect_server.folder / "auth"
    assert stat.S_IMODE(auth.stat().st_mode) == 0o600
    assert auth.read_text().strip() == prefect_server.auth
    key = prefect_server.folder / "prefect" / "encryption-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_other_origins_are_shut_out(prefect_server) -> None:
    request = urllib.request.Request(
        f"{prefect_server.api_url}/health", headers={"Origin": "http://elsewhere.example"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.headers.get("Access-Control-Allow-Origin") is None


async def test_a_wrong_login_and_a_deaf_port_are_told_apart(prefect_server) -> None:
    async with PrefectApi(prefect_server.api_url, auth="admin:wrong") as stranger:
        with pytest.raises(PrefectSaidNo) as told:
            await stranger.deployments()
        assert told.value.status == 401
    async with PrefectApi("http://127.0.0.1:9/api") as nobody:
        with pytest.raises(NotDone):
            await nobody.deployments()


async def test_all_that_is_declared_is_deployed(deployed, prefect: PrefectApi) -> None:
    made = await prefect.deployments()
    assert sorted(made) == sorted(one["name"] for one in DECLARED)


async def test_deploying_again_changes_nothing(
    deployed, prefect: PrefectApi, supervisor, stand_in_project
) -> None:
    before = await prefect.deployments()
    await asyncio.to_thread(deploy_all, supervisor, deployed, project=stand_in_project)
    assert await prefect.deployments() == before


@pytest.mark.xfail(
    sqlalchemy.__version__ >= "2.1",
    reason="SQLAlchemy 2.1 breaks the scheduler of Prefect 3.8.8",
    strict=True,
)
async def test_the_schedule_makes_runs_until_it_stands_still(deployed, prefect: PrefectApi) -> None:
    sweep = await prefect.deployment_id("sweep")
    assert sweep is not None
    for _ in range(40):
        if await prefect.count_runs(sweep):
            break
        await asyncio.sleep(0.5)
    assert await prefect.count_runs(sweep) > 0
    await asyncio.to_thread(stand_schedules_still, deployed)
    for _ in range(40):
        if not await prefect.count_runs(sweep, state_names=["Scheduled"]):
            break
        await asyncio.sleep(0.5)
    assert await prefect.count_runs(sweep, state_names=["Scheduled"]) == 0


def test_only_the_mirrored_deployments_have_no_limit() -> None:
    free = [one["name"] for one in DECLARED if "concurrency_limit" not in one]
    assert free == ["case-lifecycle", "incident", "dispatch"]
    patient = {"release-held", "rerun-failed"}
    for one in DECLARED:
        if one["name"] not in free:
            strategy = "ENQUEUE" if one["name"] in patient else "CANCEL_NEW"
            assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": strategy}, one["name"]
    assert all(one["tags"] and "**" in one["description"] for one in DECLARED)


def test_every_entry_point_loads_as_a_worker_loads_it(tmp_path: Path) -> None:
    # Somewhere else, and in a program of its own: nothing but the installation may make it work.
    script = (
        "import sys\nfrom prefect.flows import load_flow_from_entrypoint\n"
        "for name in sys.argv[1:]:\n"
        "    flow = load_flow_from_entrypoint(name, use_placeholder_flow=False)\n"
        "    print(name, flow.flow_run_name or '-')\n"
    )
    names = [one["entrypoint"] for one in DECLARED]
    done = subprocess.run(
        [sys.executable, "-c", script, *names], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == names
    for mirrored in ("flows.case_lifecycle.case_lifecycle", "flows.incident.incident"):
        assert f"{mirrored} -" in done.stdout, "a name given by the flow would rename the mirror on Retry"


async def test_runs_are_written_moved_and_counted_in_bulk(deployed, prefect: PrefectApi) -> None:
    deployment = await prefect.deployment_id("case-lifecycle")
    assert deployment is not None
    mark = uuid4().hex[:8]
    runs = [
        NewRun(
            f"{mark}-{i}",
            f"办件{mark}{i} · 食品经营许可",
            State("RUNNING", f"待推送{mark}"),
            {"case_no": str(i)},
        )
        for i in range(120)
    ]
    made = await prefect.create_runs(deployment, runs)
    assert len(set(made.values())) == 120, "more than one call's worth"
    assert await prefect.create_runs(deployment, runs[:2]) == {run.key: made[run.key] for run in runs[:2]}
    assert await prefect.count_runs(deployment, state_names=[f"待推送{mark}"]) == 120

    some = list(made.values())[: MOVE_LIMIT + 5]
    refused = State("FAILED", f"推送被拒{mark}", "对方答复：字段不符")
    assert await prefect.move_runs([*some, uuid4()], refused) == set(some), "one that is gone is left out"
    states = await prefect.run_states(some)
    assert {run.state for run in states.values()} == {refused}
    assert states[some[0]].key == f"{mark}-0"
    # An ended run goes back to waiting: the ledger decides, not Prefect's rules.
    assert await prefect.move_runs(some[:1], State("RUNNING", f"待反馈{mark}")) == set(some[:1])
    strayed = await prefect.strayed_runs(deployment, shown=[f"待推送{mark}", f"待反馈{mark}"])
    assert {run.flow_run_id for run in strayed} >= set(some[1:])


async def test_lines_and_artifacts_reach_the_ui(deployed, prefect: PrefectApi) -> None:
    deployment = await prefect.deployment_id("case-lifecycle")
    assert deployment is not None
    key = uuid4().hex
    run = NewRun(key, "办件 · 行", State("RUNNING", "已受理"), {"case_no": "行"})
    run_id = (await prefect.create_runs(deployment, [run]))[key]
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    await prefect.write_logs([LogLine(run_id, at, f"第{i}行") for i in range(3)])
    body = {"logs": {"flow_run_id": {"any_": [str(run_id)]}}}
    lines = await prefect._wire.post("/logs/filter", body)
    assert sorted(line["message"] for line in lines) == ["第0行", "第1行", "第2行"]
    table = await prefect.create_artifact(
        "today", kind="markdown", data="# 今日", description="今日办件", flow_run_id=run_id
    )
    assert (await prefect._wire.get(f"/artifacts/{table}"))["data"] == "# 今日"


async def test_retry_is_executed_for_real_and_left_alone_meanwhile(
    deployed, prefect: PrefectApi, supervisor, stand_in_project
) -> None:
    deployment = await prefect.deployment_id("case-lifecycle")
    assert deployment is not None
    name, key = f"办件{uuid4().hex[:6]} · 许可", uuid4().hex
    case_no = f"案{uuid4().hex[:6]}"
    held = NewRun(key, name, State("FAILED", "推送被拒"), {"case_no": case_no})
    run_id = (await prefect.create_runs(deployment, [held]))[key]
    executed = stand_in_project / "standins" / "executed"

    def times():  # other tests have runs of their own
        return executed.read_text().split().count(case_no) if executed.exists() else 0

    assert times() == 0, "a mirrored run is never executed by itself"

    supervisor.start(worker_program(deployed, {"PYTHONPATH": str(stand_in_project)}))
    try:
        await prefect.retry_run(run_id)
        assert await prefect.move_runs([run_id], State("RUNNING", "待推送")) == set()
        for _ in range(240):
            now = (await prefect.run_states([run_id]))[run_id]
            if now.state is not None and now.state.name == "Completed":
                break
            await asyncio.sleep(0.25)
    finally:
        await asyncio.to_thread(supervisor.stop, "worker")
    assert now.state is not None
    assert now.state.name == "Completed", supervisor.tail("worker", 40)
    assert times() == 1, "once, and with the case's own number"
    assert now.name == name, "the mirror keeps its name"
    assert await prefect.move_runs([run_id], State("RUNNING", "待反馈")) == {run_id}
