"""What a case costs in a ledger that has grown, measured in small; and what would be called missed."""

import pytest

from benchmarks.growth import ledger_bytes, measure, missed
from tests.repository.source import ROOT

CASES = 10


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return measure(
        tmp_path_factory.mktemp("growth"),
        sizes=[100, 400],
        waiting=[200],
        cases=CASES,
        rounds=1,
        seed="6",
        city_dir=ROOT / "config" / "yiyang",
        tell=lambda line: None,
        watched_s=6,
    )


def test_the_same_cases_go_through_at_each_size(made):
    small, large = made["sizes"].values()
    assert [int(size) for size in made["sizes"]] == [100, 330]
    for each in (small, large):
        assert each["buffers_per_case"] == pytest.approx(sum(each["buffers_by_table"].values()), rel=0.05)
        assert each["buffers_by_table"]["effects"] > each["buffers_by_table"]["credit_checks"] > 0
    assert large["buffers_per_case"] < 2 * small["buffers_per_case"]
    assert large["ledger_bytes"] > small["ledger_bytes"]
    assert 1_000 < ledger_bytes(made) < sum(large["bytes_by_table"].values())


def test_a_worker_goes_on_beside_a_backlog(made):
    (row,) = made["waiting"].values()
    assert row["pushed_meanwhile"] == 2 * CASES
    assert 20 < row["peak_mib"] < 300
    assert max(rss for _, rss in row["curve"]) == row["peak_mib"]


def test_what_is_missed_is_said():
    fine = {"buffers_per_case": 100, "seconds_per_case": 1.0, "bytes_by_table": {"cases": 900}}
    wide = {"buffers_per_case": 111, "seconds_per_case": 1.2, "bytes_by_table": {"cases": 11_999}}
    many = {"peak_mib": 301, "pushed_meanwhile": 1}
    assert missed({"sizes": {"1": fine, "2": fine}, "waiting": {}}) == []
    said = missed({"sizes": {"1": fine, "2": wide}, "waiting": {"5": many}})
    assert len(said) == 2
    assert "页数为最小时的 1.11 倍" in said[0]
    assert "301" in said[1]
    heavy = fine | {"bytes_by_table": {"cases": 12_001, "evidence_leaves": 5_000}}
    assert len(missed({"sizes": {"1": heavy}, "waiting": {}})) == 1
