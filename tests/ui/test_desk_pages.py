"""The rerun form, dry and real, and the desk, in a real browser."""

import re

from adapters.prefect_api.artifacts import MarkdownPage, show_pages
from adapters.prefect_api.client import PrefectApi
from tests.ui.seen import (
    BROWSER,
    PICTURES,
    deployment,
    elsewhere,
    ended,
    pushes_of,
    refused_case,
    rows,
    runs_named,
    wait,
)

pytestmark = BROWSER
STOPPED = (
    "SELECT own_id FROM effects WHERE channel = 'push' AND state = 'refused' AND decided_at IS NULL"
    " AND target = %s"
)


def field(page, title):
    """The input below a field's title; the labels of Prefect's form name no input."""
    label = page.locator(".schema-form-property__label", has_text=title)
    one = page.locator(".schema-form-property").filter(has=label)
    return one.locator("textarea, input[type=number], [role=switch], .p-select-button__control")


def picture(page, name):
    page.wait_for_timeout(600)
    page.screenshot(path=PICTURES / f"desk-{name}.png", full_page=True)


def open_form(page, standing, department, most):
    page.goto(f"{standing.ui}/deployments/deployment/{deployment(standing, 'rerun-failed')}/run")
    field(page, "最多件数").wait_for()
    field(page, "部门").fill(department)
    field(page, "最多件数").fill(str(most))


def test_rerun_failed_is_looked_at_then_done_under_a_name(standing, page, operators) -> None:
    case = refused_case(standing)
    department = case["target"]
    refused = {own_id for (own_id,) in rows(standing, STOPPED, department)}
    assert case["own_id"] in refused
    tries = rows(standing, "SELECT sum(attempts) FROM effects WHERE own_id = ANY(%s)", list(refused))[0][0]

    open_form(page, standing, department, len(refused))
    picture(page, "form")
    before = runs_named(standing, "批量重试")
    page.get_by_role("button", name="Submit").click()
    dry = ended(standing, "批量重试", beside=before)
    assert dry["state"]["name"] == "试算完成", dry["state"]
    after = rows(standing, "SELECT sum(attempts) FROM effects WHERE own_id = ANY(%s)", list(refused))[0][0]
    assert after == tries, "a dry run sends nothing"
    page.goto(f"{standing.ui}/runs/flow-run/{dry['id']}")
    page.get_by_text("尚未做任何事").first.wait_for()
    picture(page, "dry")

    open_form(page, standing, department, len(refused))
    field(page, "仅试算").click()
    name, code = "值班员甲", operators("值班员甲")
    field(page, "经办人账户").fill(name)
    field(page, "一次性口令").fill(code())
    picture(page, "real-form")
    standing.mend(case["case_no"])
    page.get_by_role("button", name="Submit").click()
    sent = case["own_id"]
    wait("a push sent again", lambda: pushes_of(standing, sent))
    real = ended(standing, "批量重试", beside={*before, dry["id"]})
    assert real["state"]["name"] == "已重试", real["state"]
    assert len(pushes_of(standing, sent)) == 1
    told = "SELECT actor FROM history WHERE entity_id = %s AND event = 'asked_again'"
    assert rows(standing, told, sent) == [(name,)]
    page.goto(f"{standing.ui}/runs/flow-run/{real['id']}")
    page.get_by_text(re.compile(r"已请求 (\d+)/\1")).first.wait_for()
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
