"""A real Prefect server on the session's PostgreSQL, with a project of its own deployed on it."""

from pathlib import Path

import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.stack.deploy import deploy_all
from adapters.stack.prefect_server import PrefectServer
from adapters.stack.processes import Supervisor
from adapters.stack.ready import free_port

ROOT = Path(__file__).resolve().parents[3]

PLAIN_FLOW = '''
from prefect import flow

@flow
def {name}() -> None:
    """A stand-in."""
'''

CASE_FLOW = '''
from pathlib import Path
from prefect import flow, task

@task(name="推送")
def push(case_no: str) -> None:
    with (Path(__file__).parent / "executed").open("a") as note:
        note.write(case_no + "\\n")

@flow
def case_lifecycle(case_no: str) -> None:
    """A stand-in."""
    push(case_no)
'''


@pytest.fixture(scope="session")
def supervisor(tmp_path_factory):
    """Programs that end with the session."""
    with Supervisor(tmp_path_factory.mktemp("programs")) as running:
        yield running


@pytest.fixture(scope="session")
def prefect_server(cluster, supervisor):
    """A Prefect server that answers."""
    database = cluster.url("prefect", "prefect", "asyncpg")
    server = PrefectServer(supervisor.folder, free_port(), database, "https://desk.example:8443")
    server.launch(supervisor)
    server.wait(supervisor)
    return server


@pytest.fixture(scope="session")
def stand_in_project(tmp_path_factory):
    """Our prefect.yaml with flows that need nothing: every line of it but the entry points' package."""
    project = tmp_path_factory.mktemp("project")
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    (project / "prefect.yaml").write_text(
        text.replace("entrypoint: flows.", "entrypoint: standins."), "utf-8"
    )
    package = project / "standins"
    package.mkdir()
    (package / "__init__.py").touch()
    for line in text.splitlines():
        if line.strip().startswith("entrypoint:"):
            _, module, name = line.split(":")[1].strip().split(".")
            content = CASE_FLOW if name == "case_lifecycle" else PLAIN_FLOW.format(name=name)
            (package / f"{module}.py").write_text(content, encoding="utf-8")
    return project


@pytest.fixture(scope="session")
def deployed(prefect_server, supervisor, stand_in_project):
    """The server, with all of it deployed; nothing runs by itself but what the schedule says."""
    deploy_all(supervisor, prefect_server, project=stand_in_project)
    return prefect_server


@pytest.fixture
async def prefect(prefect_server):
    """A client of the server."""
    async with PrefectApi(prefect_server.api_url, auth=prefect_server.auth) as client:
        yield client
