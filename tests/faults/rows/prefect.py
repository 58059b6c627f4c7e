"""Rows 5 and 6: Prefect is down and its database is gone; schedules are doubled."""

import asyncio
import time

import psycopg
from psycopg import sql

from adapters.prefect_api.client import PrefectApi
from tests.faults.catalogue import row


@row(5, "Prefect 停了，其数据库丢失", least=3, cases=60, prefect=True, patience_s=420)
def prefect_lost(row):
    stack = row.stack
    stack.wait_deployed()
    row.dispatcher()
    row.days(5, each_s=1.0)
    row.kill("prefect-server")
    row.hit += 1
    row.days(8, each_s=0.8)
    if not row.value("SELECT count(*) FROM effects WHERE state IN ('accepted', 'delivered')"):
        row.problems.append("Prefect 停后没有任何外发")
    drop_database(row)
    row.hit += 1
    stack.server.launch(stack.supervisor)
    stack.server.wait(stack.supervisor)
    stack._deploy()
    if stack._deploy_failed is not None:
        raise stack._deploy_failed
    if "worker" in stack.supervisor._running:
        stack.supervisor.stop("worker")
    stack.wait_deployed()
    row.heal()
    row.stop("dispatcher")  # from here on Prefect's own schedule does the work
    for _ in range(3):
        row.days(2, each_s=0.5)
        asyncio.run(trigger(row, "sweep", 1))
        row.until(lambda: not row.rows(WAITING), 60, "a run of Prefect takes up the work")
    row.hit += 1
    row.measure_drain()
    row.dispatcher()
    row.rest()


WAITING = (
    "SELECT 1 FROM effects WHERE state IN ('planned', 'leased', 'intent') AND channel <> 'sms'"
    " AND not_before <= clock_timestamp() LIMIT 1"
)


def drop_database(row):
    """Prefect's database is dropped and made anew, empty, as after a lost disk."""
    with psycopg.connect(row.stack.cluster.url("superuser", "postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier("prefect")))
        conn.execute("CREATE DATABASE prefect OWNER prefect")
    with psycopg.connect(row.stack.cluster.url("superuser", "prefect"), autocommit=True) as conn:
        conn.execute("ALTER SCHEMA public OWNER TO prefect")
        conn.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")


async def trigger(row, name, count):
    """That many runs of the deployment, at once."""
    server = row.stack.server
    async with PrefectApi(server.api_url, auth=server.auth) as prefect:
        identity = (await prefect.deployments())[name]
        for _ in range(count):
            await prefect._wire.post(f"/deployments/{identity}/create_flow_run", {})


@row(6, "定时重复，手工运行同时进行", least=6, cases=60, prefect=True, patience_s=420)
def doubled_schedules(row):
    row.stack.wait_deployed()
    row.dispatcher()
    asyncio.run(double_the_schedule(row))
    flows = ("sweep", "push", "sync-platform", "feedback", "credit")
    for number in range(4):
        row.days(3, each_s=0.5)
        for name in (flows[number], "sweep", "push"):
            asyncio.run(trigger(row, name, 2))
        time.sleep(6)
    row.until(lambda: finished(row) >= 6, 90, "runs of Prefect have ended")
    row.hit = finished(row)
    row.heal()
    row.measure_drain()
    row.rest()


async def double_the_schedule(row):
    """Two more schedules of the same sweep, as after a deployment that was made anew."""
    server = row.stack.server
    async with PrefectApi(server.api_url, auth=server.auth) as prefect:
        identity = (await prefect.deployments())["sweep"]
        for _ in range(2):
            made = [{"schedule": {"interval": 15}, "active": True}]
            await prefect._wire.post(f"/deployments/{identity}/schedules", made)


def finished(row) -> int:
    """How many runs Prefect has really carried out."""
    with psycopg.connect(row.stack.cluster.url("superuser", "prefect")) as conn:
        return conn.execute(
            "SELECT count(*) FROM flow_run r JOIN deployment d ON d.id = r.deployment_id"
            " WHERE r.state_type = 'COMPLETED' AND d.name <> 'case-lifecycle'"
        ).fetchone()[0]
