"""A small city that has lived for some weeks: real simulators, a real ledger, and its settings."""

import asyncio
import base64
import http.client
import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from typer.testing import CliRunner

from models.evidence.signing import create_signing_key
from models.ledger.one_time import code_at

ROOT = Path(__file__).parents[2]
SECRET, CONTROL = "a made-up secret", "let-me-in"
CASES, TICKS = 30, 5


@pytest.fixture(scope="session")
def city_lived(cluster, migrated, keyring_file, tmp_path_factory):
    """Its settings (environment), and what its tests ask for by name."""
    from tests.conftest import _as_superuser, _copy

    _copy(cluster, migrated, "desk")
    folder = tmp_path_factory.mktemp("desk")
    world = folder / "world"
    generate = [sys.executable, "-m", "adapters.sandbox.world", "--seed=11", f"--cases={CASES}"]
    subprocess.run([*generate, "--city-dir=config/yiyang", f"--out={world}"], cwd=ROOT, check=True)
    processes, ports = _simulators(folder, world)
    create_signing_key(folder / "evidence.key")
    settings = {
        "SHENGUAN_DATABASE_URL": cluster.url("app", "desk"),
        "SHENGUAN_SEAL_KEYS_FILE": str(keyring_file),
        "SHENGUAN_JOURNAL_DIR": str(folder / "journal"),
        **{f"SHENGUAN_{kind.upper()}_URL": f"http://127.0.0.1:{port}" for kind, port in ports.items()},
        **{f"SHENGUAN_{kind}_KEY_ID": "demo" for kind in ("PLATFORM", "CREDIT")},
        **{f"SHENGUAN_{kind}_SECRET": SECRET for kind in ("PLATFORM", "CREDIT")},
        **{f"SHENGUAN_SMS_{name}": "demo" for name in ("EC_NAME", "AP_ID", "SIGN")},
        "SHENGUAN_SMS_SECRET_KEY": SECRET,
        "SHENGUAN_LISTENER_PATH_SECRET": "an-unguessable-path-1",
        "SHENGUAN_LISTENER_PORT": "1",
        "SHENGUAN_EVIDENCE_KEY_FILE": str(folder / "evidence.key"),
        "SHENGUAN_EVIDENCE_DIR": str(folder / "evidence"),
        "SHENGUAN_EVIDENCE_EVERY_S": "0",
    }
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            asyncio.run(_live(world, ports))
        yield SimpleNamespace(settings=settings, owner=cluster.url("owner", "desk"), folder=folder)
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)
            process.stdout.close()
        _as_superuser(cluster, "DROP DATABASE desk WITH (FORCE)")


@pytest.fixture
def shenguan(city_lived, monkeypatch, tmp_path):
    """``shenguan("status", "--json")`` → exit code, standard output, standard error."""
    from flows.cli import app
    from flows.cli_findings import sentence_of

    for name in [name for name in os.environ if name.startswith(("SHENGUAN_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    for name, value in city_lived.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(app, [str(one) for one in arguments])
        if done.exception is None or isinstance(done.exception, SystemExit):
            return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)
        # what typer lets through is told by `main`
        said = sentence_of(done.exception)
        if said is None:
            raise done.exception
        return SimpleNamespace(code=said[0], out=done.stdout, err=said[1])

    yield run
    structlog.reset_defaults()


@pytest.fixture
def signed(shenguan):
    """``signed("王五")`` → the options of a name with a fresh account and its code of now."""

    def run(name):
        shenguan("operator", "disable", name)
        made = json.loads(shenguan("operator", "add", name, "--json").out)
        secret = base64.b32decode(made["secret"])
        return "--by", name, "--code", code_at(secret, time.time())

    return run


@pytest.fixture
def ask(city_lived):
    """``ask(sql, …)``: rows of the ledger."""
    import psycopg

    def run(sql, *values):
        with psycopg.connect(city_lived.settings["SHENGUAN_DATABASE_URL"], autocommit=True) as conn:
            cursor = conn.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    return run


def _simulators(folder, world):
    processes, ports = [], {}
    surroundings = os.environ | {"SIM_SECRET": SECRET, "SIM_CONTROL": CONTROL}
    for kind in ("platform", "credit", "sms"):
        command = [sys.executable, "-m", "adapters.sandbox", kind, "--port=0", f"--world={world}"]
        command += [f"--ledger={folder}/{kind}.jsonl", f"--feed={folder}/{kind}.feed.jsonl"]
        process = subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE)
        processes.append(process)
    for kind, process in zip(("platform", "credit", "sms"), processes, strict=True):
        ports[kind] = json.loads(process.stdout.readline())["port"]
    return processes, ports


def _set_clock(ports, now):
    anchors = {"anchor_machine": datetime.now().astimezone().isoformat(), "anchor_business": now.isoformat()}
    for port in ports.values():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        headers = {"X-Sim-Control": CONTROL, "Content-Type": "application/json"}
        connection.request("POST", "/_sim/clock", json.dumps(anchors | {"rate": 0}), headers)
        assert connection.getresponse().status < 300
        connection.close()


async def _live(world, ports):
    from models.ledger.queries import clock
    from tasks import steps
    from tasks.city_loading import load_city_into
    from tasks.composition import open_services

    told = json.loads((world / "world.json").read_text())
    people = json.loads((world / "liaisons.json").read_text())
    begins, ends = (datetime.fromisoformat(told[name]) for name in ("begins", "ends"))
    async with open_services() as services:
        await load_city_into(services.ledger, services.sealing, services.city, people)
        for tick in range(TICKS + 1):
            # ten in the morning: texts may go
            now = (begins + (ends - begins) * tick / TICKS).replace(hour=2) + timedelta(days=1)
            _set_clock(ports, now)
            async with services.ledger.writing() as conn:
                await clock.set_clock(conn, business=now, rate=Decimal(0))
            await steps.everything(services)
