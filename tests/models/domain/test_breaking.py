"""When a target is worth no call: pure rules over signs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.breaking import (
    ASKED_FOR_LONG,
    NO_ANSWER,
    NOT_KNOWN_TO_THEM,
    WHOLE,
    BreakerRules,
    Said,
    Sign,
    Standing,
    after_signs,
    pause_s,
    probing,
)
from models.domain.lifecycles.breaker import BreakerEvent, BreakerState

NOW = datetime(2026, 3, 10, 2, tzinfo=UTC)
RULES = BreakerRules(failures=3, within_s=60, first_pause_s=2, longest_pause_s=30)
A, B, C, D = (("platform", name) for name in "ABCD")
ALL = ("platform", WHOLE)


def sign(key, said=Said.FAILED, **more):
    return Sign(key=key, said=said, answer="503", **more)


def after(*signs, standings=None, now=NOW, rules=RULES):
    return after_signs(standings or {}, signs, now, rules)


def opened(key=A, at=NOW):
    found, _ = after(*[sign(key)] * 3, now=at)
    return found


def test_failures_in_a_row_open_one_target_and_nobody_else():
    found, moves = after(sign(A), sign(A), sign(A))
    assert found[A].state is BreakerState.OPEN
    assert found[ALL].state is BreakerState.CLOSED
    assert [(before.key, event) for before, event, _ in moves] == [(A, BreakerEvent.TRIPPED)]
    assert found[A].last_answer == "503"


def test_one_answer_between_begins_the_count_anew():
    found, moves = after(sign(A), sign(A), sign(A, Said.ALIVE), sign(A), sign(A))
    assert (found[A].failures, moves) == (2, [])


def test_failures_far_apart_are_not_in_a_row():
    found, _ = after(sign(A), sign(A))
    later, moves = after(sign(A), standings=found, now=NOW + timedelta(seconds=61))
    assert (later[A].failures, moves) == (1, [])


def test_several_targets_failing_speak_for_the_system():
    found, moves = after(sign(A), sign(B), sign(C))
    assert found[ALL].state is BreakerState.OPEN
    assert [before.key for before, _, _ in moves] == [ALL]
    found, moves = after(sign(A), sign(B), sign(D, Said.ALIVE), sign(C))
    assert moves == []


def test_one_department_alone_never_speaks_for_the_system():
    found, moves = after(*[sign(A)] * 50)
    assert found[ALL].state is BreakerState.CLOSED
    assert len(moves) == 1


def test_no_connection_is_the_systems_and_no_targets():
    found, moves = after(*[sign(A, Said.AWAY)] * 3)
    assert found[ALL].state is BreakerState.OPEN
    assert A not in found
    assert len(moves) == 1


def test_a_key_they_do_not_know_opens_the_system_at_once():
    found, moves = after(sign(A, Said.NOT_ADMITTED))
    assert (found[ALL].state, found[ALL].cause) == (BreakerState.OPEN, NOT_KNOWN_TO_THEM)
    assert len(moves) == 1


def test_asked_to_wait_opens_nothing_and_waits_for_that_target():
    found, moves = after(*[sign(A, Said.ASKED_TO_WAIT, wait_s=7)] * 9)
    assert moves == []
    assert found[A].stops(NOW + timedelta(seconds=6))
    assert not found[A].stops(NOW + timedelta(seconds=8))
    assert ALL not in found


def test_who_asks_for_a_day_stands_open_and_is_asked_again_in_minutes():
    day, later = 86_400, NOW + timedelta(seconds=300)
    found, moves = after(*[sign(A, Said.ASKED_TO_WAIT, wait_s=day)] * 3)
    assert [event for _, event, _ in moves] == [BreakerEvent.TRIPPED]
    assert (found[A].cause, found[A].opened_at, found[A].probe_at) == (ASKED_FOR_LONG, NOW, later)
    assert ALL not in found
    found[A] = probing(found[A], later + timedelta(seconds=60))
    again = sign(A, Said.ASKED_TO_WAIT, wait_s=day, probe=A)
    found, moves = after(again, standings=found, now=later)
    assert [event for _, event, _ in moves] == [BreakerEvent.PROBE_FAILED]
    assert (found[A].opened_at, found[A].probe_at) == (NOW, later + timedelta(seconds=300))
    found[A] = probing(found[A], later + timedelta(seconds=660))
    healed, _ = after(sign(A, Said.ALIVE, probe=A), standings=found, now=later + timedelta(seconds=300))
    assert not healed[A].stops(later + timedelta(seconds=301)), "what they took ends what they asked for"
    failed, _ = after(sign(A, probe=A), standings=found, now=later + timedelta(seconds=300))
    assert (failed[A].state, failed[A].cause) == (BreakerState.OPEN, NO_ANSWER)


def test_what_others_were_asked_puts_off_nobody_who_looks():
    found, _ = after(sign(A, Said.ASKED_TO_WAIT, wait_s=86_400), standings=opened())
    assert found[A].probe_at < NOW + timedelta(seconds=30), "who looks is not put off"
    found[A] = probing(found[A], NOW + timedelta(seconds=60))
    found, _ = after(sign(A, Said.ASKED_TO_WAIT, wait_s=300, probe=A), standings=found)
    assert found[A].state is BreakerState.CLOSED
    assert not found[A].stops(NOW + timedelta(seconds=301))


@pytest.mark.parametrize("said", [Said.FAILED, Said.AWAY, Said.NOT_ADMITTED])
def test_a_probe_that_fails_opens_again_for_longer(said):
    found = opened()
    for probes in range(1, 4):
        due = found[A].probe_at
        assert due > NOW
        found[A] = probing(found[A], due + timedelta(seconds=60))
        found, moves = after(sign(A, said, probe=A), standings=found, now=due)
        assert BreakerEvent.PROBE_FAILED in {event for before, event, _ in moves if before.key == A}
        assert (found[A].state, found[A].probes) == (BreakerState.OPEN, probes)
        assert found[A].probe_at - due == timedelta(seconds=pause_s(found[A], RULES))
    assert found[A].opened_at == NOW, "open since it opened, not since the last look"


@pytest.mark.parametrize("said", [Said.ALIVE, Said.ASKED_TO_WAIT])
def test_a_probe_that_is_answered_closes(said):
    found = opened()
    found[A] = probing(found[A], NOW + timedelta(seconds=60))
    found, moves = after(sign(A, said, probe=A), standings=found)
    assert [event for _, event, _ in moves] == [BreakerEvent.HEALED]
    assert (found[A].state, found[A].opened_at, found[A].probe_until) == (BreakerState.CLOSED, None, None)


def test_a_failure_from_before_the_probe_does_not_end_it():
    found = opened()
    found[A] = probing(found[A], NOW + timedelta(seconds=60))
    found, moves = after(sign(A), standings=found)
    assert (found[A].state, moves) == (BreakerState.HALF_OPEN, [])


def test_who_looked_and_did_not_come_back_is_followed_by_another():
    until = NOW + timedelta(seconds=60)
    half = probing(opened()[A], until)
    assert not half.wants_probe(until - timedelta(seconds=1))
    assert half.wants_probe(until)
    assert probing(half, until + timedelta(seconds=60)).state is BreakerState.HALF_OPEN


def test_pauses_grow_to_their_limit():
    pauses = [pause_s(Standing(system="platform", target="A", probes=probes), RULES) for probes in range(60)]
    assert all(0.75 * min(30, 2 * 2**n) <= pause <= min(30, 2 * 2**n) for n, pause in enumerate(pauses))


SAID = st.sampled_from([Said.ALIVE, Said.FAILED, Said.AWAY, Said.NOT_ADMITTED, Said.ASKED_TO_WAIT])


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B, C, D]), SAID, st.booleans(), st.sampled_from([3, 86_400])),
        max_size=60,
    )
)
def test_whatever_comes_the_rows_stay_such_as_the_ledger_takes(steps):
    found = {}
    now = NOW
    for key, said, looks, wait_s in steps:
        now += timedelta(seconds=5)
        probe = None
        for mine in (key, ALL):
            if looks and mine in found and found[mine].wants_probe(now):
                found[mine] = probing(found[mine], now + timedelta(seconds=9))
                probe = mine
        found, _ = after(sign(key, said, probe=probe, wait_s=wait_s), standings=found, now=now)
        for each in found.values():
            assert (each.state is BreakerState.CLOSED) == (each.opened_at is None)
            assert (each.state is BreakerState.HALF_OPEN) == (each.probe_until is not None)
            assert each.state is not BreakerState.OPEN or each.probe_at is not None, "never open for ever"


def test_a_sign_of_life_leaves_an_unknown_target_at_rest():
    found, moves = after(sign(A, Said.ALIVE))
    assert moves == []
    assert found[A] == replace(Standing(system="platform", target="A"))
