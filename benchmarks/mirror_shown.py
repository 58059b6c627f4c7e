"""The mirror's figures as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

AT_MOST_BEHIND_S = 5.0
"""Promised at five cases a second."""
_KINDS = {
    "one_move": "动一次",
    "six_at_once": "六秒内动六次",
    "six_shown": "动六次，每次都显示",
}
_SIZES = {"one_move": "动一次", "six_moves": "动六次，每次都显示"}


def missed(made: Mapping[str, Any]) -> list[str]:
    """What was promised and not kept, each in a sentence."""
    stream = made["stream"]
    said = {"behind_most_s": "状态", "lines_behind_most_s": "经过"}
    return [
        f"每秒 {stream['cases_per_s']:g} 件时，镜像的{what}最多落后 {stream[name]:.1f} 秒，"
        f"超过 {AT_MOST_BEHIND_S:g} 秒"
        for name, what in said.items()
        if stream[name] > AT_MOST_BEHIND_S
    ]


def show(made: Mapping[str, Any], console: Console) -> None:
    """Pace, sizes, and the year."""
    console.print(_pace(made))
    console.print(_sizes(made))
    for line in _around(made):
        console.print(line, markup=False, highlight=False)


def _pace(made: Mapping[str, Any]) -> Table:
    table = Table(title="镜像的速度")
    table.add_column("办件")
    for column in (
        "件",
        "秒",
        "每秒写运行",
        "建",
        "移",
        "经过行",
        "最多落后 秒",
        "Prefect CPU 秒/千件",
        "负载",
    ):
        table.add_column(column, justify="right")
    for kind, name in _KINDS.items():
        row = made[kind]
        table.add_row(
            name,
            str(row["cases"]),
            f"{row['seconds']:.0f}",
            f"{row['runs_written_per_s']:.0f}",
            str(row["runs_made"]),
            str(row["runs_moved"]),
            str(row["lines"]),
            f"{row['most_behind_s']:.1f}",
            f"{row['prefect_cpu_s_per_1k_cases']:.1f}",
            f"{row['load_average']:.1f}",
        )
    return table


def _sizes(made: Mapping[str, Any]) -> Table:
    table = Table(title="Prefect 数据库（MB）：清理前后")
    table.add_column("办件")
    table.add_column("何时")
    for column in ("清理前", "删后", "VACUUM 后", "重写后", "应删行", "删除用秒"):
        table.add_column(column, justify="right")
    for kind, name in _SIZES.items():
        size = made["sizes"][kind]
        table.add_row(name, "写完时", _mb(size["bytes"]), "", "", "", "", "")
        for days in (7, 90):
            row = size[f"after_{days}_days"]
            sizes = ("bytes_before", "bytes_deleted", "bytes_vacuumed", "bytes_written_anew")
            table.add_row(
                "",
                f"{days} 天后",
                *(_mb(row[each]) for each in sizes),
                str(row["rows_due"]),
                f"{row['deleted_in_s']:.0f}",
            )
    return table


def _around(made: Mapping[str, Any]) -> Iterator[str]:
    stream, rest, year = made["stream"], made["at_rest"], made["a_year"]
    yield (
        f"每秒 {stream['cases_per_s']:g} 件、各动三次，{stream['seconds']:g} 秒，"
        f"负载 {stream['load_average']}："
        f"状态落后 p50 {stream['behind_p50_s']:.1f}、p95 {stream['behind_p95_s']:.1f}、"
        f"最多 {stream['behind_most_s']:.1f} 秒，经过最多 {stream['lines_behind_most_s']:.1f} 秒；"
        f"承诺最多 {AT_MOST_BEHIND_S:g} 秒"
    )
    yield (
        f"没有办件时每分钟 {rest['bytes_a_minute'] / 1000:.0f} kB（{rest['minutes']:g} 分钟，"
        f"总巡检 {rest['sweeps']} 次），留一周为 {_mb(year['bytes_at_rest'])} MB"
    )
    yield (
        f"一年 {year['cases']:,} 件，各动六次：每件运行与经过 {year['bytes_of_a_run'] / 1000:.1f} kB，"
        f"事件 {year['bytes_of_its_events'] / 1000:.1f} kB（留一周）；"
        f"受理到闭环 {year['open_days']} 天、闭环后留 90 天，"
        f"则有运行 {year['runs_there']:,} 条，共 {_mb(year['bytes'])} MB；"
        f"一件也没有闭环则 {_mb(year['bytes_if_nothing_ended'])} MB"
    )


def _mb(size: float) -> str:
    return f"{size / 1e6:,.0f}"
