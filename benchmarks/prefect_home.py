"""A Prefect server for one run: its own process, its own fresh database on the same PostgreSQL."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.wire import PrefectWire
from adapters.stack.deploy import deploy_all
from adapters.stack.prefect_server import PrefectServer
from adapters.stack.processes import Supervisor
from adapters.stack.ready import free_port
from adapters.stack.worker import worker_program
from benchmarks.database import Databases
from tasks.mirror.showing import CASE_DEPLOYMENT

DATABASE = "bench_prefect"
_POOL = "bench"
_PROGRAM = "prefect-server"
_PROJECT = Path(__file__).parents[1]


@dataclass(slots=True)
class PrefectHome:
    """A running server, and what its clients need."""

    server: PrefectServer
    supervisor: Supervisor

    @property
    def environment(self) -> dict[str, str]:
        """As the stack's programs have it; runs' lines at the level of everybody's log."""
        return {**self.server.client_environment(), "PREFECT_LOGGING_LEVEL": "WARNING"}

    def cpu_s(self) -> float:
        """CPU seconds of the server since its start."""
        total = 0.0
        for process in self._processes():
            times = process.cpu_times()
            total += times.user + times.system
        return total

    def rss(self) -> int:
        """Bytes it holds now."""
        return sum(int(process.memory_info().rss) for process in self._processes())

    def work(self, environment: Mapping[str, str]) -> None:
        """All of ``prefect.yaml`` is deployed, its schedules run, and a worker carries them out."""
        deploy_all(self.supervisor, self.server, project=_PROJECT)
        self.supervisor.start(worker_program(self.server, environment))

    def answers(self) -> bool:
        """Whether the server answers now."""
        return self.server.is_ready()

    def stop_server(self) -> None:
        """The server has ended; who speaks with it finds nobody."""
        self.supervisor.stop(_PROGRAM)

    def start_server(self) -> None:
        """It answers again, on the database it had."""
        self.server.launch(self.supervisor)
        self.server.wait(self.supervisor)

    def stop(self) -> None:
        """It has ended, and its sessions with it."""
        self.supervisor.stop_all()

    def _processes(self) -> list[psutil.Process]:
        launcher = psutil.Process(self.supervisor.pid(_PROGRAM))
        return [launcher, *launcher.children(recursive=True)]


@contextmanager
def prefect_home(folder: Path, databases: Databases) -> Iterator[PrefectHome]:
    """A server on an empty database, with the deployment that every case is a run of."""
    shutil.rmtree(folder, ignore_errors=True)
    with databases.fresh_prefect(DATABASE) as url, Supervisor(folder) as supervisor:
        home = PrefectHome(PrefectServer(folder, free_port(), url), supervisor)
        home.start_server()
        asyncio.run(_deploy(home.server))
        yield home


def make_prefect_template(folder: Path, databases: Databases) -> None:
    """The server has made its tables once; every run gets a copy of them."""
    shutil.rmtree(folder, ignore_errors=True)
    with databases.prefect_template() as url, Supervisor(folder) as supervisor:
        server = PrefectServer(folder, free_port(), url)
        server.launch(supervisor)
        server.wait(supervisor)


async def _deploy(server: PrefectServer) -> None:
    """The one deployment the mirror writes runs of, as ``prefect.yaml`` has it for a standing stack."""
    async with PrefectApi(server.api_url, auth=server.auth) as prefect:
        await prefect.ensure_work_pool(_POOL, description="bench")
    wire = PrefectWire(server.api_url, auth=server.auth)
    try:
        flow = await wire.post("/flows/", {"name": CASE_DEPLOYMENT})
        deployment = {"name": CASE_DEPLOYMENT, "flow_id": flow["id"], "work_pool_name": _POOL}
        await wire.post("/deployments/", deployment | {"entrypoint": "flows.case_lifecycle.case_lifecycle"})
    finally:
        await wire.aclose()
