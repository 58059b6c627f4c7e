"""The whole stack: it starts with one ``with``, and a kill -9 of its owner leaves nothing."""

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from adapters.stack import postmaster
from adapters.stack.leftovers import MARK
from adapters.stack.plan import Ports, PortTaken, demo_plan, up_plan
from adapters.stack.ready import is_port_free
from adapters.stack.secrets import Secrets
from adapters.stack.simulators import Simulators

ROOT = Path(__file__).resolve().parents[3]

OWNER = """
import json, sys, time
from datetime import UTC, datetime
from pathlib import Path
from adapters.stack.plan import Plan, Ports
from adapters.stack.processes import end_politely_on_signals
from adapters.stack.stack import Stack
end_politely_on_signals()
folder, project = Path(sys.argv[1]), Path(sys.argv[2])
plan = Plan(folder=folder, project=project, ports=Ports.free(), seed=3, cases=20,
            worker=False, dispatcher=False, listener=False, schedules=False)
with Stack(plan) as stack:
    stack.simulators.set_clock(datetime(2026, 3, 2, 9, tzinfo=UTC), rate=0)
    stack.wait_deployed()
    environment = stack.environment()
    owner = stack.cluster.password("owner") in str(environment)
    print(json.dumps({"timings": stack.timings, "where": stack.where(), "ui": plan.ports.ui,
                      "names": sorted(environment), "owner": owner}), flush=True)
    time.sleep(600)
"""


def marked(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder.resolve()):
                found.append(process.name())
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.stack
def test_a_killed_owner_leaves_no_process_of_the_stack(tmp_path: Path, stand_in_project: Path) -> None:
    if not (stand_in_project / "config").exists():
        (stand_in_project / "config").symlink_to(ROOT / "config")
    folder = tmp_path / "stack"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), str(stand_in_project)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stderr is not None
    line = owner.stdout.readline()
    assert line, owner.stderr.read()[-3000:]
    told = json.loads(line)
    assert told["timings"].keys() >= {"postgres", "world", "migrations", "simulators", "prefect_server"}
    assert any("界面" in text for text in told["where"])
    assert "SHENGUAN_OWNER_DATABASE_URL" not in told["names"]
    assert told["owner"] is False, "nobody but the migration sees the owner's password"
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "keys").iterdir()}
    assert modes.pop("evidence.key.pub") == 0o644, "whoever verifies may read the public key"
    assert set(modes.values()) == {0o600}
    assert postmaster.remains(folder / "pg" / "data")
    assert len(marked(folder)) >= 8

    owner.send_signal(signal.SIGKILL)
    owner.wait()
    deadline = time.monotonic() + 25
    while (marked(folder) or postmaster.remains(folder / "pg" / "data")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert marked(folder) == []
    assert postmaster.remains(folder / "pg" / "data") == [], "PostgreSQL is stopped by the last will"
    assert is_port_free(told["ui"])
    owner.stdout.close()
    owner.stderr.close()


def test_a_real_system_gets_no_simulator_and_a_real_ledger_is_taken(tmp_path: Path) -> None:
    given = {"SHENGUAN_SMS_URL": "https://sms.example", "SHENGUAN_DATABASE_URL": "postgresql://somewhere/x"}
    plan = up_plan(tmp_path, seed=1, cases=20, given=given)
    assert plan.simulated == ("platform", "credit")
    assert not plan.own_ledger
    assert plan.ports == Ports(4200, 4211, 4212, 4213, 4221)
    assert not plan.all_simulated
    demo = demo_plan(tmp_path, seed=1, cases=20)
    assert demo.all_simulated
    assert demo.simulated == ("platform", "credit", "sms")
    assert demo.own_ledger
    assert not demo.schedules
    assert len({*vars(demo.ports).values()}) == len(vars(demo.ports))


def test_a_second_gateway_is_started_where_it_is_asked_for(tmp_path: Path) -> None:
    beside = up_plan(tmp_path, seed=1, cases=20, given={}, second_gateway=True)
    assert beside.simulated == ("platform", "credit", "sms", "sms2")
    assert beside.all_simulated
    assert demo_plan(tmp_path, seed=1, cases=20, second_gateway=True).simulated == beside.simulated


@pytest.mark.parametrize("asked", [False, True])
def test_invented_cases_run_fast_past_no_real_second_gateway(tmp_path: Path, asked: bool) -> None:
    given = {"SHENGUAN_SMS2_URL": "https://sms.example"}
    plan = up_plan(tmp_path, seed=1, cases=20, given=given, second_gateway=asked)
    assert plan.simulated == ("platform", "credit", "sms")
    assert not plan.all_simulated


def test_taken_ports_are_all_named(tmp_path: Path) -> None:
    import socket

    ports = Ports.free()
    with socket.socket() as one, socket.socket() as two:
        for held, port in ((one, ports.ui), (two, ports.listener)):
            held.bind(("127.0.0.1", port))
            held.listen()
        with pytest.raises(PortTaken) as told:
            ports.assert_free()
    assert told.value.taken == {"界面": ports.ui, "回执": ports.listener}
    assert str(ports.ui) in str(told.value)
    ports.assert_free()


def test_settings_of_simulators_name_the_secret_they_were_given(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "keys")
    simulators = Simulators(tmp_path, {"credit": 1, "sms": 2}, secrets, listener="http://127.0.0.1:3")
    settings = simulators.settings()
    assert settings["SHENGUAN_CREDIT_SECRET"] == secrets["credit"] == Secrets(tmp_path / "keys")["credit"]
    assert settings["SHENGUAN_SMS_SECRET_KEY"] == secrets["sms"] != secrets["credit"]
    assert "SHENGUAN_PLATFORM_URL" not in settings
