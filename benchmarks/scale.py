"""The page ``docs/scale.md``: what city, province and nation need, worked out from what a case costs.

``python -m benchmarks.scale`` writes it with the figures below; ``--report var/bench/report.json`` with those
of your own machine. A test compares the page in the repository with what this module says.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_DAYS = 250
_PEAK_SHARE = 0.2
_HEADROOM = 3
_YEARS = 5
_PROCESSES, _POOL, _BELL = 2, 10, 1
_MOVES = 5
_CREATES_PER_S, _MOVES_PER_S = 78, 90


@dataclass(frozen=True, slots=True)
class Cost:
    """What a case costs, both stages and its settling included."""

    source: str
    worker_cpu_ms: float
    postgres_cpu_ms: float
    calls: float
    wal_kb: float
    ledger_kb: float
    cases_per_s: float


MEASURED = Cost(
    source="2,000 ordinary cases on 2 cores, medians of three rounds, nothing else running",
    worker_cpu_ms=2.3,
    postgres_cpu_ms=1.1,
    calls=2.1,
    wal_kb=35.8,
    ledger_kb=22.6,
    cases_per_s=434,
)
ROWS = {
    "history": 12.1,
    "evidence_leaves": 9.3,
    "effects, effect_bodies, effect_attempts": 9.4,
    "inbox, inbox_raw": 4.0,
    "sms_news": 2.0,
    "cases, handovers, licences, mirror": 4.0,
    "credit_checks, credit_reports": 2.0,
    "sms_texts": 0.1,
}
"""Rows of a settled case by table, counted after the same run."""


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere with so many cases a year."""

    name: str
    cases_a_year: int
    why: str


PLACES = (
    Place("city", 300_000, "a prefecture-level city of four to five million people"),
    Place("province", 5_000_000, "fourteen such cities and the provincial offices"),
    Place("nation", 200_000_000, "all provinces, were they in one ledger"),
)


@dataclass(frozen=True, slots=True)
class Need:
    """What one place needs; every figure is a product of those above it."""

    place: Place
    cost: Cost

    @property
    def cases_a_day(self) -> float:
        """On a working day."""
        return self.place.cases_a_year / _DAYS

    @property
    def peak_per_s(self) -> float:
        """In the busiest hour."""
        return self.cases_a_day * _PEAK_SHARE / 3600

    @property
    def sized_per_s(self) -> float:
        """What is provided for: after an outage the backlog must shrink while new cases come."""
        return self.peak_per_s * _HEADROOM

    @property
    def workers(self) -> int:
        """Dispatchers, two cores each; never less than two, so that one may die."""
        return max(2, math.ceil(self.sized_per_s / self.cost.cases_per_s))

    @property
    def connections(self) -> int:
        """Connections to the ledger at most."""
        return self.workers * _PROCESSES * (_POOL + _BELL)

    @property
    def prefect_seconds_a_day(self) -> float:
        """Seconds of one Prefect server's core for the runs of a day's cases."""
        return self.cases_a_day * (1 / _CREATES_PER_S + _MOVES / _MOVES_PER_S)

    @property
    def prefect_servers_at_peak(self) -> float:
        """Prefect servers that are busy in the busiest hour with showing cases."""
        return self.peak_per_s * (1 / _CREATES_PER_S + _MOVES / _MOVES_PER_S)


def page(cost: Cost = MEASURED) -> str:
    """The whole page: the words of ``scale_page.txt`` with the figures in their places."""
    needs = [Need(place, cost) for place in PLACES]
    _, province, nation = needs
    words = Path(__file__).with_name("scale_page.txt").read_text(encoding="utf-8")
    return words.format(
        source=cost.source,
        worker_cpu=f"{cost.worker_cpu_ms:.1f}",
        postgres_cpu=f"{cost.postgres_cpu_ms:.1f}",
        calls=f"{cost.calls:.1f}",
        wal=f"{cost.wal_kb:.1f}",
        ledger=f"{cost.ledger_kb:.1f}",
        per_s=f"{cost.cases_per_s:.0f}",
        rows=f"{sum(ROWS.values()):.0f}",
        rows_by_table="; ".join(f"{name} {rows:.1f}" for name, rows in ROWS.items()),
        places="\n".join(
            f"- {each.name}: {_n(each.cases_a_year)} cases a year, {each.why}." for each in PLACES
        ),
        days=_DAYS,
        headroom=_HEADROOM,
        years=_YEARS,
        pool=_POOL,
        moves=_MOVES,
        creates_per_s=_CREATES_PER_S,
        moves_per_s=_MOVES_PER_S,
        table="\n".join(_table(needs)),
        province_share=f"{province.sized_per_s * cost.worker_cpu_ms / 10:.1f}",
        province_calls=_f(province.sized_per_s * cost.calls),
        province_kept=_gb(province.place.cases_a_year * cost.ledger_kb * _YEARS),
        province_load=_hours(province.place.cases_a_year / (province.workers * cost.cases_per_s)),
        province_prefect=_f(province.prefect_servers_at_peak),
        nation_rows=_n(nation.cases_a_day * sum(ROWS.values())),
        nation_year=_gb(nation.place.cases_a_year * cost.ledger_kb),
        nation_prefect=_f(nation.prefect_servers_at_peak),
    )


def _table(needs: Sequence[Need]) -> Iterator[str]:
    yield "| | how | " + " | ".join(need.place.name for need in needs) + " |"
    yield "|--|--|" + "--|" * len(needs)
    cost = needs[0].cost
    rows = sum(ROWS.values())
    lines: list[tuple[str, str, list[str]]] = [
        ("cases a working day", f"a year / {_DAYS}", [_n(each.cases_a_day) for each in needs]),
        ("cases/s, busiest hour", f"a day x {_PEAK_SHARE} / 3600", [_f(each.peak_per_s) for each in needs]),
        ("cases/s provided for", f"x {_HEADROOM}", [_f(each.sized_per_s) for each in needs]),
        (
            "calls/s provided for",
            f"x {cost.calls:.1f}",
            [_f(each.sized_per_s * cost.calls) for each in needs],
        ),
        (
            "worker cores",
            f"x {cost.worker_cpu_ms:.1f} ms",
            [_f(each.sized_per_s * cost.worker_cpu_ms / 1000) for each in needs],
        ),
        (
            "PostgreSQL cores",
            f"x {cost.postgres_cpu_ms:.1f} ms",
            [_f(each.sized_per_s * cost.postgres_cpu_ms / 1000) for each in needs],
        ),
        ("workers", f"/ {cost.cases_per_s:.0f}, at least 2", [_n(each.workers) for each in needs]),
        (
            "connections",
            f"workers x {_PROCESSES * (_POOL + _BELL)}",
            [_n(each.connections) for each in needs],
        ),
        ("rows a day", f"cases x {rows:.0f}", [_n(each.cases_a_day * rows) for each in needs]),
        (
            "WAL a day",
            f"cases x {cost.wal_kb:.1f} kB",
            [_gb(each.cases_a_day * cost.wal_kb) for each in needs],
        ),
        (
            "WAL, busiest hour",
            "cases/s x the same",
            [f"{each.peak_per_s * cost.wal_kb / 1000:.2f} MB/s" for each in needs],
        ),
        (
            "ledger a year",
            f"cases x {cost.ledger_kb:.1f} kB",
            [_gb(each.place.cases_a_year * cost.ledger_kb) for each in needs],
        ),
        (
            f"ledger, {_YEARS} years",
            f"x {_YEARS}",
            [_gb(each.place.cases_a_year * cost.ledger_kb * _YEARS) for each in needs],
        ),
        (
            "first load of a year's cases",
            f"/ (workers x {cost.cases_per_s:.0f})",
            [_hours(each.place.cases_a_year / (each.workers * cost.cases_per_s)) for each in needs],
        ),
        (
            "Prefect, a day",
            f"cases x (1/{_CREATES_PER_S} + {_MOVES}/{_MOVES_PER_S}) s",
            [_hours(each.prefect_seconds_a_day) for each in needs],
        ),
        (
            "Prefect servers, busiest hour",
            "cases/s x the same",
            [_f(each.prefect_servers_at_peak) for each in needs],
        ),
    ]
    for name, how, values in lines:
        yield f"| {name} | {how} | " + " | ".join(values) + " |"


def _n(value: float) -> str:
    return f"{round(value):,}"


def _f(value: float) -> str:
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004 - two digits say enough


def _gb(kilobytes: float) -> str:
    gigabytes = kilobytes / 1e6
    return f"{gigabytes / 1000:,.1f} TB" if gigabytes >= 1000 else f"{gigabytes:,.1f} GB"  # noqa: PLR2004


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{seconds / 60:,.1f} min"  # noqa: PLR2004


def cost_of(report: Mapping[str, Any]) -> Cost:
    """The costs as ``make bench`` measured them."""
    ours = report["systems"]["ours"]
    cpu = ours["cpu_s_per_1k_cases"]
    return replace(
        MEASURED,
        source=f"{ours['cases']} ordinary cases on this machine (`make bench`)",
        worker_cpu_ms=cpu["self"],
        postgres_cpu_ms=cpu["postgresql"],
        calls=sum(ours["calls"].values()) / ours["cases"],
        wal_kb=ours["wal_bytes_per_case"] / 1000,
        ledger_kb=ours["ledger_bytes_per_case"] / 1000,
        cases_per_s=ours["cases_per_s"],
    )


def main() -> None:
    """Write the page to standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="各级规模所需")
    parser.add_argument("--report", type=Path, help="make bench 的结果文件")
    given = parser.parse_args()
    cost = cost_of(json.loads(given.report.read_text(encoding="utf-8"))) if given.report else MEASURED
    print(page(cost), end="")  # noqa: T201 - a page for standard output


if __name__ == "__main__":
    main()
