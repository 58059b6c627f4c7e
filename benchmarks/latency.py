"""``python -m benchmarks.latency``: p50, p95 and p99 of the first moment, with Prefect and without it.

Prints the table, writes ``var/bench/latency.json``, and ends with 1 where less was kept than is promised.
``shenguan bench latency`` is the same.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.moment import Phase, measure
from benchmarks.standing import NotMeasured

AT_REST_S, AT_TEN_S = 1.0, 2.0
"""Promised for 95 of 100, from publication: the push, and as fast a liaison's first text."""

PHASES = (
    Phase("rest", 100, 0.5, "up", AT_REST_S),
    Phase("10/s", 600, 10, "up", AT_TEN_S),
    Phase("burst", 500, 0, "up"),
    Phase("rest-prefect-stopped", 100, 0.5, "stopped", AT_REST_S),
    Phase("10/s-prefect-stopped", 600, 10, "stopped", AT_TEN_S),
)
NAMES = {
    "rest": "闲时（平均两秒一件）",
    "10/s": "每秒 10 件",
    "burst": "500 件一齐来",
    "rest-prefect-stopped": "闲时，Prefect 停",
    "10/s-prefect-stopped": "每秒 10 件，Prefect 停",
}
_KINDS = {"published_to_push_s": "推送成功", "published_to_first_text_s": "首条短信"}
_NOT_MEASURED = 2
_WIDE = 140  # columns, where there is no terminal to ask


def missed(made: Mapping[str, Any]) -> list[str]:
    """What was promised and not kept, each in a sentence."""
    return list(_missed(made["phases"]))


def _missed(phases: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, phase in phases.items():
        promised = phase["promised_s"]
        for kind, what in _KINDS.items():
            p95 = phase[kind]["p95"]
            if promised is not None and p95 > promised:
                yield (f"{NAMES.get(name, name)}：发布到{what} p95 为 {p95:.2f} 秒，超过 {promised:g} 秒")


def show(made: Mapping[str, Any], console: Console) -> None:
    """The figures as a table, and beneath it how things were."""
    table = Table(title="第一时间：从平台发布起的秒数，以仿真系统自己的记录计")
    table.add_column("")
    table.add_column("到")
    for column in ("数", "p50", "p95", "p99", "最大", "承诺 p95"):
        table.add_column(column, justify="right")
    for name, phase in made["phases"].items():
        promised = phase["promised_s"]
        for place, (kind, what) in enumerate(_KINDS.items()):
            cuts = phase[kind]
            table.add_row(
                "" if place else NAMES.get(name, name),
                what,
                str(cuts["n"]),
                *(f"{cuts[cut]:.2f}" for cut in ("p50", "p95", "p99", "max")),
                "" if promised is None else f"≤ {promised:g}",
                end_section=bool(place),
            )
    console.print(table)
    for line in _around(made):
        console.print(line, markup=False, highlight=False)


def _around(made: Mapping[str, Any]) -> Iterator[str]:
    for name, phase in made["phases"].items():
        prefect, idle = phase["prefect"], phase["idle"]
        said = f"{NAMES.get(name, name)}：负载 {phase['load_average']}"
        said += f"，开始前空闲时分发进程占一个核的 {idle['worker_cpu_share']:.1%}"
        said += f"，台账每秒 {idle['transactions_per_s']:.0f} 个事务"
        if "caught_up_s" in prefect:
            state = "一直在" if prefect["answered"] else "一直停着"
            said += f"；Prefect {state}，末件办完时镜像欠 {prefect['behind_at_the_end']} 件"
            said += f"，{'此后' if prefect['answered'] else '重新启动后'} {prefect['caught_up_s']} 秒追上"
        yield said


def main() -> int:
    """0 when every promise was kept, 1 when one was not, 2 when it could not be measured."""
    parser = argparse.ArgumentParser(
        prog="shenguan bench latency", description="从发布到第一时间推送、首条短信用多久"
    )
    parser.add_argument("--seed", default="20260701", help="种子")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="结果目录")
    parser.add_argument("--city-dir", type=Path, default=Path("config/yiyang"), help="城市配置目录")
    parser.add_argument("--phase", action="append", choices=[phase.name for phase in PHASES], help="只测这些")
    given = parser.parse_args()
    err = Console(stderr=True)
    try:
        made = measure(
            given.out,
            [phase for phase in PHASES if not given.phase or phase.name in given.phase],
            seed=given.seed,
            city_dir=given.city_dir,
            tell=lambda line: err.print(line, markup=False, highlight=False),
        )
    except NotMeasured as finding:
        err.print(str(finding), markup=False, highlight=False)
        return _NOT_MEASURED
    made["missed"] = missed(made)
    path = given.out / "latency.json"
    path.write_text(json.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    show(made, Console(width=None if sys.stdout.isatty() else _WIDE))
    for line in made["missed"]:
        err.print(line, markup=False, highlight=False, style="red")
    return 1 if made["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
