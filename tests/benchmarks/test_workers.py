"""Two workers on one ledger: everything arrives once, and a limit holds for both together."""

import pytest

from benchmarks.workers import measure
from tests.repository.source import ROOT

PUSHES, AT_ONCE = 80, 5


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    made = measure(
        tmp_path_factory.mktemp("workers"),
        pushes=PUSHES,
        workers=[2],
        latency_s=0.05,
        limit={"per_s": 40, "in_flight": AT_ONCE},
        seed="6",
        city_dir=ROOT / "config" / "yiyang",
        tell=lambda line: None,
    )
    return made["runs"]


def test_each_push_arrives_once_whoever_sends_it(runs):
    for name, expected in (("2", PUSHES), ("limited", PUSHES // 4)):
        run = runs[name]
        assert run["finished"]
        assert (run["pushes"], run["doubled"], run["repeated"], run["tried_twice"]) == (expected, 0, 0, 0)
        assert sum(run["pushes_by_worker"]) == expected
        assert run["pushes_per_s"] > 0


def test_calls_at_once_are_counted_over_both(runs):
    # Each holds its place for as long as the platform takes, so a slow machine only makes it fewer.
    assert 0 < runs["limited"]["most_at_once"] <= AT_ONCE
