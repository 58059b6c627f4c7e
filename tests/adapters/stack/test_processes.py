"""Child programs: nothing is left behind, whatever becomes of their owner."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from adapters.stack.leftovers import MARK, end_leftovers
from adapters.stack.processes import Program, ProgramEnded, Supervisor
from adapters.stack.ready import free_port, is_port_free

# A program with a child that has gone into a session of its own, as a worker's flow runs may.
FAMILY = """
import subprocess, time
subprocess.Popen(["sleep", "300"], start_new_session=True)
print("up", flush=True)
time.sleep(300)
"""

OWNER = """
import sys, time
from pathlib import Path
from adapters.stack.processes import Program, Supervisor, end_politely_on_signals
end_politely_on_signals()
folder = Path(sys.argv[1])
with Supervisor(folder) as supervisor:
    supervisor.start(Program("family", [sys.executable, "-c", sys.argv[2]]))
    deaf = "trap '' TERM; while true; do sleep 0.1; done"
    supervisor.start(Program("stubborn", ["bash", "-c", deaf], grace=0.5))
    supervisor.start(Program("will", ["touch", str(folder / "executed")], last_will=True))
    supervisor.wait_for("family", lambda: "up" in supervisor.tail("family"), timeout=20)
    print("ready", flush=True)
    time.sleep(300)
"""


def family_of(folder: Path) -> list[psutil.Process]:
    """Every living program that carries the folder's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MARK) == str(folder.resolve())
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def gone_within(folder: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while family_of(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def owner(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), FAMILY], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    end_leftovers(tmp_path)


def test_killing_the_owner_leaves_nothing(owner: subprocess.Popen[str], tmp_path: Path) -> None:
    assert len(family_of(tmp_path)) >= 5  # three launchers, the family of two, the stubborn one
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert gone_within(tmp_path, 6)
    assert (tmp_path / "executed").exists(), "the last will was not carried out"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_polite_end_leaves_nothing_and_needs_no_will(
    owner: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    owner.send_signal(number)
    owner.wait(10)
    assert not family_of(tmp_path)
    assert not (tmp_path / "pids.json").exists()
    assert not (tmp_path / "executed").exists()


def test_what_outlived_even_its_launcher_is_ended_at_the_next_start(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as first:
        first.start(Program("family", [sys.executable, "-c", FAMILY]))
        first.wait_for("family", lambda: "up" in first.tail("family"), timeout=20)
        os.kill(first.pid("family"), signal.SIGKILL)
        deadline = time.monotonic() + 5
        while len(family_of(tmp_path)) != 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        left = family_of(tmp_path)
        assert [process.name() for process in left] == ["sleep"], "the program dies with its launcher"
        with Supervisor(tmp_path):
            assert not left[0].is_running()


def test_a_recorded_number_that_belongs_to_a_stranger_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        started = psutil.Process(stranger.pid).create_time()
        (tmp_path / "pids.json").write_text(
            json.dumps({"platform": {"pid": stranger.pid, "started": started - 3600}})
        )
        assert end_leftovers(tmp_path) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_recorded_program_without_the_mark_is_ended(tmp_path: Path) -> None:
    ours = subprocess.Popen(["sleep", "60"])
    started = psutil.Process(ours.pid).create_time()
    (tmp_path / "pids.json").write_text(json.dumps({"platform": {"pid": ours.pid, "started": started}}))
    assert end_leftovers(tmp_path) == ["sleep"]
    ours.wait(1)
    assert not psutil.pid_exists(ours.pid)


@pytest.mark.parametrize("torn", ["", "[1", "[]", '{"a": {"pid": "x"}}', '{"a": 3}'])
def test_a_torn_note_hinders_no_start(tmp_path: Path, torn: str) -> None:
    (tmp_path / "pids.json").write_text(torn)
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Program("one", ["sleep", "60"]))
        assert supervisor.is_alive("one")


def test_its_folder_is_its_owners_only_though_it_was_open_before(tmp_path: Path) -> None:
    folder = tmp_path / "up"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with Supervisor(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
    deep = tmp_path / "var" / "demo"
    with Supervisor(deep):
        assert deep.stat().st_mode & 0o777 == 0o700


def test_a_supervised_program_comes_back_and_another_does_not(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Program("again", ["bash", "-c", "echo run; exit 3"], restart=True))
        supervisor.start(Program("once", ["bash", "-c", "echo run; exit 3"]))
        deadline = time.monotonic() + 5
        while supervisor.restarts("again") < 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert supervisor.restarts("again") == 1
        assert supervisor.restarts("once") == 0
        assert not supervisor.is_alive("once")
        assert supervisor.tail("once") == "run"


def test_a_program_that_ends_before_it_is_ready_says_why(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Program("broken", ["bash", "-c", "echo 端口被占用; exit 7"]))
        with pytest.raises(ProgramEnded, match="退出码 7") as told:
            supervisor.wait_for("broken", lambda: False, timeout=10)
        assert "端口被占用" in str(told.value)


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Program("nobody", ["/no/such/program"]))
        with pytest.raises(ProgramEnded, match="/no/such/program"):
            supervisor.wait_for("nobody", lambda: False, timeout=10)


def test_our_own_names_do_not_reach_a_child_unless_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHENGUAN_DATABASE_URL", "postgresql://elsewhere")
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere")
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(Program("env", ["env"], {"SHENGUAN_CITY": "yiyang"}))
        supervisor.wait_for("env", lambda: "SHENGUAN_CITY" in supervisor.tail("env", 200), timeout=10)
        seen = supervisor.tail("env", 200)
    assert "SHENGUAN_CITY=yiyang" in seen
    assert "elsewhere" not in seen
    assert "XDG_RUNTIME_DIR=" in seen


def test_the_last_started_ends_first(tmp_path: Path) -> None:
    note = tmp_path / "order"
    script = "trap 'echo {0} >> {1}; exit' TERM; echo up; while true; do sleep 0.05; done"
    with Supervisor(tmp_path) as supervisor:
        for name in ("server", "worker"):
            supervisor.start(Program(name, ["bash", "-c", script.format(name, note)]))
            supervisor.wait_for(name, lambda name=name: "up" in supervisor.tail(name), timeout=10)
    assert note.read_text().split() == ["worker", "server"]
    with pytest.raises(RuntimeError):
        supervisor.start(Program("late", ["true"]))


def test_a_port_in_use_is_seen(tmp_path: Path) -> None:
    port = free_port()
    assert is_port_free(port)
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(
            Program("web", [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"])
        )
        supervisor.wait_for("web", lambda: not is_port_free(port), timeout=20)
    assert is_port_free(port)
