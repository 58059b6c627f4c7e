"""Records in any order: the newest wins, and each stage is told by the newest that told it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.admission import Standing, Told, advance
from models.domain.bodies import Stage
from models.domain.lifecycles.case import CaseEvent, CaseResult, CaseState
from tests.models.domain.samples import case

GRANTED = CaseResult.GRANTED


def told(version: int, result: CaseResult | None = None, operation: Any = "u") -> Told:
    return Told(case(data_version=version, operation=operation), result)


RECORDS = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from([None, *CaseResult]), st.sampled_from("iud")),
    min_size=1,
    max_size=12,
).map(lambda rows: [told(*row) for row in rows])


def test_a_new_case_is_accepted_and_owes_its_acceptance() -> None:
    done = advance(None, [told(1)])
    assert done.standing == Standing(CaseState.ACCEPTED, None, 1)
    assert (done.events, set(done.stages), done.stale) == ((), {Stage.ACCEPTANCE}, ())


def test_a_case_first_seen_completed_owes_its_completion_only() -> None:
    done = advance(None, [told(5, GRANTED)])
    assert done.standing == Standing(CaseState.COMPLETED, GRANTED, 5)
    assert done.events == (CaseEvent.RESULT_GIVEN,)
    assert set(done.stages) == {Stage.COMPLETION}


def test_an_older_version_never_overwrites_a_newer_one() -> None:
    standing = Standing(CaseState.COMPLETED, GRANTED, 3)
    done = advance(standing, [told(2), told(3, CaseResult.REFUSED)])
    assert done.standing == standing
    assert (done.events, done.newest, done.stages, done.stale) == ((), None, {}, (0, 1))


def test_out_of_order_in_one_run_is_put_in_order() -> None:
    done = advance(None, [told(2, GRANTED), told(1)])
    assert done.standing == Standing(CaseState.COMPLETED, GRANTED, 2)
    assert done.stale == ()


@pytest.mark.parametrize(
    ("state", "result", "record", "events", "after"),
    [
        (CaseState.ACCEPTED, None, told(2), [], CaseState.ACCEPTED),
        (CaseState.ACCEPTED, None, told(2, GRANTED), [CaseEvent.RESULT_GIVEN], CaseState.COMPLETED),
        (CaseState.COMPLETED, GRANTED, told(2), [CaseEvent.RESULT_RETRACTED], CaseState.ACCEPTED),
        (CaseState.COMPLETED, GRANTED, told(2, CaseResult.REFUSED), [], CaseState.COMPLETED),
        (CaseState.SETTLED, GRANTED, told(2, GRANTED), [CaseEvent.REOPENED], CaseState.COMPLETED),
        (
            CaseState.SETTLED,
            GRANTED,
            told(2),
            [CaseEvent.REOPENED, CaseEvent.RESULT_RETRACTED],
            CaseState.ACCEPTED,
        ),
        (CaseState.VOIDED, None, told(2), [CaseEvent.REINSTATED], CaseState.ACCEPTED),
        (
            CaseState.VOIDED,
            None,
            told(2, GRANTED),
            [CaseEvent.REINSTATED, CaseEvent.RESULT_GIVEN],
            CaseState.COMPLETED,
        ),
        (CaseState.VOIDED, None, told(2, None, "d"), [], CaseState.VOIDED),
        (CaseState.SETTLED, GRANTED, told(2, None, "d"), [CaseEvent.WITHDRAWN], CaseState.VOIDED),
    ],
)
def test_each_standing_moves_as_its_next_record_says(
    state: CaseState, result: CaseResult | None, record: Told, events: list[CaseEvent], after: CaseState
) -> None:
    done = advance(Standing(state, result, 1), [record])
    assert list(done.events) == events
    assert done.standing.state is after


def test_a_withdrawn_case_has_nothing_more_to_tell() -> None:
    done = advance(None, [told(1), told(2, GRANTED), told(3, None, "d")])
    assert done.standing == Standing(CaseState.VOIDED, GRANTED, 3)
    assert done.stages == {}


def test_a_retracted_result_is_not_told() -> None:
    done = advance(None, [told(1), told(2, GRANTED), told(3)])
    assert set(done.stages) == {Stage.ACCEPTANCE}
    assert done.stages[Stage.ACCEPTANCE].record.data_version == 3


@given(RECORDS)
def test_the_newest_version_decides_in_any_order(records: list[Told]) -> None:
    done = advance(None, records)
    highest = max(each.record.data_version for each in records)
    assert done.standing.data_version == highest
    assert done.newest is not None
    assert done.newest.record.data_version == highest
    assert len(done.stale) == len(records) - len({each.record.data_version for each in records})
    assert (done.standing.state is CaseState.VOIDED) == (done.newest.record.operation == "d")


@given(RECORDS)
def test_a_run_repeated_changes_nothing(records: list[Told]) -> None:
    done = advance(None, records)
    again = advance(done.standing, records)
    assert again.standing == done.standing
    assert (again.events, again.newest, again.stages) == ((), None, {})
    assert set(again.stale) == set(range(len(records)))


@given(RECORDS, st.integers(0, 12))
def test_pages_in_order_of_versions_may_be_cut_anywhere(records: list[Told], cut: int) -> None:
    ordered = sorted({each.record.data_version: each for each in reversed(records)}.items())
    rows = [each for _, each in ordered]
    first, second = rows[:cut], rows[cut:]
    half = advance(None, first).standing if first else None
    whole = advance(half, second).standing if second else half
    assert whole == advance(None, rows).standing
