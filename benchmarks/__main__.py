"""``python -m benchmarks``: measure, print the table, write ``var/bench/report.json`` and ``report.png``."""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.report import report
from benchmarks.rounds import measure
from benchmarks.shown import plot, show
from benchmarks.systems import SYSTEMS

_WIDE = 160  # columns, where there is no terminal to ask


def main() -> int:
    """0 when at least one round counts; 1 when none does."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="与同类系统及裸机极限比较")
    parser.add_argument("--cases", type=int, default=2000, help="每轮办件数")
    parser.add_argument("--rounds", type=int, default=3, help="轮数")
    parser.add_argument("--seed", default="20260701", help="种子")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="结果目录")
    parser.add_argument("--city-dir", type=Path, default=Path("config/yiyang"), help="城市配置目录")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), help="比较谁")
    given = parser.parse_args()
    if given.cases < 1 or given.rounds < 1:
        parser.error("办件数与轮数至少为 1")
    console = Console(stderr=True)
    rounds = measure(
        given.out,
        cases=given.cases,
        rounds=given.rounds,
        seed=given.seed,
        city_dir=given.city_dir,
        systems=[name for name in SYSTEMS if name in given.systems],
        tell=lambda line: console.print(line, markup=False, highlight=False),
    )
    made = report(rounds)
    path = given.out / "report.json"
    path.write_text(json.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    show(made, Console(width=None if sys.stdout.isatty() else _WIDE))
    plot(made, given.out / "report.png")
    return 0 if made["rounds_counted"] else 1


if __name__ == "__main__":
    sys.exit(main())
