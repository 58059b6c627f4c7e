"""The rerun form, dry and real, and the desk, in a real browser."""

import asyncio
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from adapters.prefect_api.artifacts import MarkdownPage, show_pages
from adapters.prefect_api.client import PrefectApi
from models.ledger.connection import Ledger
from models.ledger.keyring import Keyring
from models.ledger.one_time import code_at
from models.ledger.sealing import Sealing
from tasks.operators import add_operator
from tests.ui.seen import BROWSER, PICTURES

pytestmark = BROWSER
REFUSED = (
    "SELECT own_id, target FROM effects WHERE channel = 'push' AND state = 'refused' AND decided_at IS NULL"
)


def rows(standing, sql, *values):
    with psycopg.connect(standing.ledger, autocommit=True) as conn:
        return conn.execute(sql, values).fetchall()


def wait(what, until, *, seconds=120):
    end = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.4)
    return found


def elsewhere(work):
    """The browser's library has this thread's event loop: other loops run in another."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def operator(standing):
    """A name and what its authenticator shows now."""
    sealing = Sealing(Keyring.load(Path(standing.folder) / "keys" / "seal.json"))

    async def make():
        async with Ledger.open(standing.ledger, max_size=1) as ledger:
            return await add_operator(ledger, sealing, "值班员甲")

    made = elsewhere(make())
    secret = base64.b32decode(made.secret)
    return made.name, lambda: code_at(secret, time.time())


def deployment(standing, name):
    async def ask():
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            return await prefect.deployment_id(name)

    return wait(f"deployment {name}", lambda: elsewhere(ask()))


def field(page, title):
    """The input below a field's title; the labels of Prefect's form name no input."""
    label = page.locator(".schema-form-property__label", has_text=title)
    one = page.locator(".schema-form-property").filter(has=label)
    return one.locator("textarea, input[type=number], [role=switch], .p-select-button__control")


def ended(standing, name):
    """The newest run of this name, once its state is ours."""

    async def ask():
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            body = {"flow_runs": {"name": {"any_": [name]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 1}
            return await prefect._wire.post("/flow_runs/filter", body)

    def look():
        found = elsewhere(ask())
        state = found[0]["state"] if found else {}
        return found[0] if state.get("type") in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else None

    return wait(f"the end of {name}", look)


def picture(page, name):
    page.wait_for_timeout(600)
    page.screenshot(path=PICTURES / f"desk-{name}.png", full_page=True)


def open_form(page, standing, department):
    page.goto(f"{standing.ui}/deployments/deployment/{deployment(standing, 'rerun-failed')}/run")
    field(page, "最多件数").wait_for()
    field(page, "部门").fill(department)
    field(page, "最多件数").fill("1")


def stored(standing, own_id):
    lines = Path(standing.platform).read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["own_id"] == own_id]


def test_rerun_failed_is_looked_at_then_done_under_a_name(standing, page, operator) -> None:
    department = wait("a refused push", lambda: rows(standing, REFUSED))[0][1]
    refused = {own_id for own_id, target in rows(standing, REFUSED) if target == department}
    tries = rows(standing, "SELECT sum(attempts) FROM effects WHERE own_id = ANY(%s)", list(refused))[0][0]

    open_form(page, standing, department)
    picture(page, "form")
    page.get_by_role("button", name="Submit").click()
    dry = ended(standing, "批量重试")
    assert dry["state"]["name"] == "试算完成", dry["state"]
    after = rows(standing, "SELECT sum(attempts) FROM effects WHERE own_id = ANY(%s)", list(refused))[0][0]
    assert after == tries, "a dry run sends nothing"
    page.goto(f"{standing.ui}/runs/flow-run/{dry['id']}")
    page.get_by_text("尚未做任何事").first.wait_for()
    picture(page, "dry")

    open_form(page, standing, department)
    field(page, "仅试算").click()
    name, code = operator
    field(page, "经办人账户").fill(name)
    field(page, "一次性口令").fill(code())
    picture(page, "real-form")
    standing.fail([])  # the platform has mended its rule
    page.get_by_role("button", name="Submit").click()
    wait("a push sent again", lambda: any(stored(standing, own_id) for own_id in refused))
    (sent,) = [own_id for own_id in refused if stored(standing, own_id)]
    real = wait("the real run", lambda: (run := ended(standing, "批量重试"))["id"] != dry["id"] and run)
    assert real["state"]["name"] == "已重试", real["state"]
    assert len(stored(standing, sent)) == 1
    told = "SELECT actor FROM history WHERE entity_id = %s AND event = 'asked_again'"
    assert rows(standing, told, sent) == [(name,)]
    page.goto(f"{standing.ui}/runs/flow-run/{real['id']}")
    page.get_by_text("已请求 1/1").first.wait_for()
    picture(page, "real")


def test_the_desk_tells_at_a_glance_and_asks_nobody_outside(standing, page) -> None:
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{standing.ui}/artifacts")
    for key in ("desk-1-overview", "desk-2-stopped", "desk-3-departments", "desk-4-matters", "desk-5-texts"):
        page.get_by_text(key).first.wait_for(timeout=60_000)
    picture(page, "list")

    async def ids():
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            found = await prefect._wire.post("/artifacts/latest/filter", {"limit": 50})
            return {row["key"]: row["latest_id"] for row in found if row["key"].startswith("desk-")}

    pages = elsewhere(ids())
    for key, identity in sorted(pages.items()):
        page.goto(f"{standing.ui}/artifacts/artifact/{identity}")
        page.locator(".markdown-renderer").last.wait_for()
        page.wait_for_timeout(500)
        drawn = page.locator("img.markdown-renderer__image")
        for at in range(drawn.count()):
            assert drawn.nth(at).evaluate("image => image.naturalWidth") > 300, key
        picture(page, key)
    page.goto(f"{standing.ui}/artifacts/artifact/{pages['desk-1-overview']}")
    verdict = page.locator("img.markdown-renderer__image").first
    verdict.wait_for()
    assert verdict.get_attribute("alt")

    outside = [url for url in asked if not url.startswith((standing.ui, "data:", "blob:", "ws://127.0.0.1"))]
    assert outside == []


def test_a_page_that_two_programs_made_first_stays_one_from_then_on(standing) -> None:
    async def draw(*, times):
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            wire = prefect._wire
            for _ in range(2):  # each of two programs found none, and made one
                await wire.post("/artifacts/", {"key": "desk-0-test", "type": "markdown", "data": "first"})
            said = [MarkdownPage("desk-0-test", "a page", f"drawing {at}") for at in range(times)]
            shown = [(await show_pages(wire, [page]))["desk-0-test"] for page in said]
            kept = await wire.post("/artifacts/filter", {"artifacts": {"key": {"any_": ["desk-0-test"]}}})
            return shown, {row["id"]: row["data"] for row in kept}

    shown, kept = elsewhere(draw(times=3))
    assert len(set(shown)) == 1
    assert kept == {identity: "drawing 2" if identity == shown[0] else "first" for identity in kept}
    assert len(kept) == 2
