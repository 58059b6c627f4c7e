"""A bench of a few cases: the report is whole, and what it counts adds up."""

import json
import subprocess
import sys

import pytest

from benchmarks.report import report
from tests.repository.source import ROOT

CASES = 12


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    argv = [sys.executable, "-m", "benchmarks", f"--cases={CASES}", "--rounds=1", f"--out={folder}"]
    done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "裸机极限" in done.stdout
    return json.loads((folder / "report.json").read_text())


def test_both_did_the_same_job(made):
    effects = {name: system["effects"] for name, system in made["systems"].items()}
    for held in effects.values():
        assert (held["push"], held["XK"]) == (2 * CASES, CASES)
        assert held["sms"] >= 1
    ours, bare = made["systems"]["ours"], made["systems"]["bare"]
    assert ours["settled"] == CASES
    assert ours["calls"]["platform"] >= bare["calls"]["platform"] > 2 * CASES
    assert ours["calls"]["sms"] == effects["ours"]["sms"]


def test_the_figures_are_there_and_positive(made):
    for system in made["systems"].values():
        low, high = system["cases_per_s_spread"]
        assert 0 < low <= system["cases_per_s"] <= high
        assert set(system["cpu_s_per_1k_cases"]) == {"self", "postgresql", "platform", "credit", "sms"}
        assert system["cpu_s_per_1k_cases"]["self"] > 0
        assert system["peak_rss_bytes"] > 10**7
        assert system["wal_bytes_per_case"] > 0
        tables = system["ledger_bytes_per_case_by_table"].values()
        total = sum(size["rows"] + size["indexes"] for size in tables)
        assert total == pytest.approx(system["ledger_bytes_per_case"])
    ours, bare = made["systems"]["ours"], made["systems"]["bare"]
    assert made["ratios"]["of_bare_limit"] == pytest.approx(ours["cases_per_s"] / bare["cases_per_s"])
    assert ours["commits"] > bare["commits"] > 0
    assert ours["empty_round_ms"] > 0


def test_a_round_on_a_slow_machine_is_void():
    rounds = [_round(control=100, ours=10), _round(control=79, ours=1000), _round(control=104, ours=20)]
    made = report(rounds, cases=10)
    assert made["rounds_counted"] == 2
    assert made["systems"]["ours"]["cases_per_s"] == 15
    assert made["ratios"]["of_bare_limit"] == pytest.approx(0.15)
    assert made["control_posts_per_s"] == [100, 79, 104]


def _round(*, control, ours):
    def system(per_s, after):
        return {
            "cases_per_s": per_s,
            "cpu_s_by_process": {"ours": 1.0, "postgresql": 1.0},
            "peak_rss": 1,
            "peak_rss_outside": {},
            "calls": {"platform": 1},
            "effects": {},
            "commits": 1,
            "rollbacks": 0,
            "wal_bytes": 1,
            "parts_s": {},
            "tables": {"cases": {"rows": 10, "indexes": 10}},
            "after": after,
        }

    after = {"settled": 10, "settle_s": 1.0, "empty_round_ms": 1.0, "empty_round_steps_ms": {}}
    return {"control": control, "ours": system(ours, after), "bare": system(100, {})}
