"""No id, phone, name or address of anybody gets into Prefect or a log, whatever dies or is tried again.

The made-up city's people are the canaries: first they are shown to be where they belong.
"""

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.stack.postgres_account import embedded_binaries
from models.ledger.connection import Ledger
from models.ledger.keyring import Keyring
from models.ledger.queries import data_keys
from models.ledger.sealing import Sealing
from tasks.subjects import RAW_FIELD

pytestmark = pytest.mark.stack

FIELDS = ("id_number", "phone", "name", "address", "legal_person", "contact")


def canaries(standing):
    """What must be nowhere: ids, phones, names and addresses that are long enough to be nobody else's."""
    world = Path(standing.folder) / "world"
    found = set()
    for line in (world / "feed_cases.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)["record"]
        party = record.get("party") if isinstance(record, dict) else None
        if isinstance(party, dict):
            found |= {str(party[field]) for field in FIELDS if party.get(field)}
    for person in json.loads((world / "liaisons.json").read_text(encoding="utf-8")):
        found |= {str(person[field]) for field in ("phone", "name") if person.get(field)}
    return {each for each in found if len(each) > 3}


def wait(what, until, *, seconds=120):
    end = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.5)
    return found


def rows(url, sql, *values):
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute(sql, values).fetchall()


def test_nobody_is_in_prefect_or_in_any_log(standing):
    birds = canaries(standing)
    assert len(birds) > 40
    wait("pushes", lambda: rows(standing.ledger, "SELECT 1 FROM effects WHERE channel = 'push'"
                                " AND state = 'accepted' LIMIT 1"))  # fmt: skip

    # they are where they belong: in the other side's own books, and in ours, once opened
    def over_there():
        held = Path(standing.platform).read_text(encoding="utf-8")
        return sum(bird in held for bird in birds) > 10

    wait("more than ten of them over there", over_there)
    assert sum(bird in asyncio.run(opened(standing)) for bird in birds) > 10

    # a crash in the middle of the work
    launcher = psutil.Process(launched(standing, "dispatcher"))
    os.kill(launcher.children()[0].pid, signal.SIGKILL)
    wait("another dispatcher", lambda: launched(standing, "dispatcher") not in {None, launcher.pid})

    # a Retry by Prefect's own engine, in the worker; not of a refused push, which others look for
    fine = "SELECT flow_run_id FROM mirror WHERE shown NOT IN ('推送被拒', '报送被拒', '已暂挂') LIMIT 1"
    drawn_run = wait("a picture", lambda: rows(standing.ledger, fine))[0][0]

    async def retry():
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            await prefect.retry_run(drawn_run)
            return drawn_run

    run = asyncio.run(retry())
    wait(
        "the retry's log",
        lambda: rows(standing.prefect, "SELECT 1 FROM task_run WHERE flow_run_id = %s", run),
    )
    wait("the desk", lambda: rows(standing.prefect, "SELECT 1 FROM artifact WHERE key = 'desk-1-overview'"))

    dump = subprocess.run(
        [embedded_binaries() / "pg_dump", "--data-only", "--inserts", standing.prefect],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert "desk-1-overview" in dump, "the dump holds what is looked through"
    assert "镜像" in dump
    assert [bird for bird in birds if bird in dump or escaped(bird) in dump] == []
    assert [bird for bird in birds if bird in drawn(dump)] == [], "in the desk's pictures"
    read = 0
    for log in (Path(standing.folder) / "log").rglob("*.log"):
        text = log.read_text(encoding="utf-8", errors="replace")
        read += len(text)
        assert [bird for bird in birds if bird in text or escaped(bird) in text] == [], log.name
    assert read > 1000
    cores = [
        path for path in Path(standing.folder).rglob("core*") if path.is_file() and path.stat().st_size > 1e6
    ]
    assert cores == [], "no memory of a dead program is left behind"


async def opened(standing):
    """Every case's record as it came, out of its seal."""
    sealing = Sealing(Keyring.load(Path(standing.folder) / "keys" / "seal.json"))
    sql = (
        "SELECT r.inbox_id, r.raw_sealed FROM inbox_raw r JOIN inbox i ON i.id = r.inbox_id"
        " WHERE i.kind = 'case'"
    )
    async with Ledger.open(standing.ledger, max_size=1) as ledger, ledger.reading() as conn:
        found = await (await conn.execute(sql)).fetchall()
        await data_keys.load(conn, sealing, [row["raw_sealed"] for row in found])
    told = [
        sealing.open_sealed(RAW_FIELD, row["inbox_id"], row["raw_sealed"]).decode(errors="replace")
        for row in found
    ]
    return "".join(told)


def escaped(text):
    """As a JSON text in a dump would spell it."""
    return json.dumps(text)[1:-1]


def drawn(dump):
    """The pictures of the desk, which a dump shows as base64."""
    return "".join(
        base64.b64decode(data).decode() for data in re.findall(r"svg\+xml;base64,([\w+/=]+)", dump)
    )


def launched(standing, name):
    """The process that launched this program, as the supervisor notes it; None while it does not."""
    try:
        noted = json.loads((Path(standing.folder) / "pids.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return noted.get(name, {}).get("pid")
