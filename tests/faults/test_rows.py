"""A seeded part of `make faults`, in small: real processes, real faults, counted from outside."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.faults.catalogue import ROWS
from tests.faults.mutants import MUTANTS, mutated_tree
from tests.faults.row import ROOT
from tests.faults.rows import every_row

pytestmark = pytest.mark.faults
every_row()


def conduct(tmp_path, *arguments, code):
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--out", str(tmp_path), *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((tmp_path / "report.json").read_text())


def assert_survived(report, number):
    (row,) = report["rows"]
    assert row["row"] == number
    assert {row[name] for name in ("lost", "doubled", "unexpected", "silent")} == {0}
    assert row["hit"] >= row["least"] > 0
    assert row["held"] <= row["held_bound"]
    assert row["settled"][1] > 5
    assert row["drained_s"] is not None


def test_answers_that_never_come_lose_and_double_nothing(tmp_path):
    report = conduct(tmp_path, "--row", "9", "--size", "0.3", "--cases", "30", code=0)
    assert_survived(report, 9)


@pytest.mark.skipif(shutil.which("strace") is None, reason="缺 strace（以 root 运行 make deps 安装）")
def test_workers_killed_at_named_points_and_system_calls_lose_and_double_nothing(tmp_path):
    assert_survived(conduct(tmp_path, "--row", "1", "--size", "0.06", "--cases", "40", code=0), 1)


def test_a_row_nobody_knows_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--row", "99"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "99" in done.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_every_mutant_differs_where_it_says_and_is_still_a_program(mutant, tmp_path):
    tree = mutated_tree(mutant, tmp_path / "tree")
    assert mutant.row in ROWS
    others = [path.relative_to(tree) for path in tree.rglob("*.py")]
    differing = {str(path) for path in others if (tree / path).read_bytes() != (ROOT / path).read_bytes()}
    assert differing == {name for name, _, _ in mutant.changes}
    for name in differing:
        compile((tree / name).read_text(encoding="utf-8"), name, "exec")


def test_a_patch_that_does_not_apply_is_no_mutant(tmp_path):
    stale = replace(MUTANTS[0], changes=(("tasks/turns.py", "what nobody ever wrote", "pass"),))
    with pytest.raises(ValueError, match="补丁无法应用"):
        mutated_tree(stale, tmp_path / "tree")
