"""Every (state, event) pair of every lifecycle, and walks through them."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.diagram import lifecycle_page, lifecycles, state_diagram
from models.domain.errors import ForbiddenMove
from models.domain.lifecycles import after, breaker, case, effect, handover, licence

PAGE = Path(__file__).parents[3] / "docs" / "lifecycle.md"


class Case(NamedTuple):
    """One lifecycle's own enums beside its table."""

    states: type[StrEnum]
    events: type[StrEnum]
    transitions: Mapping[Any, Any]
    chinese: Mapping[Any, str]
    start: StrEnum
    ends: frozenset[str]


ALL = {
    "case": Case(
        case.CaseState, case.CaseEvent, case.TRANSITIONS, case.CHINESE, case.CaseState.ACCEPTED, frozenset()
    ),
    "handover": Case(
        handover.HandoverState,
        handover.HandoverEvent,
        handover.TRANSITIONS,
        handover.CHINESE,
        handover.HandoverState.PLANNED,
        frozenset(),
    ),
    "effect": Case(
        effect.EffectState,
        effect.EffectEvent,
        effect.TRANSITIONS,
        effect.CHINESE,
        effect.EffectState.PLANNED,
        frozenset({"delivered", "undelivered"}),
    ),
    "licence": Case(
        licence.LicenceState,
        licence.LicenceEvent,
        licence.TRANSITIONS,
        licence.CHINESE,
        licence.LicenceState.VALID,
        frozenset({"revoked", "withdrawn", "cancelled"}),
    ),
    "breaker": Case(
        breaker.BreakerState,
        breaker.BreakerEvent,
        breaker.TRANSITIONS,
        breaker.CHINESE,
        breaker.BreakerState.CLOSED,
        frozenset(),
    ),
}
PAIRS = [
    pytest.param(name, state, event, id=f"{name}-{state}-{event}")
    for name, each in ALL.items()
    for state in each.states
    for event in each.events
]


@pytest.mark.parametrize(("name", "state", "event"), PAIRS)
def test_every_pair_moves_or_is_forbidden_by_name(name: str, state: StrEnum, event: StrEnum) -> None:
    each = ALL[name]
    if (state, event) in each.transitions:
        assert after(each.transitions, state, event) is each.transitions[state, event]
        return
    with pytest.raises(ForbiddenMove) as caught:
        after(each.transitions, state, event)
    assert (caught.value.state, caught.value.event) == (state.value, event.value)
    assert caught.value.entity == type(state).__qualname__


@pytest.mark.parametrize("name", ALL)
def test_tables_speak_of_their_own_states_and_name_them_all(name: str) -> None:
    each = ALL[name]
    assert {state for state, _ in each.transitions} <= set(each.states)
    assert {event for _, event in each.transitions} == set(each.events), "an event that never happens"
    assert set(each.chinese) == set(each.states)
    assert len(set(each.chinese.values())) == len(each.chinese), "two states read alike"


@pytest.mark.parametrize("name", ALL)
def test_every_state_can_be_reached(name: str) -> None:
    each = ALL[name]
    reached: set[StrEnum] = {each.start}
    while new := {to for (state, _), to in each.transitions.items() if state in reached} - reached:
        reached |= new
    assert reached == set(each.states)


@pytest.mark.parametrize("name", ALL)
def test_the_ends_are_the_ends_we_mean(name: str) -> None:
    each = ALL[name]
    assert {state.value for state in each.states} - {
        state.value for state, _ in each.transitions
    } == each.ends


@pytest.mark.parametrize("name", ALL)
@given(data=st.data())
def test_a_walk_stays_inside(name: str, data: st.DataObject) -> None:
    each = ALL[name]
    state = each.start
    for event in data.draw(st.lists(st.sampled_from(list(each.events)), max_size=40)):
        try:
            state = after(each.transitions, state, event)
        except ForbiddenMove:
            continue
        assert state in each.states


def walk(events: list[effect.EffectEvent]) -> list[effect.EffectState]:
    """The states these events lead through; a lease is given back as what it was taken for.

    The table has one state for both leases; which of the two it was, the ledger knows.
    """
    given_back = {
        effect.EffectEvent.LEASED: effect.EffectEvent.LEASE_GIVEN_BACK,
        effect.EffectEvent.LEASED_TO_REPEAT: effect.EffectEvent.REPEAT_GIVEN_BACK,
    }
    state, lease = effect.EffectState.PLANNED, effect.EffectEvent.LEASED
    seen = [state]
    for event in events:
        wrong_way = event in given_back.values() and given_back[lease] is not event
        if (state, event) in effect.TRANSITIONS and not wrong_way:
            state = effect.TRANSITIONS[state, event]
            lease = event if event in given_back else lease
            seen.append(state)
    return seen


BY_LOOKING_THERE = {effect.EffectEvent.ADOPTED, effect.EffectEvent.LOST_THERE}
"""What reconciliation alone does, after it has looked at what the receiver holds."""
OF_OURSELVES = st.lists(
    st.sampled_from([event for event in effect.EffectEvent if event not in BY_LOOKING_THERE]), max_size=60
)


@given(OF_OURSELVES)
def test_nothing_has_an_outcome_without_an_intent(events: list[effect.EffectEvent]) -> None:
    seen = walk(events)
    outcomes = {effect.EffectState.ACCEPTED, effect.EffectState.REFUSED, effect.EffectState.UNKNOWN}
    for number, state in enumerate(seen):
        assert state not in outcomes or {effect.EffectState.INTENT, effect.EffectState.HELD} & set(
            seen[:number]
        )


@given(OF_OURSELVES)
def test_what_was_accepted_is_never_sent_again(events: list[effect.EffectEvent]) -> None:
    seen = walk(events)
    if effect.EffectState.ACCEPTED in seen:
        later = seen[seen.index(effect.EffectState.ACCEPTED) + 1 :]
        assert set(later) <= {
            effect.EffectState.DELIVERED,
            effect.EffectState.UNDELIVERED,
            effect.EffectState.SUPERSEDED,
        }


def test_only_what_the_receiver_lost_goes_again_after_it_was_accepted() -> None:
    sent_again = {
        event
        for (state, event), to in effect.TRANSITIONS.items()
        if state is effect.EffectState.ACCEPTED and to is effect.EffectState.PLANNED
    }
    assert sent_again == {effect.EffectEvent.LOST_THERE}


def test_an_unknown_outcome_never_becomes_not_sent() -> None:
    # A repeat may be leased, given back, accepted or held; nothing leads straight to planned.
    leads = {to for (state, _), to in effect.TRANSITIONS.items() if state is effect.EffectState.UNKNOWN}
    assert effect.EffectState.PLANNED not in leads


def test_only_an_sms_gateway_does_not_know_our_id_again() -> None:
    assert {each for each in effect.Channel if not each.deduplicates} == {effect.Channel.SMS}


def test_effect_groups_do_not_overlap() -> None:
    groups = (effect.UNRESOLVED, effect.DONE, effect.FOR_A_PERSON)
    assert sum(len(group) for group in groups) == len(frozenset().union(*groups))
    assert set(effect.EffectState) - frozenset().union(*groups) == {effect.EffectState.PLANNED}


def test_a_return_follows_a_claim() -> None:
    before = {state for state, event in handover.TRANSITIONS if event is handover.HandoverEvent.RETURNED}
    assert before == {handover.HandoverState.CLAIMED, handover.HandoverState.OBSERVING}


def test_the_picture_shows_every_move_and_end() -> None:
    for lifecycle in lifecycles():
        picture = state_diagram(lifecycle)
        assert f"[*] --> {lifecycle.start}" in picture
        for state, _, target in lifecycle.moves:
            assert f"    {state} --> {target} : " in picture
        for end in lifecycle.ends:
            assert f"    {end} --> [*]" in picture


def test_the_page_is_in_step_with_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == lifecycle_page()
