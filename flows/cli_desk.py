"""What a person does at the desk: quarantine, incidents, decisions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from flows.cli_output import Json, begin_work, moment, say
from flows.cli_signing import By, Code, code_of, signed

if TYPE_CHECKING:
    from tasks.composition import Services
    from tasks.operators.deciding import Quarantined

T = TypeVar("T")
_RELEASE = """把一条隔离记录放回待核对，再试一次。

内容有误的记录应由来源更正：更正后的新版本会自动取回、自动核对，不需要放行；
放行用于我方原因（清单、对照表、程序）已改好之后，让原记录再过一遍。记录本身不会被修改。"""
_DECIDE = """对一项被拒的对外动作作出裁定：不再发送，并记下经办人与理由；此后办件可以闭环。

已更正、需要再发的，用 shenguan rerun。理由中不要写当事人信息。"""

_RELEASE_TEXT = """放行一条暂挂的短信，按原文再发一次：一人申请，另一人确认，各用自己的账户与一次性口令。

网关不认我方编号，暂挂的短信可能已经到达；其内容也已并入联络员的下一条汇总。放行前请先致电联络员核实。
先执行的为申请，另一人再执行一次即为确认；确认后在 8:00—20:00 之间发出。"""

quarantine = typer.Typer(help="隔离区：不合规则的记录。", no_args_is_help=True, rich_markup_mode=None)
OwnId = Annotated[str, typer.Argument(metavar="动作编号", help="对外动作的编号，见 status 与 case show")]
Said = Annotated[str, typer.Argument(metavar="编号", help="隔离编号（可只写开头）或记录编号")]


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.add_typer(quarantine, name="quarantine")
    quarantine.command("list")(list_records)
    quarantine.command("show")(show_record)
    quarantine.command("release", help=_RELEASE)(release_record)
    app.command()(incidents)
    app.command(help=_DECIDE)(decide)
    app.command(help=_RELEASE_TEXT)(release)


def list_records(
    limit: Annotated[int, typer.Option(help="最多列出几条", min=1, max=10000)] = 200, json_out: Json = False
) -> None:
    """列出隔离中的记录；有记录时退出码 1。"""
    from flows.cli_findings import FINDINGS, FINE
    from tasks.desk.lists import QuarantineList
    from tasks.operators.deciding import list_quarantine

    found = _run(lambda services: list_quarantine(services.ledger, limit=limit))
    say(QuarantineList(found), (_line(each) for each in found), json_out=json_out)
    raise typer.Exit(FINDINGS if found else FINE)


def show_record(said: Said, json_out: Json = False) -> None:
    """一条隔离记录：违反的规则、负责人、期限与原始内容的摘要值（内容本身保持密封）。"""
    from tasks.operators.deciding import show_quarantine

    one = _run(lambda services: show_quarantine(services.ledger, said))
    more = (
        f"来源 {one.source}，版本 {one.version or '—'}，已处理 {one.attempts} 次，内容 SHA-256 {one.sha256}"
    )
    say(one, [_line(one), more, f"隔离编号 {one.id}，自 {moment(one.opened_at)}"], json_out=json_out)


def release_record(said: Said, by: By, code: Code = None, json_out: Json = False) -> None:
    """See _RELEASE."""
    from tasks.operators.deciding import Released, release

    spoken = code_of(code)

    async def step(services: "Services") -> Released:
        name = await signed(services, by=by, code=spoken, act="quarantine_release", subject=said)
        return await release(services.ledger, said, by=name)

    done = _run(step)
    say(done, [f"已放行 {len(done.released)} 条，将在下一轮重新核对（经办 {by}）"], json_out=json_out)


def incidents(json_out: Json = False) -> None:
    """列出未了结的事件单：一件事一张单，不论挡住多少办件；有未了结时退出码 1。"""
    from flows.cli_findings import FINDINGS, FINE
    from tasks.desk.lists import list_incidents

    found = _run(lambda services: list_incidents(services.ledger))
    lines = (
        f"{each.kind_name} {each.key}：{each.message}（挡住 {each.count} 条）；负责 {each.owner}，"
        f"自 {moment(each.since)}，{moment(each.due_at)} 前"
        for each in found.incidents
    )
    say(found, lines, json_out=json_out)
    raise typer.Exit(FINDINGS if found.incidents else FINE)


def decide(
    own_id: OwnId,
    by: By,
    note: Annotated[str, typer.Option("--note", help="裁定理由", min=1, max=200)],
    code: Code = None,
    json_out: Json = False,
) -> None:
    """See _DECIDE."""
    from tasks.operators.deciding import Decided
    from tasks.operators.deciding import decide as write

    spoken = code_of(code)

    async def step(services: "Services") -> Decided:
        name = await signed(services, by=by, code=spoken, act="decide", subject=own_id)
        return await write(services.ledger, own_id, by=name, note_said=note)

    done = _run(step)
    say(done, [f"已裁定：{done.channel} {own_id} 不再发送（{by}：{note}）"], json_out=json_out)


def release(own_id: OwnId, by: By, code: Code = None, json_out: Json = False) -> None:
    """See _RELEASE_TEXT."""
    from tasks.operators.releasing import release_text

    spoken = code_of(code)
    done = _run(lambda services: release_text(services.ledger, services.sealing, own_id, by=by, code=spoken))
    said = f"{done.asked_by} 已申请放行 {own_id}，等另一人确认：请同事执行同一条命令"
    if done.step == "released":
        who = f"{done.asked_by} 申请，{done.confirmed_by} 确认"
        said = f"已放行 {own_id}（{who}），{moment(done.goes_after)} 起发出"
    say(done, [said], json_out=json_out)


def _line(one: "Quarantined") -> str:
    line = f"第 {one.line_no} 行 " if one.line_no else ""
    return (
        f"{str(one.id)[:8]}  {one.kind_name} {one.record_key} {line}{one.message}〔{one.rule}〕；"
        f"负责 {one.owner}，{moment(one.due_at)} 前"
    )


def _run(step: "Callable[[Services], Awaitable[T]]") -> T:
    from tasks.composition import open_services

    async def run() -> T:
        async with open_services() as services:
            return await step(services)

    begin_work(log_level="warning")
    return asyncio.run(run())
