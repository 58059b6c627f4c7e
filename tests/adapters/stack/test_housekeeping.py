"""Old rows go for real, what hangs is ended, and the pictures of living cases stay."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.housekeeping import AT_WORK, NOT_BEGUN, delete_ended, end, hanging, never_started
from adapters.prefect_api.values import LogLine, NewRun, State
from adapters.prefect_api.wire import PrefectWire

pytestmark = pytest.mark.stack

DRAWN = "镜像"
# the server's own vacuum, once and now, by its own code and with our settings
VACUUM = """
import asyncio
from prefect.server.database import provide_database_interface
from prefect.server.services import db_vacuum as v
async def main():
    db = provide_database_interface()
    await v.vacuum_old_flow_runs(db=db)
    await v.vacuum_old_events(db=db)
    await v.vacuum_orphaned_logs(db=db)
    await v.vacuum_orphaned_artifacts(db=db)
asyncio.run(main())
"""


@pytest.fixture
async def wire(prefect_server):
    opened = PrefectWire(prefect_server.api_url, auth=prefect_server.auth)
    yield opened
    await opened.aclose()


@pytest.fixture
def rows(cluster):
    """``rows(sql, …)``: Prefect's database, as its owner sees it."""
    with psycopg.connect(cluster.url("superuser", "prefect"), autocommit=True) as conn:

        def run(sql, *values):
            cursor = conn.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

        yield run


async def made(prefect, name, state, *tags):
    deployment = await prefect.deployment_id(name)
    key = uuid4().hex
    created = await prefect.create_runs(deployment, [NewRun(key, f"{name} {key[:4]}", state, {}, tags)])
    return created[key]


def aged(rows, run, days):
    """The run ended, or began, so long ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    rows(
        "UPDATE flow_run SET start_time = %s, end_time = CASE WHEN end_time IS NULL THEN NULL ELSE %s END,"
        " expected_start_time = %s WHERE id = %s",
        at, at, at, run,
    )  # fmt: skip
    rows('UPDATE flow_run_state SET "timestamp" = %s WHERE flow_run_id = %s', at, run)
    rows("UPDATE flow_run SET state_timestamp = %s WHERE id = %s", at, run)


async def over(wire, *runs):
    return await end(wire, runs, still=AT_WORK, kind="CRASHED", name="Crashed", message="已不在")


def is_there(rows, run):
    return bool(rows("SELECT 1 FROM flow_run WHERE id = %s", run))


async def test_the_vacuum_takes_what_is_old_and_leaves_the_living(deployed, prefect: PrefectApi, rows):
    old = await made(prefect, "case-lifecycle", State("COMPLETED", "已闭环"), DRAWN)
    young = await made(prefect, "case-lifecycle", State("COMPLETED", "已闭环"), DRAWN)
    living = await made(prefect, "case-lifecycle", State("RUNNING", "待反馈"), DRAWN)
    for run in (old, young, living):
        await prefect.write_logs([LogLine(run, datetime.now(UTC), "经过")])
        await prefect.create_artifact("kept", kind="markdown", data="x", description="x", flow_run_id=run)
    rows("UPDATE flow_run SET end_time = now() WHERE id = ANY(%s) AND state_type = 'COMPLETED'", [old, young])
    aged(rows, old, 100)
    aged(rows, living, 100)
    event = uuid4()
    rows(
        "INSERT INTO events (id, occurred, event, resource_id, resource, payload, received, recorded,"
        " related, related_resource_ids) VALUES (%s, now() - interval '9 days', 'shenguan.old', 'x', '{}',"
        " '{}', now(), now(), '[]', '[]')",
        event,
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "ignore", "-c", VACUUM],
        env={**os.environ, **deployed.program().env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [is_there(rows, run) for run in (old, young, living)] == [False, True, True]
    for table in ("log", "artifact"):
        left = rows(
            f"SELECT DISTINCT flow_run_id FROM {table} WHERE flow_run_id = ANY(%s)", [old, young, living]
        )
        assert {row[0] for row in left} == {young, living}, table
    assert rows("SELECT 1 FROM events WHERE id = %s", event) == []


async def test_what_hangs_is_found_and_closed_and_pictures_are_left_alone(
    deployed, prefect: PrefectApi, rows, wire
):
    zombie = await made(prefect, "sweep", State("RUNNING", "Running"))
    fresh = await made(prefect, "sweep", State("RUNNING", "Running"))
    picture = await made(prefect, "case-lifecycle", State("RUNNING", "待反馈"), DRAWN)
    died = await made(prefect, "case-lifecycle", State("RUNNING", "Running"), DRAWN)
    for run in (zombie, picture, died):
        aged(rows, run, 1)
    rows("UPDATE flow_run SET start_time = now() WHERE id = %s", fresh)
    # hours old, and still writing a line for each batch: it is no zombie; nor is one that began a task
    writes, tasks = [await made(prefect, "rerun-failed", State("RUNNING", "Running")) for _ in range(2)]
    for run in (writes, tasks, zombie):
        aged(rows, run, 1)
        long_ago = datetime.now(UTC) - timedelta(hours=20)
        await prefect.write_logs([LogLine(run, long_ago, "已请求 200/9000")])
    await prefect.write_logs([LogLine(writes, datetime.now(UTC), f"已请求 {n}/9000") for n in range(250)])
    await prefect.write_logs([LogLine(died, datetime.now(UTC), "时间线", logger="shenguan.history.1")])
    begun = {"flow_run_id": str(tasks), "task_key": "x", "dynamic_key": "0", "state": {"type": "RUNNING"}}
    await wire.post("/task_runs/", begun)
    found = await hanging(wire, before=datetime.now(UTC) - timedelta(hours=1), drawn=DRAWN)
    ids = {each.flow_run_id for each in found}
    assert not {writes, tasks} & ids
    for run in (writes, tasks):
        await end(wire, [run], still=AT_WORK, kind="COMPLETED", name="Completed", message="")
    assert {zombie, died} <= ids
    assert not {fresh, picture} & ids
    assert await over(wire, zombie, died) == 2
    states = await prefect.run_states([zombie, picture, fresh])
    assert [states[run].state.name for run in (zombie, picture, fresh)] == ["Crashed", "待反馈", "Running"]
    assert await over(wire, zombie) == 0, "it is over: nothing is forced on what it has become"
    assert await end(wire, [fresh], still=AT_WORK, kind="COMPLETED", name="Completed", message="") == 1


async def test_runs_that_never_began_are_found_and_old_minutes_go(deployed, prefect, rows, wire):
    late = await made(prefect, "push", State("SCHEDULED", "Late"))
    aged(rows, late, 3)
    found = await never_started(wire, before=datetime.now(UTC) - timedelta(days=1))
    assert late in {each.flow_run_id for each in found}
    cancelled = {"still": NOT_BEGUN, "kind": "CANCELLED", "name": "Cancelled", "message": "未开始"}
    assert await end(wire, [late], **cancelled) == 1

    # a Retry leaves the hour at which the run was first expected: it is asked for now, and is left
    again = await made(prefect, "case-lifecycle", State("FAILED", "推送被拒"), DRAWN)
    aged(rows, again, 3)
    await prefect.retry_run(again)
    (kept,) = rows(
        "SELECT expected_start_time < now() - interval '2 days' FROM flow_run WHERE id = %s", again
    )
    assert kept == (True,)
    found = await never_started(wire, before=datetime.now(UTC) - timedelta(days=1))
    assert again not in {each.flow_run_id for each in found}
    assert await end(wire, [again], still=AT_WORK, kind="CRASHED", name="Crashed", message="x") == 0

    sweep = await prefect.deployment_id("sweep")
    old = [await made(prefect, "sweep", State("COMPLETED", "Completed")) for _ in range(3)]
    failed = await made(prefect, "sweep", State("FAILED", "Failed"))
    young = await made(prefect, "sweep", State("COMPLETED", "Completed"))
    rows("UPDATE flow_run SET end_time = now() WHERE deployment_id = %s AND end_time IS NULL", sweep)
    for run in (*old, failed):
        aged(rows, run, 8)
    before = datetime.now(UTC) - timedelta(days=7)
    assert await delete_ended(wire, [sweep], before=before, most=1000) >= 3
    assert [is_there(rows, run) for run in (*old, failed, young)] == [False, False, False, True, True]
    assert await delete_ended(wire, [], before=before, most=1000) == 0
