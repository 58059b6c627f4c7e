"""What is written into Prefect's database where no case moves: sweeps, the desk, the dispatcher."""

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.database import Databases
from benchmarks.job import ACCEPTED, make_job
from benchmarks.mirror_size import PrefectRows
from benchmarks.moment import without_feed
from benchmarks.prefect_home import prefect_home
from benchmarks.standing import settle_in, standing, until
from models.ledger.keyring import create_keyring

_PATIENCE_S = 180.0
_MINUTE_S = 60.0
_SWEPT = (
    "SELECT count(*) FROM flow_run r JOIN deployment d ON d.id = r.deployment_id"
    " WHERE d.name = 'sweep' AND r.state_type = 'COMPLETED'"
)


def at_rest(folder: Path, databases: Databases, *, city_dir: Path, seconds: float) -> dict[str, Any]:
    """Bytes a minute of a whole stack that has nothing to do, schedules running; from its first sweep on."""
    work = folder / "rest"
    shutil.rmtree(work, ignore_errors=True)
    job = make_job(work / "world", cases=1, seed="rest", city_dir=city_dir)
    without_feed(job)
    keys = work / "keys.json"
    create_keyring(keys)
    rows = PrefectRows(databases)
    with (
        databases.fresh("mirror_rest") as url,
        standing(work / "standing", job, url, keys) as stands,
        prefect_home(folder / "prefect", databases) as home,
    ):
        rows.do("VACUUM FULL")
        empty = rows.bytes()
        asyncio.run(settle_in(stands, job, now=ACCEPTED, rate=1))
        stands.start_worker(**home.server.client_environment())
        home.work(stands.environment)
        until(lambda: rows.number(_SWEPT) > 0, seconds=_PATIENCE_S, otherwise="总巡检没有运行")
        rows.do("VACUUM FULL")
        before, counted, begun = rows.bytes(), rows.rows(), time.monotonic()
        swept = rows.number(_SWEPT)
        time.sleep(seconds)
        minutes = (time.monotonic() - begun) / _MINUTE_S
        rows.do("VACUUM FULL")
        grown = rows.bytes() - before
        after = rows.rows()
        swept = rows.number(_SWEPT) - swept
        stands.stop_workers()
    return {
        "bytes_empty": empty,
        "minutes": round(minutes, 1),
        "sweeps": swept,
        "bytes_a_minute": round(grown / minutes),
        "rows_a_minute": {name: round((after[name] - counted[name]) / minutes, 1) for name in after},
    }
