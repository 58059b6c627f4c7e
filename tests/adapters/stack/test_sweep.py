"""A sweep by Prefect's engine: what is due is in its graph, and a minute at rest writes next to nothing."""

import asyncio
import subprocess
import sys
import time

import psycopg
import pytest

from benchmarks.job import ACCEPTED, make_job
from benchmarks.moment import without_feed
from benchmarks.standing import settle_in, standing
from tests.repository.source import ROOT

pytestmark = pytest.mark.stack

CASES = 3
PATIENCE_S = 20
PROGRAM = """
import asyncio
from flows.sweep import sweep
state = asyncio.run(sweep(return_state=True))
print(state.state_details.flow_run_id, state.name)
"""


@pytest.fixture
def stands(tmp_path, cluster, database, keyring_file):
    job = make_job(tmp_path / "world", cases=CASES, seed="4", city_dir=ROOT / "config" / "yiyang")
    records = without_feed(job)
    with standing(tmp_path / "standing", job, cluster.url("app", database), keyring_file) as made:
        asyncio.run(settle_in(made, job, now=ACCEPTED, rate=1))
        yield made, records


@pytest.fixture
def swept(stands, prefect_server, cluster):
    """``swept(awaited)`` → the tasks and the lines of a sweep's run.

    Prefect writes both down some time after the run has ended: the awaited tasks are waited for.
    """
    made, _ = stands
    environment = made.environment | prefect_server.client_environment()

    def run(*awaited):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        identity, name = done.stdout.split()
        assert name == "Completed"
        until = time.monotonic() + PATIENCE_S
        with psycopg.connect(cluster.url("superuser", "prefect"), autocommit=True) as conn:
            while True:
                found = conn.execute("SELECT name FROM task_run WHERE flow_run_id = %s", [identity])
                tasks = {one.split()[-1] for (one,) in found}
                lines = conn.execute("SELECT message FROM log WHERE flow_run_id = %s", [identity]).fetchall()
                if set(awaited) <= tasks or time.monotonic() > until:
                    return tasks, [one for (one,) in lines]
                time.sleep(0.2)

    return run


def test_what_is_due_is_drawn_and_a_minute_at_rest_is_not(stands, swept):
    made, records = stands
    at_rest, said = swept()
    assert at_rest == set()
    assert [line for line in said if "新到" in line] == []

    made.tell("platform", "publish", {"feed": "cases", "records": records})
    steps = {"admit_cases", "send_pushes", "tell_liaisons"}
    drawn, said = swept(*steps)
    assert steps <= drawn
    assert any(line.startswith("取回办件") and f"新到 {CASES}" in line for line in said)
    pushed = [line for line in made.held("platform") if line["kind"] == "push"]
    assert len({line["case_no"] for line in pushed}) == CASES
