"""From rounds to a report: medians and spread, and ratios taken round by round."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.systems import SYSTEMS

_LEAST_CONTROL = 0.8
_RATIOS = {
    "of_bare_limit": ("ours", ("bare",)),
    "of_bare_limit_mirror_on": ("mirrored", ("bare",)),
    "vs_naive_prefect": ("ours", ("naive_prefect",)),
    "vs_dbos": ("ours", ("dbos",)),
    "vs_procrastinate": ("ours", ("procrastinate_calls", "procrastinate_cases")),
}
"""Ratio → whose cases a second, over the fastest of whose."""
HOW = "docs/decisions/0012-the-peers-of-the-bench.md"


def report(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The report of these rounds; all figures are medians over the rounds that count.

    A round whose raw control fell below 0.8 of the median control is void.
    """
    usual = median(each["control"] for each in rounds)
    kept = [each for each in rounds if each["control"] >= _LEAST_CONTROL * usual]
    names = [name for name in SYSTEMS if name in rounds[0]]
    ratios = {ratio: _by_round(kept, *of) for ratio, of in _RATIOS.items() if _is_there(names, *of)}
    return {
        "how": HOW,
        "rounds": len(rounds),
        "rounds_counted": len(kept),
        "control_posts_per_s": [each["control"] for each in rounds],
        "load_average": [each["load"] for each in rounds],
        "systems": {name: _system([each[name] for each in kept]) for name in names},
        "ratios": {ratio: median(each) for ratio, each in ratios.items()},
        "spread": {ratio: [min(each), max(each)] for ratio, each in ratios.items()},
    }


def _is_there(names: Sequence[str], ours: str, theirs: Iterable[str]) -> bool:
    return ours in names and any(name in names for name in theirs)


def _by_round(rounds: Sequence[Mapping[str, Any]], ours: str, theirs: Iterable[str]) -> list[float]:
    # Both of one round met the same machine.
    fastest = [max(each[name]["cases_per_s"] for name in theirs if name in each) for each in rounds]
    return [each[ours]["cases_per_s"] / best for each, best in zip(rounds, fastest, strict=True)]


def _system(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = runs[-1]
    cases = last["cases"]
    per_s = [run["cases_per_s"] for run in runs]
    settled = last["after"].get("settled")
    figures = {
        "cases": cases,
        "cases_per_s": median(per_s),
        "cases_per_s_spread": [min(per_s), max(per_s)],
        "cpu_s_per_1k_cases": {
            process: median(run["cpu_s_by_process"][process] for run in runs) * 1000 / cases
            for process in last["cpu_s_by_process"]
        },
        "peak_rss_bytes": max(run["peak_rss"] for run in runs),
        "peak_rss_outside_bytes": last["peak_rss_outside"],
        "calls": last["calls"],
        "prefect_api_calls": median(run["prefect_calls"] for run in runs),
        "effects": last["effects"],
        "commits": median(run["commits"] for run in runs),
        "rollbacks": median(run["rollbacks"] for run in runs),
        "wal_bytes_per_case": median(run["wal_bytes"] for run in runs) / cases,
        "parts_s": {part: median(run["parts_s"][part] for run in runs) for part in last["parts_s"]},
        "ledger_bytes_per_case": sum(size["rows"] + size["indexes"] for size in last["tables"].values())
        / (settled or cases),
        "ledger_bytes_per_case_by_table": {
            table: {what: size / (settled or cases) for what, size in sizes.items()}
            for table, sizes in last["tables"].items()
        },
    }
    for name in ("catch_up_s", "peak_rss_prefect", "prefect_commits"):
        if name in last:
            figures[name] = median(run[name] for run in runs)
    if settled is not None:
        figures["settled"] = settled
        figures["settle_s"] = median(run["after"]["settle_s"] for run in runs)
        figures["empty_round_ms"] = median(run["after"]["empty_round_ms"] for run in runs)
        figures["empty_round_steps_ms"] = last["after"]["empty_round_steps_ms"]
    return figures
