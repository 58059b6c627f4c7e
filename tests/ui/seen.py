"""What tests of the UI share: the browser's place, questions to the ledger, pictures, ways to a run."""

import asyncio
import itertools
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from adapters.prefect_api.client import PrefectApi
from tests.tasks.records import LABOUR, case

PICTURES = Path(__file__).resolve().parents[2] / "var" / "ui"
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSER = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.skipif(CHROMIUM is None, reason="缺 chromium"),
]
"""The marks of a module of such tests."""
PATIENCE_S = 120
BUSINESS_NOW = """
SELECT anchor_business + (clock_timestamp() - anchor_machine) * rate::float8 FROM business_clock
"""
REFUSED = """
SELECT c.case_no, c.id, e.own_id, e.target, m.flow_run_id
FROM effects e JOIN cases c ON c.id = e.case_id JOIN mirror m ON m.case_id = c.id
WHERE c.case_no = %s AND e.state = 'refused' AND e.channel = 'push' AND m.shown = '推送被拒'
AND m.dirty_since IS NULL AND m.told_due IS NULL
"""

_numbers = itertools.count(1)
_cases = itertools.count(70_001)


def ask(standing, question: str, *values, seconds: float = PATIENCE_S):
    """The first row the ledger gives, waited for."""
    end = time.monotonic() + seconds
    with psycopg.connect(standing.ledger, autocommit=True, row_factory=dict_row) as conn:
        while (row := conn.execute(question, values).fetchone()) is None:
            assert time.monotonic() < end, f"the ledger never said: {question}"
            time.sleep(0.3)
    return row


def picture(page, name: str) -> None:
    """A screenshot in var/ui, numbered in the order taken."""
    page.wait_for_timeout(500)  # what fades in has faded in
    page.screenshot(path=PICTURES / f"{next(_numbers):02d}-{name}.png")


def search_run(page, standing, text: str):
    """The runs page, searched by name; the link to the first run found."""
    page.goto(f"{standing.ui}/runs")
    page.get_by_role("searchbox", name="Search by flow run name").fill(text)
    found = page.get_by_role("link").filter(has_text=text)
    found.first.wait_for()
    return found.first


def rows(standing, sql: str, *values) -> list[tuple]:
    """What the ledger gives now."""
    with psycopg.connect(standing.ledger, autocommit=True) as conn:
        return conn.execute(sql, values).fetchall()


def wait(what: str, until, *, seconds: float = PATIENCE_S):
    """What ``until()`` gives once it gives anything."""
    end = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.4)
    return found


def elsewhere(work):
    """What a coroutine gives: the browser's library has this thread's event loop, so it runs in another."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, work).result()


def over_the_wire(standing, path: str, body):
    """What Prefect answers to this."""

    async def post():
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            return await prefect._wire.post(path, body)

    return elsewhere(post())


def deployment(standing, name: str):
    """The id of a deployment, waited for."""

    async def read():
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            return await prefect.deployment_id(name)

    return wait(f"deployment {name}", lambda: elsewhere(read()))


def runs_named(standing, name: str) -> set[str]:
    """The ids of the runs of this name."""
    body = {"flow_runs": {"name": {"any_": [name]}}, "limit": 200}
    return {row["id"] for row in over_the_wire(standing, "/flow_runs/filter", body)}


def ended(standing, name: str, **chosen):
    """The run of an ``id``, or the newest of this name that is not one of ``beside``, once it has ended."""
    runs = {"name": {"any_": [name]}, "id": {"not_any_": sorted(chosen.get("beside", ()))}}
    if "id" in chosen:
        runs = {"id": {"any_": [chosen["id"]]}}
    body = {"flow_runs": runs, "sort": "EXPECTED_START_TIME_DESC", "limit": 1}

    def look():
        found = over_the_wire(standing, "/flow_runs/filter", body)
        state = found[0]["state"] if found else {}
        return found[0] if state.get("type") in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else None

    return wait(f"the end of {name}", look)


def new_record(standing, *, item: str = LABOUR, **changes) -> dict:
    """The record of a case that nobody has seen, accepted at the ledger's business time."""
    now = rows(standing, BUSINESS_NOW)[0][0]
    return case(next(_cases), item=item, at=now, **{"accepted_at": now.isoformat()} | changes)


def refused_case(standing, **changes) -> dict:
    """A case whose push was refused, and whose run says so: case_no, id, own_id, target, flow_run_id."""
    record = new_record(standing, **changes)
    standing.refuse(record["case_no"])
    standing.publish(record)
    return ask(standing, REFUSED, record["case_no"])


def pushes_of(standing, own_id: str) -> list[dict]:
    """What the platform has stored under this id."""
    lines = Path(standing.platform).read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["own_id"] == own_id]


def desk_page(standing, key: str) -> str:
    """What a page of the desk says now; nothing where it is not drawn yet."""
    body = {"artifacts": {"key": {"any_": [key]}}, "limit": 1}
    found = over_the_wire(standing, "/artifacts/latest/filter", body)
    return found[0]["data"] if found else ""
