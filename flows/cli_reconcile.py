"""`shenguan reconcile`: our account beside theirs, and what opens the senders after a restore."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli_output import Json, begin_work, busy, say
from flows.cli_signing import Code, OptionalBy, code_of, signed

if TYPE_CHECKING:
    from datetime import date

    from tasks.reconciliation.reconciled import Reconciled

_HELP = """对账：按部门、环节、系统，以笔数与摘要比对本方台账与对方所存；补认、补发、列出不能解释的差异。

短信没有查询接口，只按回执统计。有差异待人工、有系统查不到、或外发仍锁定时退出码 1。

台账由备份恢复后外发自动锁定：运行 shenguan reconcile --after-restore，核对完毕自动开锁。"""


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help=_HELP)(reconcile)


def reconcile(
    day: Annotated[str, typer.Option(help="对哪一天（业务日，YYYY-MM-DD；不写为昨天）")] = "",
    days: Annotated[int, typer.Option(help="往前对几天", min=1, max=400)] = 1,
    after_restore: Annotated[
        bool, typer.Option("--after-restore", help="台账恢复后：接管对方已有的内容，核对完毕后开锁")
    ] = False,
    lost: Annotated[
        list[str] | None,
        typer.Option("--lost", help="这台主机的外发日志确已丢失（与 --after-restore 同用，可多次）"),
    ] = None,
    new_host: Annotated[bool, typer.Option("--new-host", help="本机是新增的主机，开始记外发日志")] = False,
    new_ledger: Annotated[
        bool,
        typer.Option("--new-ledger", help="本台账是全新的，旁边的外发日志属于另一套台账：另起日志并开锁"),
    ] = False,
    by: OptionalBy = "",
    code: Code = None,
    json_out: Json = False,
) -> None:
    """See ``_HELP``."""
    from flows.cli_findings import FINDINGS, FINE
    from tasks.reconciliation.reconciled import sentences

    which = _day(day)
    if (lost or new_host or new_ledger) and not by:
        raise typer.BadParameter("声明日志丢失、新增主机或全新台账，须填经办人账户", param_hint="--by")
    if new_ledger and (after_restore or new_host):
        raise typer.BadParameter("不可与 --after-restore、--new-host 同用", param_hint="--new-ledger")
    if lost and not after_restore:
        raise typer.BadParameter("须与 --after-restore 同用", param_hint="--lost")
    spoken = code_of(code) if by else ""
    begin_work(log_level="warning")
    with busy("对账"):
        found = asyncio.run(_run(which, days, after_restore, lost or [], new_host, new_ledger, by, spoken))
    say(found, sentences(found), json_out=json_out)
    raise typer.Exit(FINDINGS if found.unexplained or found.away or found.locked else FINE)


def _day(said: str) -> "date | None":
    from datetime import date

    try:
        return date.fromisoformat(said) if said else None
    except ValueError:
        raise typer.BadParameter("应为 YYYY-MM-DD", param_hint="--day") from None


async def _run(
    day: "date | None",
    days: int,
    after_restore: bool,
    lost: list[str],
    new_host: bool,
    new_ledger: bool,
    by: str,
    code: str,
) -> "Reconciled":
    from tasks.composition import open_services
    from tasks.reconciliation.reconciled import reconcile as account
    from tasks.restore import restoring

    async with open_services() as services:
        who = f"{services.guard.host}（对账自动开锁）"
        if by:
            act = "journal_begin" if new_host or new_ledger else "journal_lost"
            subject = services.guard.host if new_host or new_ledger else "、".join(lost)
            who = await signed(services, by=by, code=code, act=act, subject=subject)
        if new_host:
            await restoring.new_host(services)
        if new_ledger:
            await restoring.new_ledger(services, by=who)
        back = None
        if after_restore:
            back = await restoring.after_restore(services, by=who, lost=lost)
        return await account(services, day=day, days=days, restored=back)
