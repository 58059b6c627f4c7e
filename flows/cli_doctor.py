"""`shenguan doctor`: what is off, and what to do about it."""

import asyncio
from pathlib import Path

import typer

from flows.cli_output import STANDING, Json, say


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command()(doctor)


def doctor(json_out: Json = False) -> None:
    """逐项体检：设置、密钥、数据库、时钟、外部系统、Prefect、磁盘、日历。全好 0，有注意 1，有坏 2。"""
    from config.surroundings import take_up_settings
    from tasks.doctor.diagnosis import LEVEL_NAMES
    from tasks.doctor.examining import examine

    take_up_settings(STANDING)
    found = asyncio.run(examine(Path.cwd()))
    lines = (
        f"{LEVEL_NAMES[each.level]:　<2}  {each.what}：{each.said}"
        + (f"。→ {each.todo}" if each.todo else "")
        for each in found.findings
    )
    say(found, lines, json_out=json_out)
    raise typer.Exit(found.exit_code)
