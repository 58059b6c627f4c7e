"""The process worker: it executes what the schedule and people ask for."""

import sys
from collections.abc import Mapping

from adapters.stack.deploy import WORK_POOL
from adapters.stack.prefect_server import PrefectServer
from adapters.stack.processes import Program

_AT_ONCE = 4


def worker_program(server: PrefectServer, environment: Mapping[str, str]) -> Program:
    """A worker of our pool; the runs it starts see ``environment`` too.

    The limit is the worker's own. One of pool, queue or deployment would count the mirrored runs,
    which stay in a running state for weeks, and Retry would never be picked up.
    """
    # Prefect keeps a folder of a fixed name in the machine's own: whoever came first owns it there,
    # and the worker of anybody else would end at its start, again and again.
    scratch = (server.folder / "prefect" / "tmp").resolve()
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Program(
        "worker",
        [
            sys.executable,
            "-m",
            "prefect",
            "worker",
            "start",
            f"--pool={WORK_POOL}",
            "--type=process",
            f"--limit={_AT_ONCE}",
            "--name=shenguan-worker",
        ],
        {
            **server.client_environment(),
            **environment,
            "TMPDIR": str(scratch),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_WORKER_PREFETCH_SECONDS": "5",
        },
        restart=True,
        grace=10,
    )
