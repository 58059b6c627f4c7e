"""The page on scale says what the program works out, and the program multiplies right."""

from benchmarks.scale import MEASURED, PLACES, Cost, Need, cost_of, page
from tests.repository.source import ROOT


def test_the_page_is_the_one_that_is_generated():
    assert (ROOT / "docs" / "scale.md").read_text(encoding="utf-8") == page()


def test_a_city_by_hand():
    city = Need(PLACES[0], Cost("by hand", 6.0, 2.0, 2.0, 40.0, 20.0, 50.0))
    assert city.cases_a_day == 1200
    assert round(city.peak_per_s * 3600) == 240
    assert round(city.sized_per_s, 2) == 0.2
    assert (city.workers, city.connections) == (2, 44)


def test_a_report_of_another_machine_makes_another_page():
    ours = {
        "cases": 100,
        "cpu_s_per_1k_cases": {"self": 12.0, "postgresql": 3.0},
        "calls": {"platform": 300, "credit": 20},
        "wal_bytes_per_case": 50_000,
        "ledger_bytes_per_case": 30_000,
        "cases_per_s": 20.0,
    }
    cost = cost_of({"systems": {"ours": ours}})
    assert (cost.calls, cost.wal_kb, cost.ledger_kb) == (3.2, 50.0, 30.0)
    assert Need(PLACES[2], cost).workers > Need(PLACES[2], MEASURED).workers
    assert page(cost) != page()
