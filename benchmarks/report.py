"""From rounds to a report: medians and spread, ratios, and a table for people."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.systems import SYSTEMS

_LEAST_CONTROL = 0.8
_MIB = 1024 * 1024
_PROCESSES = {
    "self": "本进程",
    "postgresql": "PostgreSQL",
    "platform": "平台仿真",
    "credit": "信用仿真",
    "sms": "短信仿真",
}


def report(rounds: Sequence[Mapping[str, Any]], *, cases: int) -> dict[str, Any]:
    """The report of these rounds; all figures are medians over the rounds that count.

    A round whose raw control fell below 0.8 of the median control is void.
    """
    usual = median(each["control"] for each in rounds)
    kept = [each for each in rounds if each["control"] >= _LEAST_CONTROL * usual]
    names = [name for name in SYSTEMS if name in rounds[0]]
    systems = {name: _system([each[name] for each in kept], cases) for name in names}
    made: dict[str, Any] = {
        "cases": cases,
        "rounds": len(rounds),
        "rounds_counted": len(kept),
        "control_posts_per_s": [each["control"] for each in rounds],
        "systems": systems,
    }
    if {"ours", "bare"} <= set(names):
        # Both of one round met the same machine: the ratio is taken round by round.
        ratios = [each["ours"]["cases_per_s"] / each["bare"]["cases_per_s"] for each in kept]
        made["ratios"] = {"of_bare_limit": median(ratios)}
        made["spread"] = {"of_bare_limit": [min(ratios), max(ratios)]}
    return made


def _system(runs: Sequence[Mapping[str, Any]], cases: int) -> dict[str, Any]:
    last = runs[-1]
    per_s = [run["cases_per_s"] for run in runs]
    tables = last["tables"]
    figures = {
        "cases_per_s": median(per_s),
        "cases_per_s_spread": [min(per_s), max(per_s)],
        "cpu_s_per_1k_cases": {
            ("self" if process in SYSTEMS else process): median(
                run["cpu_s_by_process"][process] for run in runs
            )
            * 1000
            / cases
            for process in last["cpu_s_by_process"]
        },
        "peak_rss_bytes": max(run["peak_rss"] for run in runs),
        "peak_rss_outside_bytes": last["peak_rss_outside"],
        "calls": last["calls"],
        "effects": last["effects"],
        "commits": median(run["commits"] for run in runs),
        "rollbacks": median(run["rollbacks"] for run in runs),
        "wal_bytes_per_case": median(run["wal_bytes"] for run in runs) / cases,
        "parts_s": {part: median(run["parts_s"][part] for run in runs) for part in last["parts_s"]},
    }
    settled = last["after"].get("settled")
    figures["ledger_bytes_per_case"] = sum(size["rows"] + size["indexes"] for size in tables.values()) / (
        settled or cases
    )
    figures["ledger_bytes_per_case_by_table"] = {
        table: {what: size / (settled or cases) for what, size in sizes.items()}
        for table, sizes in tables.items()
    }
    if settled is not None:
        figures["settled"] = settled
        figures["settle_s"] = median(run["after"]["settle_s"] for run in runs)
        figures["empty_round_ms"] = median(run["after"]["empty_round_ms"] for run in runs)
        figures["empty_round_steps_ms"] = last["after"]["empty_round_steps_ms"]
    return figures


def show(made: Mapping[str, Any], console: Console) -> None:
    """The report as tables."""
    systems = made["systems"]
    table = Table(title=f"{made['cases']} 件，{made['rounds_counted']}/{made['rounds']} 轮有效")
    table.add_column("")
    for name in systems:
        table.add_column(SYSTEMS[name][1].split("（")[0], justify="right")
    rows = [("件/秒", [f"{each['cases_per_s']:.0f}" for each in systems.values()])]
    rows.append(
        ("　最低—最高", ["{:.0f}—{:.0f}".format(*each["cases_per_s_spread"]) for each in systems.values()])
    )
    for process, chinese in _PROCESSES.items():
        rows.append(
            (
                f"CPU 秒/千件：{chinese}",
                [f"{each['cpu_s_per_1k_cases'][process]:.2f}" for each in systems.values()],
            )
        )
    rows += [
        ("内存峰值 MiB", [f"{each['peak_rss_bytes'] / _MIB:.0f}" for each in systems.values()]),
        ("调用次数", [str(sum(each["calls"].values())) for each in systems.values()]),
        ("提交次数", [f"{each['commits']:.0f}" for each in systems.values()]),
        ("WAL 字节/件", [f"{each['wal_bytes_per_case']:.0f}" for each in systems.values()]),
        ("台账字节/件", [f"{each['ledger_bytes_per_case']:.0f}" for each in systems.values()]),
    ]
    for name, values in rows:
        table.add_row(name, *values)
    console.print(table)
    if "ours" in systems:
        _show_ours(systems["ours"], console)
    if "ratios" in made:
        low, high = made["spread"]["of_bare_limit"]
        console.print(
            f"相当于裸机极限的 {made['ratios']['of_bare_limit']:.2f}（各轮 {low:.2f}—{high:.2f}）；"
            f"原始对照 {'、'.join(f'{each:.0f}' for each in made['control_posts_per_s'])} 次/秒",
            markup=False,
            highlight=False,
        )


def _show_ours(figures: Mapping[str, Any], console: Console) -> None:
    table = Table(title="台账字节/闭环办件（行、索引）")
    for column in ("表", "行", "索引"):
        table.add_column(column, justify="left" if column == "表" else "right")
    for name, sizes in figures["ledger_bytes_per_case_by_table"].items():
        if sizes["rows"] + sizes["indexes"] >= 1:
            table.add_row(name, f"{sizes['rows']:.0f}", f"{sizes['indexes']:.0f}")
    console.print(table)
    parts = sorted(figures["parts_s"].items(), key=lambda pair: -pair[1])
    shown = "，".join(f"{name} {seconds:.2f}" for name, seconds in parts if seconds >= 0.01)  # noqa: PLR2004
    console.print(f"各步骤秒数：{shown}", markup=False, highlight=False)
    console.print(
        f"闭环 {figures['settled']} 件，观察期满至闭环 {figures['settle_s']:.2f} 秒；"
        f"空转一轮 {figures['empty_round_ms']:.0f} 毫秒",
        markup=False,
        highlight=False,
    )
