"""`shenguan operator`: who may put a name to what is done at the desk."""

import asyncio
from typing import Annotated

import typer

from flows.cli_output import Json, begin_work, moment, say

Name = Annotated[str, typer.Argument(metavar="名称", help="姓名、工号或岗位，操作时与口令一起使用")]
operator = typer.Typer(help="经办人账户与一次性口令。", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.add_typer(operator, name="operator")
    operator.command("add")(add)
    operator.command("list")(show_all)
    operator.command("disable")(disable)
    operator.command("unlock")(unlock)


def add(name: Name, json_out: Json = False) -> None:
    """新建账户。密钥只显示这一次：请当面交给本人，录入手机上的验证器（TOTP）。"""
    from tasks.composition import open_services
    from tasks.operators.accounts import NewOperator, add_operator

    async def run() -> NewOperator:
        async with open_services() as services:
            return await add_operator(services.ledger, services.sealing, name)

    begin_work(log_level="warning")
    made = asyncio.run(run())
    lines = [f"账户   {made.name}", f"密钥   {made.secret}", f"地址   {made.uri}"]
    lines.append("请立即录入验证器；本系统不再显示密钥，遗失时停用后重建")
    say(made, lines, json_out=json_out)


def show_all(json_out: Json = False) -> None:
    """列出账户：建立、最近使用、是否停用或暂停；不含密钥。"""
    from tasks.composition import open_services
    from tasks.operators.accounts import OperatorList, list_operators

    async def run() -> OperatorList:
        async with open_services() as services:
            return await list_operators(services.ledger)

    begin_work(log_level="warning")
    found = asyncio.run(run())
    lines = []
    for each in found.operators:
        state = "在用"
        if each.disabled_at:
            state = f"已于 {moment(each.disabled_at)} 停用"
        elif each.wrong_codes:
            until = f"，{moment(each.waits_until)} 后才再看口令" if each.waits_until else ""
            state = f"口令连续错误 {each.wrong_codes} 次{until}"
        used = f"最近使用 {moment(each.last_used_at)}" if each.last_used_at else "尚未使用"
        lines.append(f"{each.name}  {state}；{moment(each.created_at)} 建立，{used}")
    say(found, lines or ["还没有账户：shenguan operator add 名称"], json_out=json_out)


def disable(name: Name, json_out: Json = False) -> None:
    """停用账户；已做过的事仍记在其名下。"""
    from tasks.composition import open_services
    from tasks.operators.accounts import OperatorEnded, disable_operator

    async def run() -> OperatorEnded:
        async with open_services() as services:
            return await disable_operator(services.ledger, name)

    begin_work(log_level="warning")
    done = asyncio.run(run())
    say(done, [f"已停用 {done.disabled}"], json_out=json_out)


def unlock(name: Name, json_out: Json = False) -> None:
    """口令连续错误后立即恢复：不必再等；错误的记录仍在。"""
    from tasks.composition import open_services
    from tasks.operators.accounts import OperatorUnlocked, unlock_operator

    async def run() -> OperatorUnlocked:
        async with open_services() as services:
            return await unlock_operator(services.ledger, name)

    begin_work(log_level="warning")
    done = asyncio.run(run())
    say(done, [f"{done.unlocked} 的口令已可再用（此前连续错误 {done.wrong_codes} 次）"], json_out=json_out)
