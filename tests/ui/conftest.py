"""One stack for the whole session, with two pushes refused, a real browser, and a folder for what it saw.

Tests of the desk's pages use the same two fixtures: ``standing`` (the stack) and ``page`` (a browser
that is logged in); what they share beyond that is in ``tests/ui/seen.py``.
"""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.ledger.connection import Ledger
from models.ledger.keyring import Keyring
from models.ledger.one_time import code_at
from models.ledger.sealing import Sealing
from tasks.operators import add_operator
from tests.ui.seen import CHROMIUM, FLAGS, PICTURES, elsewhere

ROOT = Path(__file__).resolve().parents[2]
# The stack takes on its settings before Prefect is imported: a process of its own.
OWNER = """
import asyncio, json, sys
from pathlib import Path
from rich.console import Console
from adapters.stack.plan import Plan, Ports
from adapters.stack.stack import Stack
from flows.cli_up import _prepare
folder, project = Path(sys.argv[1]), Path(sys.argv[2])
plan = Plan(folder=folder, project=project, ports=Ports.free(), seed=3, cases=15, schedules=False,
            given={"SHENGUAN_BREAKER_FAILURES": "2"})
refuse = {"match": {"method": "POST", "path_regex": "^/v1/pushes$"}, "times": 2,
          "do": {"kind": "status", "status": 422, "code": "rule-broken"}}
with Stack(plan) as stack:
    look = asyncio.run(_prepare(stack, Console(stderr=True)))
    stack.simulators.set_faults("platform", [refuse])
    stack.wait_deployed()
    print(json.dumps({"ui": stack.server.ui_url, "login": stack.server.auth,
                      "ledger": stack.settings.database_url.get_secret_value(),
                      "folder": str(folder.resolve()),
                      "prefect": stack.cluster.url("superuser", "prefect"),
                      "platform": str(stack.simulators.ledger("platform"))}), flush=True)
    for line in sys.stdin:
        stack.simulators.set_faults("platform", json.loads(line))
        print("{}", flush=True)
"""


@pytest.fixture(scope="session")
def standing(tmp_path_factory):
    """The stack: ``ui``, ``login``, ``ledger`` (an address), ``platform`` (its simulator's file).

    ``folder`` is all of it; ``prefect`` the address of Prefect's database.

    ``fail(rules)`` lets the platform fail by these rules from now on.
    """
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

        def fail(rules):
            owner.stdin.write(json.dumps(rules) + "\n")
            owner.stdin.flush()
            assert owner.stdout.readline(), "the stack has ended"

        try:
            yield SimpleNamespace(**json.loads(said), fail=fail)
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


@pytest.fixture(scope="session")
def operators(standing):
    """``operators(name)`` is what that person's authenticator shows now, or so many seconds ago, when called.

    The account is made the first time.
    """
    sealing = Sealing(Keyring.load(Path(standing.folder) / "keys" / "seal.json"))
    secrets: dict[str, bytes] = {}

    async def make(name):
        async with Ledger.open(standing.ledger, max_size=1) as ledger:
            return await add_operator(ledger, sealing, name)

    def authenticator(name):
        if name not in secrets:
            secrets[name] = base64.b32decode(elsewhere(make(name)).secret)
        return lambda ago_s=0: code_at(secrets[name], time.time() - ago_s)

    return authenticator
