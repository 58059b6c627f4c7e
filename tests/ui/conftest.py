"""A stack of its own with one push refused, a real browser, and a folder for what it saw."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "var" / "ui"
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

# The stack takes on its settings before Prefect is imported: a process of its own.
OWNER = """
import asyncio, json, sys
from pathlib import Path
from rich.console import Console
from adapters.stack.plan import Plan, Ports
from adapters.stack.stack import Stack
from flows.cli_up import _prepare
folder, project = Path(sys.argv[1]), Path(sys.argv[2])
plan = Plan(folder=folder, project=project, ports=Ports.free(), seed=3, cases=15, schedules=False)
refuse = {"match": {"method": "POST", "path_regex": "^/v1/pushes$"}, "times": 1,
          "do": {"kind": "status", "status": 422, "code": "rule-broken"}}
with Stack(plan) as stack:
    look = asyncio.run(_prepare(stack, Console(stderr=True)))
    stack.simulators.set_faults("platform", [refuse])
    stack.wait_deployed()
    print(json.dumps({"ui": stack.server.ui_url, "login": stack.server.auth,
                      "ledger": stack.settings.database_url.get_secret_value(),
                      "platform": str(stack.simulators.ledger("platform"))}), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def standing(tmp_path_factory):
    """The stack: ``ui``, ``login``, ``ledger`` (an address), ``platform`` (its simulator's file)."""
    folder = tmp_path_factory.mktemp("standing")
    log = (folder / "owner.log").open("w+")
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder / "stack"), str(ROOT)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    ) as owner:
        said = owner.stdout.readline()
        if not said:
            owner.wait(30)
            log.seek(0)
            pytest.fail(f"the stack did not start: {log.read()[-2000:]}")
        try:
            yield SimpleNamespace(**json.loads(said))
        finally:
            owner.stdin.close()  # it ends at the end of its input
            owner.wait(60)
            log.close()


@pytest.fixture
def page(standing):
    """A page of a real browser, logged in."""
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(
            viewport={"width": 1360, "height": 1000}, locale="zh-CN", timezone_id="Asia/Shanghai"
        )
        opened = context.new_page()
        opened.set_default_timeout(30_000)
        opened.goto(f"{standing.ui}/login")
        opened.get_by_placeholder("admin:pass").fill(standing.login)
        opened.get_by_role("button", name="Login").click()
        opened.wait_for_url(lambda url: "login" not in url)
        yield opened
        context.close()
        browser.close()
