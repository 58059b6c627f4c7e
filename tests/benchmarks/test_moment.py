"""A dozen cases through a running dispatcher: each is pushed, each liaison told, in any case soon."""

import pytest

from benchmarks.moment import Phase, measure
from tests.repository.source import ROOT

CASES = 12
SOON_S = 15
"""Far more than the target: a machine that does ten other things may be slow."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    made = measure(
        tmp_path_factory.mktemp("moment"),
        [Phase("quick", CASES, 4)],
        seed="5",
        city_dir=ROOT / "config" / "yiyang",
        tell=lambda line: None,
        idle_s=2,
    )
    return made["phases"]["quick"]


def test_every_case_is_pushed_soon_after_its_publication(figures):
    waits = figures["published_to_push_s"]
    assert figures["pushed"] == waits["n"] == CASES
    assert 0 < waits["p50"] <= waits["p95"] <= waits["max"] < SOON_S


def test_a_liaisons_first_text_leaves_soon_after_the_push(figures):
    waits = figures["push_to_first_text_s"]
    assert 1 < waits["n"] <= CASES
    assert 0 < waits["max"] < SOON_S


def test_at_rest_the_worker_asks_little(figures):
    # Ten lanes that walked all steps would be at some hundreds.
    assert 0 < figures["idle"]["transactions_per_s"] < 100
