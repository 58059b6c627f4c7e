"""What tests of the UI share: the browser's place, questions to the ledger, pictures, ways to a run."""

import itertools
import shutil
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

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

_numbers = itertools.count(1)


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
