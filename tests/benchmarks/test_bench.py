"""A bench of a few cases: the report is whole, and what it counts adds up."""

import json
import subprocess
import sys

import pytest

from benchmarks.report import report
from tests.repository.source import ROOT

CASES = 12
SYSTEMS = ["ours", "bare", "dbos", "procrastinate_cases"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    argv = [sys.executable, "-m", "benchmarks", f"--cases={CASES}", "--rounds=1", f"--out={folder}"]
    argv += ["--systems", *SYSTEMS]
    done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "裸机极限" in done.stdout
    assert "DBOS" in done.stdout
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    return json.loads((folder / "report.json").read_text())


def test_all_did_the_same_job(made):
    effects = {name: system["effects"] for name, system in made["systems"].items()}
    for held in effects.values():
        assert (held["push"], held["XK"]) == (2 * CASES, CASES)
        assert held["sms"] >= 1
    ours, bare = made["systems"]["ours"], made["systems"]["bare"]
    assert ours["settled"] == CASES
    assert ours["calls"]["platform"] >= bare["calls"]["platform"] > 2 * CASES
    assert ours["calls"]["sms"] == effects["ours"]["sms"]
    for peer in ("dbos", "procrastinate_cases"):
        # a look-up a case, and reports in batches
        assert made["systems"][peer]["calls"]["credit"] == CASES + 1


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
    rate = {name: system["cases_per_s"] for name, system in made["systems"].items()}
    assert made["ratios"] == {
        "of_bare_limit": pytest.approx(rate["ours"] / rate["bare"]),
        "vs_dbos": pytest.approx(rate["ours"] / rate["dbos"]),
        "vs_procrastinate": pytest.approx(rate["ours"] / rate["procrastinate_cases"]),
    }
    assert ours["commits"] > bare["commits"] > 0
    assert ours["empty_round_ms"] > 0


def test_a_round_on_a_slow_machine_is_void():
    rounds = [_round(control=100, ours=10), _round(control=79, ours=1000), _round(control=104, ours=20)]
    made = report(rounds)
    assert made["rounds_counted"] == 2
    assert made["systems"]["ours"]["cases_per_s"] == 15
    assert made["ratios"]["of_bare_limit"] == pytest.approx(0.15)
    assert made["control_posts_per_s"] == [100, 79, 104]


def test_the_faster_of_two_variants_counts_in_each_round():
    rounds = [_round(control=100, ours=100, slower=10, faster=20), _round(control=100, ours=90, slower=30)]
    made = report(rounds)
    assert made["ratios"]["vs_procrastinate"] == pytest.approx((5 + 3) / 2)
    assert made["spread"]["vs_procrastinate"] == [3, 5]
    assert made["ratios"]["of_bare_limit_mirror_on"] == pytest.approx(0.5)
    assert made["systems"]["mirrored"]["catch_up_s"] == 7


def _round(*, control, ours, slower=10, faster=10):
    def system(per_s, after, **more):
        return {
            **more,
            "cases": 10,
            "cases_per_s": per_s,
            "prefect_calls": 0,
            "cpu_s_by_process": {"self": 1.0, "postgresql": 1.0},
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
    return {
        "control": control,
        "load": 1.0,
        "ours": system(ours, after),
        "mirrored": system(50, after, catch_up_s=7),
        "bare": system(100, {}),
        "procrastinate_calls": system(slower, {}),
        "procrastinate_cases": system(faster, {}),
    }
