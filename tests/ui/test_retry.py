"""An operator finds a refused push by its case number, clicks Retry, and it is sent for real."""

import asyncio
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from adapters.prefect_api.client import PrefectApi
from models.ledger.queries.mirror import STATE_NAMES
from tests.ui.seen import (
    BROWSER,
    PATIENCE_S,
    ask,
    desk_page,
    elsewhere,
    picture,
    pushes_of,
    refused_case,
    search_run,
    wait,
)

pytestmark = BROWSER

SHOWN = "SELECT shown FROM mirror WHERE case_id = %s AND dirty_since IS NULL AND shown <> '推送被拒'"
FINE = """
SELECT c.id, m.flow_run_id FROM cases c JOIN mirror m ON m.case_id = c.id
WHERE m.shown IN ('待反馈', '已受理', '已闭环') AND m.dirty_since IS NULL
AND EXISTS (SELECT FROM effects e WHERE e.case_id = c.id AND e.channel = 'push' AND e.state = 'accepted')
AND NOT EXISTS (SELECT FROM effects e WHERE e.case_id = c.id AND e.channel = 'push' AND e.state <> 'accepted')
"""
TRIED = """
SELECT count(*) FROM effect_attempts a JOIN effects e USING (own_id)
WHERE e.case_id = %s AND e.state = 'accepted' AND e.channel = 'push' AND a.attempt > 1
"""
SENT = "SELECT state, answered_at FROM effects WHERE own_id = %s"


def everything_over_there(standing) -> list[dict]:
    return [json.loads(line) for line in Path(standing.platform).read_text(encoding="utf-8").splitlines()]


def test_retry_sends_a_refused_push_for_real(standing, page) -> None:
    refused = refused_case(standing)
    number, own_id = refused["case_no"], refused["own_id"]

    found = search_run(page, standing, number)
    picture(page, "found-by-its-number")
    found.click()
    page.get_by_text("推送被拒").first.wait_for()
    # its log page is the timeline: how it began, and what stopped it
    page.get_by_text(f"收到办件 {number}").first.wait_for()
    page.get_by_text(
        re.compile("被拒（对方按规则拒收）。对方答复：不合对方规则（rule-broken）")
    ).first.wait_for()
    picture(page, "refused-and-its-timeline")
    page.get_by_text("Details", exact=True).first.click()
    page.get_by_text("State Message").first.wait_for()
    page.get_by_text("See More").first.click()
    page.wait_for_function(
        "() => /shenguan decide/.test(document.body.textContent.split('State Message')[1])"
    )
    words = page.locator("body").text_content()
    # the log page's line says no "since": this is the state's own sentence
    assert re.search(r"，自 \d{4}-\d\d-\d\d \d\d:\d\d。对方答复：.*。可以安全再试：", words), words
    assert f"点 Retry，或运行 shenguan rerun {number}" in words
    assert "负责：" in words
    picture(page, "what-happened-and-what-to-do")
    page.reload()  # whatever stands open is closed
    # what a person needs is a click away
    wait("the desk with it", lambda: number in desk_page(standing, "desk-2-stopped"))
    page.get_by_text("Logs", exact=True).first.click()
    link = page.get_by_role("link").filter(has_text="/artifacts/key/desk-2-stopped").first
    link.evaluate("link => link.removeAttribute('target')")  # not into another tab
    link.click()
    page.wait_for_url("**/artifacts/key/desk-2-stopped")
    page.get_by_text("暂挂与被拒").first.wait_for()
    picture(page, "where-the-timeline-leads")
    page.locator("a[href*='/artifacts/artifact/']").first.click()
    page.get_by_text(number).first.wait_for()
    page.go_back()
    page.go_back()

    assert pushes_of(standing, own_id) == []
    standing.mend(number)
    clicked = datetime.now(UTC)
    page.get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Retry").wait_for()
    dialog.get_by_role("button", name="Retry").click()

    shown = ask(standing, SHOWN, refused["id"])["shown"]
    sent = ask(standing, SENT, own_id)
    assert sent["state"] == "accepted"
    assert sent["answered_at"] > clicked, "the call came after the click"
    assert len(pushes_of(standing, own_id)) == 1
    page.reload()
    page.get_by_text(shown).first.wait_for(timeout=60_000)
    picture(page, "retried")
    page.get_by_text("Task Runs", exact=True).first.click()
    page.get_by_text("执行该办件到期事项").first.wait_for()
    assert page.get_by_text("再试被拒事项").count() > 0
    picture(page, "task-runs")


def test_retry_where_none_is_needed_does_no_harm(standing) -> None:
    fine = ask(standing, FINE)
    before = [row["own_id"] for row in everything_over_there(standing)]
    tried = repeated(standing, fine["id"])
    elsewhere(retried_to_its_end(standing, fine["flow_run_id"]))
    after = [row["own_id"] for row in everything_over_there(standing)]
    assert after[: len(before)] == before
    assert len(set(after)) == len(after), "nothing is there twice"
    assert repeated(standing, fine["id"]) == tried, "what they have is not sent again"


def repeated(standing, case_id):
    """How often what they have of this case was tried again; a dead target may have made it so before."""
    question = """
        SELECT count(*) FROM effect_attempts a JOIN effects e USING (own_id)
        WHERE e.case_id = %s AND a.attempt > 1 AND e.state = 'accepted'"""
    with psycopg.connect(standing.ledger) as conn:
        return conn.execute(question, (case_id,)).fetchone()


async def retried_to_its_end(standing, run) -> None:
    """Retry as the button does it; back when the run shows the ledger's state again."""
    async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
        await prefect.retry_run(run)
        begun = time.monotonic()
        while (await prefect.run_states([run]))[run].state.name not in STATE_NAMES:
            assert time.monotonic() - begun < PATIENCE_S
            await asyncio.sleep(0.5)
