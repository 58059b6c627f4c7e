"""`shenguan mirror`: the picture of the cases in Prefect."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli_output import Json, begin_work, busy, say

if TYPE_CHECKING:
    from tasks.mirror.rebuild import Rebuilt

mirror = typer.Typer(help="Prefect 里的办件镜像。", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.add_typer(mirror, name="mirror")
    mirror.command("rebuild")(rebuild)


def rebuild(
    timeout: Annotated[float, typer.Option(help="最多画多少秒", min=1)] = 3600, json_out: Json = False
) -> None:
    """只凭台账重画全部镜像：运行记录、状态、标签、经过；Prefect 数据库丢失或重建后也用它。可重复执行。"""
    from flows.cli_findings import FINDINGS, FINE

    begin_work(log_level="warning")
    with busy("正在重画镜像"):
        done = asyncio.run(_rebuild(timeout))
    said = f"重画 {done.cases} 件：运行 {done.runs} 条、经过 {done.lines} 行，用时 {done.seconds:.0f} 秒"
    left = f"尚欠状态 {done.behind} 件、经过 {done.lines_behind} 件，由分发器继续"
    behind = bool(done.behind or done.lines_behind)
    say(done, [said, left] if behind else [said], json_out=json_out)
    raise typer.Exit(FINDINGS if behind else FINE)


async def _rebuild(timeout_s: float) -> "Rebuilt":
    from tasks.composition import open_services
    from tasks.mirror.rebuild import rebuild as draw

    async with open_services() as services:
        return await draw(services, timeout_s=timeout_s)
