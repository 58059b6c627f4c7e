"""Real simulator processes on loopback, spoken to with a signer of the tests' own."""

import base64
import hashlib
import hmac
import http.client
import json
import multiprocessing
import os
import secrets
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.sandbox import __main__ as sandbox

SECRET = "test-secret-1"
CONTROL = "let-me-in"
ROOT = Path(__file__).parents[3]
DEPARTMENT = "11430900MB0000019K"


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def signed(method, path, body=b"", *, own_id=None, alg="hmac-sha256", created=None, nonce=None, key="demo"):
    """The headers of RFC 9421 and RFC 9530 for one request."""
    path_only, _, query = path.partition("?")
    headers = {}
    lines = [f'"@method": {method}', f'"@path": {path_only}', f'"@query": ?{query}']
    if body:
        headers["Content-Type"] = "application/json"
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers["Content-Digest"] = f"sha-256=:{digest}:"
        lines.append('"content-type": application/json')
        lines.append(f'"content-digest": {headers["Content-Digest"]}')
    if own_id is not None:
        headers["Idempotency-Key"] = own_id
        lines.append(f'"idempotency-key": {own_id}')
    names = " ".join(line.split(": ")[0] for line in lines)
    parameters = (
        f"({names});created={created or int(time.time())};"
        f'nonce="{nonce or secrets.token_hex(12)}";keyid="{key}";alg="{alg}"'
    )
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    mac = hmac.new(SECRET.encode(), base.encode(), {"hmac-sha256": "sha256", "hmac-sm3": "sm3"}[alg])
    headers["Signature-Input"] = f"sig1={parameters}"
    headers["Signature"] = f"sig1=:{base64.b64encode(mac.digest()).decode()}:"
    return headers


class Sim:
    """One simulator process, and the ways to speak to it."""

    def __init__(self, kind, folder, *, listener="", light=False, keys=None):
        self.kind, self.folder = kind, folder
        self.ledger = folder / f"{kind}.jsonl"
        self.log = folder / f"{kind}.log.jsonl"
        self.feed = folder / f"{kind}.feed.jsonl"
        self.arguments = ["--world", str(folder / "world"), "--ledger", str(self.ledger)]
        self.arguments += ["--feed", str(self.feed), "--port", "0"]
        if listener:
            self.arguments += ["--listener", listener]
        if light:
            self.arguments += ["--light"]
        if keys:
            self.arguments += ["--keys", str(keys)]
        self.process = None

    def start(self):
        """A process of its own, forked: a simulator in some milliseconds instead of a second."""
        out, into = os.pipe()
        self.process = multiprocessing.get_context("fork").Process(target=self._run, args=(into,))
        self.process.start()
        os.close(into)
        with os.fdopen(out) as lines:
            self.port = json.loads(lines.readline())["port"]
        return self

    def _run(self, into):
        os.dup2(into, 1)
        sys.stdout = os.fdopen(1, "w")
        os.environ.update(SIM_SECRET=SECRET, SIM_CONTROL=CONTROL)
        sys.argv = ["adapters.sandbox", self.kind, *self.arguments]
        sys.exit(sandbox.main())

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        os.kill(self.process.pid, number)
        self.process.join(10)
        code = self.process.exitcode
        self.process.close()
        self.process = None
        return code

    def raw(self, method, path, body=b"", headers=None, timeout=5):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            return SimpleNamespace(status=response.status, headers=response.headers, body=response.read())
        finally:
            connection.close()

    def call(self, method, path, value=None, *, own_id=None, timeout=5):
        body = canonical(value) if value is not None else b""
        found = self.raw(method, path, body, signed(method, path, body, own_id=own_id), timeout)
        return found.status, json.loads(found.body)

    def control(self, path, value=None):
        body = json.dumps(value).encode() if value is not None else b""
        found = self.raw("POST" if body else "GET", path, body, {"X-Sim-Control": CONTROL})
        assert found.status == 200, found.body
        return json.loads(found.body)

    def faults(self, *rules):
        return self.control("/_sim/faults", list(rules))

    def clock(self, business, rate=0):
        anchor = {"anchor_machine": "2026-01-01T00:00:00+08:00", "anchor_business": business, "rate": rate}
        return self.control("/_sim/clock", anchor)

    def stored(self):
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def logged(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def world(tmp_path):
    """A function that writes world files: `world(name=[rows] or object)`."""
    folder = tmp_path / "world"
    folder.mkdir()
    (folder / "world.json").write_text(json.dumps({"seed": 7}))

    def write(**files):
        for name, value in files.items():
            if isinstance(value, list) and name != "liaisons":
                lines = [json.dumps(row) for row in value]
                (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
            else:
                (folder / f"{name}.json").write_text(json.dumps(value))

    return write


@pytest.fixture
def simulator(tmp_path, world):
    """A function that starts a simulator; all that were started are ended."""
    started = []

    def start(kind, **options):
        sim = Sim(kind, tmp_path, **options)
        started.append(sim)
        return sim.start()

    yield start
    for sim in started:
        sim.stop()


def push(case="A-1", stage="acceptance", version=1, own_id=None, item="12345678901234", **content):
    """A push body that the platform takes."""
    content = {"stage": stage, "item_name": "食品经营许可", "item_code": "X1", **content}
    key = f"{case}|{stage}|{DEPARTMENT}|{item}"
    return {
        "own_id": own_id or "PS" + sha256(f"{key}{version}".encode())[:30],
        "business_key": key,
        "stage": stage,
        "case_no": case,
        "content_version": version,
        "target": {"department": DEPARTMENT, "section": "s1", "supervision_item": item},
        "content": content,
        "content_sha256": sha256(canonical(content)),
    }


@pytest.fixture
def lib():
    """The plain functions above, for test files that cannot import a conftest."""
    return SimpleNamespace(
        canonical=canonical, sha256=sha256, signed=signed, push=push, department=DEPARTMENT, secret=SECRET
    )
