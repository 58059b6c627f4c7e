"""The demo by its own command, in a folder of its own: what it counts, and that a second run does nothing."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
SHENGUAN = Path(sys.executable).with_name("shenguan")
PROMISED = (
    "cases_seen", "cases_accepted", "cases_completed", "cases_settled", "cases_quarantined",
    "cases_without_item", "cases_not_applicable", "cases_secret", "handovers", "pushes_accepted",
    "pushes_held", "claims", "recalls", "sms_accepted", "sms_held", "held_data", "feedback_received",
    "returns_accepted", "credit_checks", "credit_reports_accepted", "credit_reports_refused",
    "credit_records_returned", "lost", "doubled", "unexpected", "silent", "first_settled_s",
    "new_effects", "seconds",
)  # fmt: skip
FOUR = ("lost", "doubled", "unexpected", "silent")
MAY_STAND_STILL = {*FOUR, "pushes_held", "sms_held"}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    for name in ("config", "prefect.yaml", "tests"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def demo(project: Path) -> dict:
    done = subprocess.run(
        [SHENGUAN, "demo", "--seed=7", "--cases=30", "--json"],
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={name: value for name, value in os.environ.items() if not name.startswith("SHENGUAN_")},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads(done.stdout)
    assert summary == json.loads((project / "var" / "demo" / "summary.json").read_text(encoding="utf-8"))
    return summary


def simulators_files(project: Path) -> dict[str, str]:
    files = sorted((project / "var" / "demo" / "sim").glob("*.jsonl"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_loop_closes_and_a_second_run_does_nothing_new(project: Path) -> None:
    first = demo(project)
    assert [name for name in PROMISED if not isinstance(first.get(name), int | float)] == []
    assert {name: first[name] for name in FOUR} == dict.fromkeys(FOUR, 0)
    assert [name for name in PROMISED if not first[name] and name not in MAY_STAND_STILL] == []
    assert first["settled_of_these"] >= 0.95 * first["can_settle"] > 0
    before = simulators_files(project)
    assert {"platform.jsonl", "credit.jsonl", "sms.jsonl"} <= before.keys()

    second = demo(project)
    assert second["new_effects"] == 0
    assert simulators_files(project) == before
    still = {*PROMISED} - {"seconds", "new_effects"}
    assert {name: second[name] for name in still} == {name: first[name] for name in still}
