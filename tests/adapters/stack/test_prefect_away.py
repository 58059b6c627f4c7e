"""Prefect's server is killed in the middle of the day: the work goes on, the pictures follow later."""

import asyncio
import json
import os
import signal

import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.sandbox.world.identity import mobile
from config.city import load_city
from tasks.city_loading import load_city_into
from tasks.dispatcher import dispatch
from tests.tasks.records import CHEMICALS, NOW, case, serial
from tests.tasks.running import Outside, running

pytestmark = pytest.mark.stack

PUSHED = (
    "SELECT FROM effects e JOIN cases c ON c.id = e.case_id WHERE c.case_no = %s"
    " AND e.channel = 'push' AND e.state = 'accepted'"
)
TOLD = "SELECT FROM effects WHERE channel = 'sms' AND state = 'accepted'"
SHOWN = (
    "SELECT FROM mirror m JOIN cases c ON c.id = m.case_id WHERE c.case_no = %s"
    " AND m.flow_run_id IS NOT NULL AND m.dirty_since IS NULL"
)


@pytest.fixture
def outside(tmp_path):
    """The three systems, with a liaison in every section."""
    world = tmp_path / "world"
    world.mkdir()
    (world / "world.json").write_text(json.dumps({"seed": 7, "disorder": 0}))
    sections = [(each.code, part.id) for each in load_city().departments.values() for part in each.sections]
    people = [
        {
            "id": f"LZ{number:04d}",
            "department": department,
            "section": section,
            "name": "赵拟宁",
            "phone": mobile(70_000_000 + number),
            "rank": 1,
            "valid_from": "2025-01-01",
            "valid_to": None,
        }
        for number, (department, section) in enumerate(sections)
    ]
    (world / "liaisons.json").write_text(json.dumps(people))
    systems = Outside(tmp_path).start()
    yield systems
    systems.stop()


async def _batches(server, until):
    """The log lines of the runs that tell of the dispatcher's minutes, once there are so many runs."""
    for _ in range(600):
        async with PrefectApi(server.api_url, auth=server.auth) as prefect:
            deployment = await prefect.deployment_id("dispatch")
            if await prefect.count_runs(deployment) >= until:
                return await prefect.count_runs(deployment, state_names=["已完成"])
        await asyncio.sleep(0.1)
    raise AssertionError("the batches are never shown")


async def test_work_goes_on_and_what_prefect_missed_is_shown_later(
    cluster, database, keyring_file, deployed, supervisor, outside
):
    settings = outside.settings(
        cluster.url("app", database),
        keyring_file,
        prefect_api_url=deployed.api_url,
        prefect_api_auth=deployed.auth,
    )
    stop = asyncio.Event()
    before, meanwhile = case(serial()), case(serial(), item=CHEMICALS)
    async with running(outside, settings) as world:
        services = world.services
        people = json.loads((outside.world / "liaisons.json").read_text())
        await load_city_into(services.ledger, services.sealing, services.city, people)
        await world.at(NOW)
        working = asyncio.create_task(dispatch(services, stop, tell_s=1.0))
        try:
            await world.arrive(before)
            await world.wait_for(SHOWN, before["case_no"], seconds=60)
            shown = await _batches(deployed, 1)

            os.kill(supervisor.pid("prefect-server"), signal.SIGKILL)
            await asyncio.to_thread(supervisor.stop, "prefect-server")
            await world.arrive(meanwhile)
            await world.wait_for(PUSHED, meanwhile["case_no"], seconds=60)
            await world.wait_for(TOLD, seconds=60)
            assert not await world.rows(SHOWN, meanwhile["case_no"])

            await asyncio.to_thread(deployed.launch, supervisor)
            await asyncio.to_thread(deployed.wait, supervisor)
            await world.wait_for(SHOWN, meanwhile["case_no"], seconds=60)
            assert await _batches(deployed, shown + 1) > 0
        finally:
            stop.set()
            await working
            if not supervisor.is_alive("prefect-server"):
                await asyncio.to_thread(deployed.launch, supervisor)
    keys = [line["business_key"] for line in outside.stored("platform")]
    assert len(keys) == len(set(keys)) >= 2
