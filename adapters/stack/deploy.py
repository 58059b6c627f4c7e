"""``prefect.yaml`` made true on a server: its work pool, and every deployment in it.

Prefect's own command line does it (7 s for seven deployments, nearly all of it imports), so that
what ``make up`` deploys is what ``prefect deploy --all`` deploys by hand. The one thing a
``prefect.yaml`` cannot declare is the work pool it names.
"""

import asyncio
import sys
from pathlib import Path

from adapters.prefect_api import automations
from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.wire import PrefectWire
from adapters.stack.prefect_server import PrefectServer
from adapters.stack.processes import Program, Supervisor

AUTOMATIONS = Path("config") / "automations.toml"
WORK_POOL = "shenguan"
PROGRAM = "prefect-deploy"
_TIMEOUT = 120.0


def deploy_all(
    supervisor: Supervisor, server: PrefectServer, *, project: Path, webhook: str | None = None
) -> float:
    """Deploys all of the project's ``prefect.yaml``; the seconds it took.

    Repeating it changes what has changed. Schedules run from now on as the file says. ``webhook`` is what
    its automations call.

    Raises:
        ProgramEnded: the file or a flow it names cannot be deployed; the end of the log says why.
    """
    asyncio.run(_ensure_pool(server))
    if (project / AUTOMATIONS).exists():
        asyncio.run(_watch(server, project / AUTOMATIONS, webhook))
    program = Program(
        PROGRAM,
        [sys.executable, "-m", "prefect", "deploy", "--all", "--prefect-file", "prefect.yaml"],
        server.client_environment(),
        folder=project,
    )
    return supervisor.run(program, timeout=_TIMEOUT)


def stand_schedules_still(server: PrefectServer) -> None:
    """No deployment starts by itself: the demo drives its own clock."""
    asyncio.run(_pause_all(server))


async def _ensure_pool(server: PrefectServer) -> None:
    async with PrefectApi(server.api_url, auth=server.auth) as prefect:
        await prefect.ensure_work_pool(WORK_POOL, description="审管联动：本机进程")


async def _watch(server: PrefectServer, path: Path, webhook: str | None) -> None:
    wire = PrefectWire(server.api_url, auth=server.auth)
    try:
        # a rule that was switched off on purpose is not switched on by a start; `shenguan alerts` does that
        await automations.apply(wire, path, webhook=webhook, switched_on=False)
    finally:
        await wire.aclose()


async def _pause_all(server: PrefectServer) -> None:
    async with PrefectApi(server.api_url, auth=server.auth) as prefect:
        for deployment_id in (await prefect.deployments()).values():
            await prefect.pause_deployment(deployment_id, paused=True)
