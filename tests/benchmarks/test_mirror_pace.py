"""The mirror's bench in small: a real ledger, the real mirror, a real Prefect."""

from benchmarks.mirror_pace import measure_one_move

CASES = 12


def test_every_case_is_shown_and_what_that_took_is_counted(tmp_path):
    made = measure_one_move(tmp_path, CASES)["one_move"]
    assert (made["cases"], made["moves_a_case"], made["runs_made"]) == (CASES, 1, CASES)
    assert made["runs_moved"] in range(CASES + 1)
    # Each case's lines: accepted, and its one move; some more where it says so.
    assert made["lines"] >= 2 * CASES
    assert made["runs_written_per_s"] > 0
    assert made["api_calls_per_1k_cases"] > 0
    assert made["prefect_cpu_s_per_1k_cases"] > 0
    assert 0 < made["most_behind_s"] < made["seconds"]
