"""`shenguan db`: what the owner of the ledger's tables does now and then."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli_output import Json, busy, say

db = typer.Typer(help="台账维护。", no_args_is_help=True, rich_markup_mode=None)
_MAINTAIN = """维护按月分区的经过、发送记录与留痕（用属主角色 SHENGUAN_OWNER_DATABASE_URL），可重复执行。

预建以后各月；没有月份可归的行移入所属月份。请每月至少执行一次（shenguan doctor 会提醒）。

--archive 把一个月写成文件（含校验和），台账不变。另加 --drop 才从台账移出：须该月留痕已全部封存、
办件已闭环、动作已了结，且满保留月数。移出后 shenguan evidence verify --archive 仍可核验。"""


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.add_typer(db, name="db")
    db.command("maintain", help=_MAINTAIN)(maintain)


def maintain(
    ahead: Annotated[int, typer.Option("--ahead", help="预建几个月", min=1, max=24)] = 3,
    archive: Annotated[
        list[str] | None, typer.Option("--archive", metavar="月份", help="归档的月份，如 2023-07；可重复")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="归档文件所在的文件夹")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="归档后从台账移出")] = False,
    keep: Annotated[int, typer.Option("--keep", help="移出前至少保留几个月", min=1)] = 36,
    json_out: Json = False,
) -> None:
    """See _MAINTAIN."""
    from config.owner_settings import owner_database_url
    from models.ledger.maintaining import maintain as keep_months

    if archive and to is None:
        raise typer.BadParameter("归档须给出文件夹：--to", param_hint="--to")
    if drop and not archive:
        raise typer.BadParameter("--drop 须与 --archive 同用", param_hint="--drop")
    url = owner_database_url()
    with busy("维护台账"):
        done = keep_months(url, ahead=ahead, months=archive or (), folder=to, drop=drop, keep=keep)
    lines = [f"新建月份：{'、'.join(done.made) or '无需新建'}"]
    if done.moved:
        lines.append(f"移入所属月份 {done.moved} 行")
    for each in done.archived:
        where = "，已从台账移出" if each.dropped else ""
        lines.append(f"{each.file}：{each.rows} 行，SHA-256 {each.sha256}{where}")
    say(done, lines, json_out=json_out)
