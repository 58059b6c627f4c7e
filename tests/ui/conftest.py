"""One stack for the whole session, a real browser, and a folder for what it saw.

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
from tasks.operators.accounts import add_operator
from tests.ui.seen import CHROMIUM, FLAGS, PICTURES, elsewhere

ROOT = Path(__file__).resolve().parents[2]
# The stack takes on its settings before Prefect is imported: a process of its own.
OWNER = """
import asyncio, json, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from rich.console import Console
from adapters.stack.plan import Plan, Ports
from adapters.stack.stack import Stack
from flows.cli_up import _prepare
folder, project = Path(sys.argv[1]), Path(sys.argv[2])

class Robot(BaseHTTPRequestHandler):
    def do_POST(self):
        told = self.rfile.read(int(self.headers["content-length"]))
        with (folder / "alerts.jsonl").open("ab") as book:
            book.write(json.dumps(json.loads(told), ensure_ascii=False).encode() + b"\\n")
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *said):
        pass

robot = HTTPServer(("127.0.0.1", 0), Robot)
threading.Thread(target=robot.serve_forever, daemon=True).start()
plan = Plan(folder=folder, project=project, ports=Ports.free(), seed=3, cases=15, schedules=False,
            given={"SHENGUAN_BREAKER_FAILURES": "2",
                   "SHENGUAN_ALERT_WEBHOOK_URL": f"http://127.0.0.1:{robot.server_port}/robot?key=made-up"})
with Stack(plan) as stack:
    roster = stack.simulators.world / "liaisons.json"
    people = json.loads(roster.read_text(encoding="utf-8"))
    for number, person in enumerate(people):
        person["name"] = f"司徒金雀{number:04d}"  # nobody else is called so: it can be looked for
    roster.write_text(json.dumps(people, ensure_ascii=False), encoding="utf-8")
    look = asyncio.run(_prepare(stack, Console(stderr=True)))
    stack.wait_deployed()
    print(json.dumps({"ui": stack.server.ui_url, "login": stack.server.auth,
                      "ledger": stack.settings.database_url.get_secret_value(),
                      "folder": str(folder.resolve()),
                      "prefect": stack.cluster.url("superuser", "prefect"),
                      "roster": str(roster.resolve()),
                      **{system: str(stack.simulators.ledger(system))
                         for system in ("platform", "credit", "sms")}}), flush=True)
    for line in sys.stdin:
        for system, what, body in json.loads(line):
            stack.simulators._control(system, what, body)
        print("{}", flush=True)
"""
REFUSED = {"kind": "status", "status": 422, "code": "rule-broken"}


class Standing(SimpleNamespace):
    """The stack: ``ui``, ``login``, ``ledger`` and ``prefect`` (addresses), ``folder`` (all of it).

    ``platform``, ``credit``, ``sms`` are the simulators' own files; ``roster`` the liaisons'.
    """

    def fail(self, rules, system="platform") -> None:
        """A simulator fails by these rules from now on; what is refused case by case stays so."""
        self.rules[system] = list(rules)
        self._tell((system, "faults", [*self.refused.values(), *rules] if system == "platform" else rules))

    def refuse(self, case_no) -> None:
        """Pushes of this case are refused until ``mend``."""
        match = {"method": "POST", "path_regex": "^/v1/pushes$", "target": case_no}
        self.refused[case_no] = {"match": match, "do": REFUSED}
        self.fail(self.rules["platform"])

    def mend(self, case_no) -> None:
        """The other side has mended its rule."""
        del self.refused[case_no]
        self.fail(self.rules["platform"])

    def publish(self, *records, feed="cases") -> None:
        """The platform has these records now."""
        self._tell(("platform", "publish", {"feed": feed, "records": list(records)}))

    def _tell(self, *commands) -> None:
        self.owner.stdin.write(json.dumps(commands) + "\n")
        self.owner.stdin.flush()
        assert self.owner.stdout.readline(), "the stack has ended"


def pytest_collection_modifyitems(items) -> None:
    """Who looks whether anybody's data has leaked looks last: then everything has run."""
    items.sort(key=lambda item: item.path.name == "test_canary.py")


@pytest.fixture(scope="session")
def standing(tmp_path_factory):
    """A stack for all tests of this folder; each makes the cases it needs."""
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
            rules = {"platform": [], "credit": [], "sms": []}
            yield Standing(**json.loads(said), owner=owner, rules=rules, refused={})
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
