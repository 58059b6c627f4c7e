"""Commands about the city's own files and our own statement."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_output import Json, begin_work, busy, say


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.command("load-city")(load_city)
    app.command()(statement)


def load_city(
    liaisons: Annotated[
        Path | None, typer.Option(help="联络员名单（JSON）", exists=True, dir_okay=False)
    ] = None,
    json_out: Json = False,
) -> None:
    """把城市的部门、清单与联络员装入台账；已补充的事项，其暂停的办件自动继续。"""
    from tasks.results import CityLoaded

    async def run() -> int:
        from tasks.city_loading import load_city_into
        from tasks.composition import open_services

        people = json.loads(liaisons.read_text(encoding="utf-8")) if liaisons else None
        async with open_services() as services:
            return await load_city_into(services.ledger, services.sealing, services.city, people)

    begin_work()
    with busy("装入城市配置"):
        done = CityLoaded(asyncio.run(run()))
    say(done, [f"已装入；{done.reopened} 条暂停的记录重新进入核对"], json_out=json_out)


def statement(
    out: Annotated[Path, typer.Option(help="写入的文件（JSONL）")],
    json_out: Json = False,
) -> None:
    """写出我方台账的自述，供外部核对；其中没有个人信息。"""
    from tasks.results import StatementWritten

    async def run() -> int:
        from tasks.composition import open_services
        from tasks.reconciliation.statement import write_statement

        async with open_services() as services:
            return await write_statement(services.ledger, out)

    begin_work(log_level="warning")
    with busy("写出自述"):
        done = StatementWritten(asyncio.run(run()), str(out))
    say(done, [f"已写出 {done.lines} 行"], json_out=json_out)
