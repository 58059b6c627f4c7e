"""Prefect's server is killed in the middle of the day: the work goes on, the pictures follow later."""

import asyncio
import json
import os
import secrets
import signal
import socket
import threading

import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.sandbox.world.identity import mobile
from config.city import load_city
from tasks.city_loading import load_city_into
from tasks.dispatcher import dispatch
from tasks.mirror.batch_runs import BatchRuns
from tests.faults.proxies import Door
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


class LogsDoor(Door):
    """A way to Prefect on which the first lines are lost, or else the answer that they are stored."""

    def __init__(self, port, *, stored):
        self._port, self._stored = port, stored
        super().__init__()

    def carry(self, client):
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            lost = threading.Event()
            back = threading.Thread(target=self._bring_back, args=(server, client, lost), daemon=True)
            back.start()
            while piece := client.recv(65536):
                if b"POST /api/logs/ " in piece and not self.hit:
                    self.struck()
                    if not self._stored:
                        break
                    lost.set()
                server.sendall(piece)
            server.shutdown(socket.SHUT_RDWR)
            back.join()

    def _bring_back(self, server, client, lost):
        while piece := server.recv(65536):
            if lost.is_set():
                break
            client.sendall(piece)
        client.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("stored", [True, False])
async def test_a_minute_whose_telling_was_cut_has_each_line_once(
    cluster, database, keyring_file, deployed, outside, stored
):
    door = LogsDoor(deployed.port, stored=stored)
    settings = outside.settings(
        cluster.url("app", database),
        keyring_file,
        prefect_api_url=f"http://127.0.0.1:{door.port}/api",
        prefect_api_auth=deployed.auth,
    )
    pushed = secrets.randbelow(10**6) + 10**6
    stop = asyncio.Event()
    async with running(outside, settings) as world:
        batches = BatchRuns(world.services)
        batches.note({"send_pushes": {"accepted": pushed}, "tell_liaisons": {"accepted": 7}})
        telling = asyncio.create_task(batches.keep_telling(stop, every_s=0.1))
        for _ in range(600):
            if door.hit and not batches.waiting:
                break
            await asyncio.sleep(0.05)
        stop.set()
        await telling
        assert (door.hit, batches.waiting) == (1, [])
    door.close()
    async with PrefectApi(deployed.api_url, auth=deployed.auth) as prefect:
        named = {"flow_runs": {"name": {"like_": f"推送 {pushed}"}}}
        (run,) = await prefect._wire.post("/flow_runs/filter", named)
        lines = await prefect._wire.post("/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})
    assert sorted(line["name"].rpartition(".")[2] for line in lines) == ["send_pushes", "tell_liaisons"]


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
