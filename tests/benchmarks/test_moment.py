"""A dozen cases through a running dispatcher: each is pushed, each liaison told, in any case soon."""

import copy

import pytest

from benchmarks.latency import PHASES, missed
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


def test_a_text_is_timed_from_the_same_publication_as_its_push(figures):
    push, first = figures["push_to_first_text_s"], figures["published_to_first_text_s"]
    assert first["n"] == push["n"] == figures["liaisons_told"]
    assert push["max"] < first["max"] < SOON_S


@pytest.mark.parametrize("what", ["published_to_push_s", "published_to_first_text_s"])
def test_a_promise_that_is_not_kept_is_named(figures, what):
    promised = next(phase for phase in PHASES if phase.name == "rest").promised_s
    phase = copy.deepcopy(figures) | {"promised_s": promised}
    for kind in ("published_to_push_s", "published_to_first_text_s"):
        phase[kind]["p95"] = promised
    assert missed({"phases": {"rest": phase}}) == []
    phase[what]["p95"] = promised + 0.01
    (said,) = missed({"phases": {"rest": phase}})
    assert "1.01" in said
    assert missed({"phases": {"rest": phase | {"promised_s": None}}}) == []


def test_at_rest_the_worker_asks_little(figures):
    # Ten lanes that walked all steps would be at some hundreds.
    assert 0 < figures["idle"]["transactions_per_s"] < 100
