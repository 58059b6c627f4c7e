"""`python -m adapters.sandbox` as the stack starts it."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def start(folder, kind, *more, **environment):
    (folder / "world").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "adapters.sandbox", kind, "--world", str(folder / "world")]
    command += ["--ledger", str(folder / "x.jsonl"), "--feed", str(folder / "x.feed.jsonl"), *more]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("kind", ["platform", "credit", "sms", "sms-aliyun"])
def test_it_says_its_port_first_answers_and_ends_on_sigterm(tmp_path, kind):
    with start(tmp_path, kind, "--port", "0", "--light") as process:
        port = json.loads(process.stdout.readline())["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_sim/health", timeout=5) as response:
            assert json.loads(response.read())["status"] == "ok"
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_a_world_that_cannot_be_read_stops_the_start_with_its_line(tmp_path):
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "feed_cases.jsonl").write_text(
        '{"at":"2026-01-01T00:00:00+08:00","record":{}}\n{"at":1}\n'
    )
    with start(tmp_path, "platform") as process:
        assert process.wait(10) == 2
        assert "feed_cases.jsonl:2" in process.stderr.read()
