"""What is worked out from the mirror's figures, by hand."""

import pytest

from benchmarks.mirror_shown import AT_MOST_BEHIND_S, missed
from benchmarks.mirror_size import a_year

EMPTY, SIX = 10_000_000, 1000
WEEK_BEFORE, WEEK_AFTER = 60_000_000, 30_000_000


@pytest.fixture
def made():
    return {
        "six_shown": {"cases": SIX},
        "at_rest": {"bytes_a_minute": 1000},
        "sizes": {
            "empty": EMPTY,
            "six_moves": {
                "after_7_days": {"bytes_before": WEEK_BEFORE, "bytes_written_anew": WEEK_AFTER},
            },
        },
        "stream": {
            "cases_per_s": 5,
            "behind_most_s": AT_MOST_BEHIND_S,
            "lines_behind_most_s": AT_MOST_BEHIND_S,
        },
    }


def test_a_year_is_runs_that_stay_a_week_of_events_and_a_week_of_sweeps(made):
    year = a_year(made, cases=73_000)  # 200 a day
    assert (year["bytes_of_a_run"], year["bytes_of_its_events"]) == (20_000, 30_000)
    assert year["runs_there"] == 200 * (60 + 90)
    assert year["bytes_of_runs"] == 200 * 150 * 20_000
    assert year["bytes_of_events"] == 200 * 7 * 30_000
    assert year["bytes_at_rest"] == 7 * 24 * 60 * 1000
    parts = sum(year[name] for name in ("bytes_of_runs", "bytes_of_events", "bytes_at_rest"))
    assert year["bytes"] == EMPTY + parts
    assert year["bytes_if_nothing_ended"] == year["bytes"] + (73_000 - 200 * 150) * 20_000


@pytest.mark.parametrize(("late", "what"), [("behind_most_s", "状态"), ("lines_behind_most_s", "经过")])
def test_a_mirror_that_falls_behind_is_named(made, late, what):
    assert missed(made) == []
    made["stream"][late] += 0.1
    (said,) = missed(made)
    assert what in said
    assert "5.1" in said
