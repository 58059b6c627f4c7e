"""An operator finds a refused push by its case number, clicks Retry, and it is sent for real."""

import itertools
import json
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.ui.conftest import CHROMIUM, PICTURES

pytestmark = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.skipif(CHROMIUM is None, reason="缺 chromium"),
]

REFUSED = """
SELECT c.case_no, c.id, e.own_id FROM effects e JOIN cases c ON c.id = e.case_id
JOIN mirror m ON m.case_id = c.id
WHERE e.state = 'refused' AND e.channel = 'push' AND m.shown = '推送被拒' AND m.dirty_since IS NULL
"""
SHOWN = "SELECT shown FROM mirror WHERE case_id = %s AND dirty_since IS NULL AND shown <> '推送被拒'"
STATE = "SELECT state FROM effects WHERE own_id = %s"
_numbers = itertools.count(1)


def ask(standing, question: str, *values):
    """The first row the ledger gives within a minute."""
    end = time.monotonic() + 60
    with psycopg.connect(standing.ledger, autocommit=True, row_factory=dict_row) as conn:
        while (row := conn.execute(question, values).fetchone()) is None:
            assert time.monotonic() < end, f"the ledger never said: {question}"
            time.sleep(0.3)
    return row


def picture(page, name: str) -> None:
    page.wait_for_timeout(500)  # what fades in has faded in
    page.screenshot(path=PICTURES / f"{next(_numbers)}-{name}.png")


def stored_over_there(standing, own_id: str) -> list[dict]:
    lines = Path(standing.platform).read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["own_id"] == own_id]


def test_retry_sends_a_refused_push_for_real(standing, page) -> None:
    refused = ask(standing, REFUSED)
    number, own_id = refused["case_no"], refused["own_id"]
    assert stored_over_there(standing, own_id) == []

    page.goto(f"{standing.ui}/runs")
    page.get_by_role("searchbox", name="Search by flow run name").fill(number)
    found = page.get_by_role("link").filter(has_text=number)
    found.first.wait_for()
    picture(page, "found")
    found.first.click()
    page.get_by_text("推送被拒").first.wait_for()
    picture(page, "refused")

    page.get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Retry").wait_for()
    picture(page, "asked")
    dialog.get_by_role("button", name="Retry").click()

    shown = ask(standing, SHOWN, refused["id"])["shown"]
    assert ask(standing, STATE, own_id)["state"] == "accepted"
    stored = stored_over_there(standing, own_id)
    assert len(stored) == 1
    page.reload()
    page.get_by_text(shown).first.wait_for(timeout=60_000)
    picture(page, "done")
    page.get_by_text("Task Runs", exact=True).first.click()
    page.get_by_text("执行该办件到期事项").first.wait_for()
    assert page.get_by_text("再试被拒事项").count() > 0
    picture(page, "tasks")
