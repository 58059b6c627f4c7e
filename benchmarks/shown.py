"""The report for people: tables on the screen, and a plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.systems import SYSTEMS

_MIB = 1024 * 1024
_PROCESSES = {
    "self": "本进程",
    "postgresql": "PostgreSQL",
    "prefect": "Prefect 服务",
    "platform": "平台仿真",
    "credit": "信用仿真",
    "sms": "短信仿真",
}
_RATIOS = {
    "of_bare_limit": "相当于裸机极限的",
    "of_bare_limit_mirror_on": "镜像开启时相当于裸机极限的",
    "vs_naive_prefect": "是 Prefect 直用的倍数",
    "vs_dbos": "是 DBOS 的倍数",
    "vs_procrastinate": "是 Procrastinate（较快者）的倍数",
}
_PLOT_NAMES = {
    "ours": "ours",
    "mirrored": "ours, mirror on",
    "bare": "bare limit",
    "naive_prefect": "naive Prefect",
    "dbos": "DBOS",
    "procrastinate_calls": "Procrastinate,\njob a call",
    "procrastinate_cases": "Procrastinate,\njob a case",
}


def show(made: Mapping[str, Any], console: Console) -> None:
    """The report as tables."""
    systems = made["systems"]
    table = Table(title=f"基准：{made['rounds_counted']}/{made['rounds']} 轮有效")
    table.add_column("")
    for name in systems:
        table.add_column(SYSTEMS[name].chinese, justify="right")
    for label, values in _rows(list(systems.values())):
        table.add_row(label, *values)
    console.print(table)
    for ratio, value in made["ratios"].items():
        low, high = made["spread"][ratio]
        _say(console, f"{_RATIOS[ratio]} {value:.2f}（各轮 {low:.2f}—{high:.2f}）")
    controls = "、".join(f"{each:.0f}" for each in made["control_posts_per_s"])
    loads = "、".join(f"{each:.1f}" for each in made["load_average"])
    _say(console, f"原始对照 {controls} 次/秒；系统负载 {loads}；各系统的设置及理由见 {made['how']}")
    if "ours" in systems:
        _show_ours(systems["ours"], console)


def _rows(systems: list[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    rows = [
        ("办件数", [str(each["cases"]) for each in systems]),
        ("件/秒", [f"{each['cases_per_s']:.1f}" for each in systems]),
        ("　最低—最高", ["{:.1f}—{:.1f}".format(*each["cases_per_s_spread"]) for each in systems]),
    ]
    for process, chinese in _PROCESSES.items():
        used = [each["cpu_s_per_1k_cases"].get(process) for each in systems]
        if any(value is not None for value in used):
            shown = ["" if value is None else f"{value:.2f}" for value in used]
            rows.append((f"CPU 秒/千件：{chinese}", shown))
    return [
        *rows,
        ("内存峰值 MiB", [f"{each['peak_rss_bytes'] / _MIB:.0f}" for each in systems]),
        ("调用次数", [str(sum(each["calls"].values())) for each in systems]),
        ("Prefect 接口调用次数", [f"{each['prefect_api_calls']:.0f}" for each in systems]),
        ("提交次数", [f"{each['commits']:.0f}" for each in systems]),
        ("WAL 字节/件", [f"{each['wal_bytes_per_case']:.0f}" for each in systems]),
        ("台账字节/件", [f"{each['ledger_bytes_per_case']:.0f}" for each in systems]),
        ("镜像追平 秒", [f"{each['catch_up_s']:.1f}" if "catch_up_s" in each else "" for each in systems]),
    ]


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
    _say(console, f"各步骤秒数：{shown}")
    _say(
        console,
        f"闭环 {figures['settled']} 件，观察期满至闭环 {figures['settle_s']:.2f} 秒；"
        f"空转一轮 {figures['empty_round_ms']:.0f} 毫秒",
    )


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False)


def plot(made: Mapping[str, Any], path: Path) -> None:
    """Cases a second (log scale, with the rounds' spread) and CPU by process, as a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    systems = made["systems"]
    names = [f"{_PLOT_NAMES[name]}\nN={each['cases']}" for name, each in systems.items()]
    figure, (speed, cpu) = plt.subplots(2, 1, figsize=(1.6 * len(names) + 2, 8), layout="constrained")
    rates = [each["cases_per_s"] for each in systems.values()]
    spread = [
        [each["cases_per_s"] - each["cases_per_s_spread"][0] for each in systems.values()],
        [each["cases_per_s_spread"][1] - each["cases_per_s"] for each in systems.values()],
    ]
    bars = speed.bar(names, rates, yerr=spread, capsize=4, color="#3b6ea5")
    speed.bar_label(bars, [f"{rate:.1f}" for rate in rates])
    speed.set_yscale("log")
    speed.set_ylabel("cases / s (log)")
    speed.set_title(f"one reference job, median of {made['rounds_counted']} rounds, lowest to highest")
    floor = [0.0] * len(names)
    for process in _PROCESSES:
        used = [each["cpu_s_per_1k_cases"].get(process, 0.0) for each in systems.values()]
        if any(used):
            cpu.bar(names, used, bottom=floor, label=process)
            floor = [one + more for one, more in zip(floor, used, strict=True)]
    cpu.set_ylabel("CPU s / 1,000 cases (log)")
    cpu.set_yscale("log")
    cpu.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
