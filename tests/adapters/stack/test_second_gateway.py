"""A stack with two SMS gateways, as ``shenguan up --second-gateway`` has it: one fails and comes back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[3]

OWNER = """
import asyncio, json, sys, time
from dataclasses import replace
from pathlib import Path
import psycopg
from rich.console import Console
from adapters.stack.plan import Ports, up_plan
from adapters.stack.stack import Stack
from flows.cli_up import _prepare

plan = up_plan(Path(sys.argv[1]), seed=3, cases=60, given={}, second_gateway=True)
plan = replace(plan, project=Path(sys.argv[2]), ports=Ports.free(), prefect=False, worker=False)

def until(come, what):
    end = time.monotonic() + 120
    while not come():
        assert time.monotonic() < end, what
        time.sleep(0.2)

with Stack(plan) as stack:
    def texts(name):
        path = stack.simulators.ledger(name)
        return len(path.read_bytes().splitlines()) if path.exists() else 0

    def came_home():
        with psycopg.connect(stack.settings.database_url.get_secret_value()) as conn:
            return conn.execute("SELECT count(*) FROM sms_texts t JOIN effects e USING (own_id)"
                                " WHERE e.via = 'sms2' AND t.report_status IS NOT NULL").fetchone()[0]

    asyncio.run(_prepare(stack, Console(stderr=True)))
    stack.wait_deployed()
    until(lambda: texts("sms"), "nothing went by the first gateway")
    calm = texts("sms2")
    stack.simulators.set_faults("sms", [
        {"match": {"method": "POST", "path_regex": "^/sms/norsubmit$"},
         "do": {"kind": "status", "status": 503, "code": "not-processed"}}])
    before = texts("sms")
    until(lambda: texts("sms2"), "nothing went by the second gateway")
    until(came_home, "no receipt of the second gateway came home")
    while_away = texts("sms") - before
    stack.simulators.set_faults("sms", [])
    before = texts("sms")
    until(lambda: texts("sms") > before, "nothing went by the first gateway again")
    print(json.dumps({"where": stack.where(), "calm": calm, "while_away": while_away,
                      "files": [str(stack.simulators.ledger(name)) for name in ("sms", "sms2")]}), flush=True)
"""


def test_texts_go_by_the_second_while_the_first_fails_and_by_the_first_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OWNER, str(tmp_path), str(ROOT)],
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert any(line.startswith("备用短信仿真") for line in told["where"])
    assert told["calm"] == 0, "the second gateway has nothing to do while the first works"
    sent = [
        [json.loads(line)["content"]["content"] for line in Path(file).read_text("utf-8").splitlines()]
        for file in told["files"]
    ]
    first, second = (set(texts) for texts in sent)
    assert first, "the first gateway's own texts"
    assert second
    assert first & second == set(), "no text goes by both"
