"""`shenguan bench` where the measuring programs are, and where they are not."""

import shutil
import subprocess
import sys

import pytest

from tests.repository.source import ROOMS, ROOT

PROGRAM = "import sys; from flows.cli import main; sys.argv[0] = 'shenguan'; main()"


def shenguan(folder, *words):
    return subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, *words],
        cwd=folder, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What a wheel holds: the rooms, and nothing beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("what", ["latency", "mirror"])
def test_without_a_checkout_it_says_what_is_missing(wheel, what):
    done = shenguan(wheel, "bench", what)
    assert done.returncode == 2, done.stderr
    assert "没有测量程序" in done.stderr
    assert str(wheel / "benchmarks") in done.stderr
    assert done.stdout == ""


def test_in_a_checkout_the_program_is_found_and_speaks_for_itself():
    done = shenguan(ROOT, "bench", "latency", "--phase", "nothing-of-ours")
    assert done.returncode == 2
    assert "rest-prefect-stopped" in done.stderr
    assert "没有测量程序" not in done.stderr
