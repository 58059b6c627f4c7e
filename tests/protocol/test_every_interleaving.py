"""Every interleaving of the effect protocol: ours is safe, each weaker one is not, and here is how."""

import ast
import re
from pathlib import Path

import pytest

from models.domain.lifecycles.effect import TRANSITIONS, EffectEvent
from tests.protocol import model
from tests.protocol.model import Protocol, explore

OURS = [
    pytest.param(Protocol(), 4, id="a receiver that knows our ids again"),
    pytest.param(Protocol(deduplicates=False), 4, id="one that does not"),
    pytest.param(Protocol(foreign=True), 3, id="one that holds other content under our key"),
]
ONE_TEXT = Protocol(deduplicates=False)
WEAKER = [
    (ONE_TEXT._replace(name="status-check-without-lease", lease=False), "doubled"),
    (Protocol(name="lease-without-token", token=False), "doubled"),
    (ONE_TEXT._replace(name="query-then-resend", repeat_unknown="if_asked"), "doubled"),
    (ONE_TEXT._replace(name="resend-on-timeout", repeat_unknown="always"), "doubled"),
    (ONE_TEXT._replace(name="commit-after-send", intent_first=False), "doubled"),
    (Protocol(name="duplicate-taken-as-success", foreign=True, duplicate_is_success=True), "lost"),
    (ONE_TEXT._replace(name="connect-timeout-taken-as-not-done", timeout_is_not_done=True), "doubled"),
    (Protocol(name="not-done-clears-the-doubt", doubt_stays=False), "doubled"),
    (Protocol(name="never-reconciled", reconciles=False), "silent"),
]


@pytest.mark.parametrize(("protocol", "faults"), OURS)
def test_ours_is_safe_and_always_comes_to_an_end(protocol, faults, request):
    found = explore(protocol, faults=faults)
    print(f"\nours, {request.node.callspec.id}: {found.states} states, {faults} faults")
    assert found.counterexample is None, "\n".join(found.counterexample)
    assert found.states > 5_000, "a model that looks at little proves little"


@pytest.mark.parametrize(("protocol", "finding"), [pytest.param(p, f, id=p.name) for p, f in WEAKER])
def test_each_weaker_protocol_is_unsafe(protocol, finding):
    found = explore(protocol, faults=3)
    assert found.counterexample is not None, f"{protocol.name}: nothing was found in {found.states} states"
    *way, last = found.counterexample
    steps = "".join(f"\n  {number}. {step}" for number, step in enumerate(way, start=1))
    print(f"\n{protocol.name}: {found.states} states, {len(way)} steps{steps}\n  → {last}")
    assert last.startswith(finding)


def spoken_of(source):
    """The events a program names as ``E.<event>``; neither a longer name nor a comment is one."""
    return {
        EffectEvent[node.attr]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "E"
    }


def test_the_model_speaks_of_every_event_but_those_of_people_and_late_receipts():
    """A new event in the table is either modelled or listed here."""
    unmodelled = set(EffectEvent) - spoken_of(Path(model.__file__).read_text())
    assert unmodelled == {EffectEvent.ASKED_AGAIN, EffectEvent.RELEASED, EffectEvent.UNDELIVERED}
    assert {event for _, event in TRANSITIONS} == set(EffectEvent)


def test_a_longer_name_speaks_of_no_shorter_one():
    source = Path(model.__file__).read_text()
    assert EffectEvent.LEASED in spoken_of(source)
    without = re.sub(r"\bE\.LEASED\b", "E.LEASED_TO_REPEAT", source) + "\n# once E.LEASED"
    assert spoken_of(source) - spoken_of(without) == {EffectEvent.LEASED}
