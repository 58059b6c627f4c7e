"""`shenguan case show`: one case understood in seconds; `shenguan rerun`: its due steps, now."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli_output import Json, begin_work, moment, say
from flows.cli_signing import Code, OptionalBy, code_of, signed

if TYPE_CHECKING:
    from tasks.case_told import CaseTold, EffectTold, HandoverTold, TextTold
    from tasks.operators.rerunning import Rerun

_RERUN = """立即执行一个办件到期的全部步骤，被拒与暂挂的推送、报送再试一次；可重复执行，不依赖 Prefect。

加 --failed 时按条件批量进行：先列出将要重试的，加 --go 才真正执行。短信从不在内。
须给出经办人账户与一次性口令（只列出时不用）。"""

Number = Annotated[str, typer.Argument(metavar="办件编号", help="办件编号")]
case = typer.Typer(help="查看一个办件。", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.add_typer(case, name="case")
    case.command()(show)
    app.command(help=_RERUN)(rerun)


def show(number: Number, json_out: Json = False) -> None:
    """一个办件：到了哪一步、归谁办、为何等待、何时到期，以及全部经过。不含当事人信息。"""
    begin_work(log_level="warning")
    told = asyncio.run(_read(number))
    say(told, lines(told), json_out=json_out)


def rerun(
    number: Annotated[str, typer.Argument(metavar="[办件编号]", help="办件编号；用 --failed 时不写")] = "",
    by: OptionalBy = "",
    code: Code = None,
    failed: Annotated[bool, typer.Option("--failed", help="按条件批量")] = False,
    go: Annotated[bool, typer.Option("--go", help="真正执行；不加只列出")] = False,
    channel: Annotated[str, typer.Option(help="渠道：推送、撤回推送、回传审批方、信用报送")] = "全部",
    department: Annotated[str, typer.Option(help="部门全称或代码")] = "",
    stage: Annotated[
        str, typer.Option(help="环节：受理、办结、撤回、监管反馈、信用记录、行政许可、行政处罚")
    ] = "全部",
    reason: Annotated[str, typer.Option(help="原因，写法同列出的“原因”")] = "全部",
    since: Annotated[str, typer.Option(help="起始日期，如 2026-03-01")] = "",
    until: Annotated[str, typer.Option(help="截止日期，含当日")] = "",
    limit: Annotated[int, typer.Option(help="最多件数", min=1, max=10000)] = 500,
    json_out: Json = False,
) -> None:
    """See _RERUN."""
    from flows.cli_bulk import rerun_many
    from flows.cli_findings import FINE, HELD_REMAIN

    if failed is bool(number):
        raise typer.BadParameter("请给出办件编号，或用 --failed 按条件批量", param_hint="办件编号")
    if failed:
        filters = {"channel": channel, "department": department, "stage": stage, "reason": reason}
        filters |= {"since": since, "until": until}
        rerun_many(filters, limit=limit, by=by, code=code, go=go, json_out=json_out)
        return
    if not by:
        raise typer.BadParameter("需要经办人账户", param_hint="--by")
    spoken = code_of(code)
    begin_work()
    done = asyncio.run(_rerun(number, by, spoken))
    said = [f"再试 {done.asked} 项；对方已接收 {done.accepted}，被拒 {done.refused}，未成 {done.other}"]
    said += done.not_asked
    said.append(f"办件现为：{done.state_name}" + (f"，{done.waits}" if done.waits else ""))
    say(done, said, json_out=json_out)
    raise typer.Exit(HELD_REMAIN if done.stopped else FINE)


async def _read(number: str) -> "CaseTold":
    from tasks.case_file import read_case
    from tasks.composition import open_services

    async with open_services() as services:
        return await read_case(services.ledger, services.city, number)


async def _rerun(number: str, by: str, code: str) -> "Rerun":
    from tasks.cases import find_case
    from tasks.composition import open_services
    from tasks.operators.rerunning import rerun_case

    async with open_services() as services:
        await find_case(services.ledger, number)  # a mistyped number uses up no code
        name = await signed(services, by=by, code=code, act="rerun", subject=number)
        return await rerun_case(services, number, actor=name)


def lines(told: "CaseTold") -> Iterator[str]:
    """The file for people: what it is, who has it, what went out, what came back, then the timeline."""
    result = f"（{told.result_name}）" if told.result else ""
    yield f"办件      {told.case_no}  第 {told.data_version} 版"
    yield f"事项      {told.item_name}（{told.item_code}，清单 {told.item_version}）"
    yield f"审批部门  {told.department}    地区 {told.region}    方式 {told.mode_name}"
    yield f"状态      {told.state_name}{result}" + (f"    在等：{told.waits}" if told.waits else "")
    yield f"受理      {moment(told.accepted_at)}    办结 {moment(told.completed_at)}"
    if told.licence is not None:
        one = told.licence
        yield f"许可      {one.number}  {one.state_name}  {one.valid_from or '—'} 至 {one.valid_to or '长期'}"
    if told.credit_check is not None:
        check = told.credit_check
        yield (
            f"信用查询  {check.grade_name}：{check.advice}（依据 {check.basis}；{check.source}"
            f" {moment(check.checked_at)} 查询，编号 {check.number}，相关记录 {check.records} 条）"
        )
    for handover in told.handovers:
        yield from _handover(handover)
    for effect in told.effects:
        yield from _effect(effect)
    for text in told.texts:
        yield _text(text)
    for each in told.feedback:
        marks = ("，异常" if each.abnormal else "") + ("，已撤回" if each.withdrawn else "")
        due = f"，整改至 {each.rectification_due}" if each.rectification_due else ""
        what = f"{each.kind}{'：' + each.result if each.result else ''}{marks}{due}"
        yield f"反馈      {each.happened_on} {each.department} {what}（{each.number}）"
    yield "经过（业务时间）"
    for moment_told in told.timeline:
        why = f"：{moment_told.reason}" if moment_told.reason else ""
        yield (
            f"  {moment(moment_told.at)}  {moment_told.what}  {moment_told.event} → {moment_told.state}"
            f"{why}  〔{moment_told.actor}〕"
        )


def _handover(one: "HandoverTold") -> Iterator[str]:
    where = f"{one.department}·{one.section}" if one.section else one.department
    yield (
        f"联动单    {one.supervision_name}（{one.supervision_item}，{one.role}）→ {where}：{one.state_name}"
        + (f"，{one.reason}" if one.reason else "")
    )
    if one.waits:
        yield f"          归 {one.owner}；{one.waits}" + (f"；{moment(one.due)} 前" if one.due else "")
    if one.claimed_at:
        yield f"          认领 {moment(one.claimed_at)}；" + (
            f"已阅 {moment(one.read_at)}" if one.read_at else "尚未阅"
        )


def _effect(one: "EffectTold") -> Iterator[str]:
    reason = f"（{one.reason}）" if one.reason else ""
    what = f"{one.channel_name}  {one.stage} → {one.target} 第 {one.content_version} 版"
    yield (
        f"{what}：{one.state_name}{reason}，"
        + (f"回执 {one.receipt} {moment(one.receipt_at)}" if one.receipt else f"已试 {one.attempts} 次")
    )
    if one.last_answer:
        yield f"          对方最后答复：{one.last_answer}"
    if one.next_try:
        yield f"          下次尝试 {moment(one.next_try)}（机器时间）"
    if one.decided_by:
        yield f"          已由 {one.decided_by} 裁定"
    elif one.owner:
        yield f"          归 {one.owner}，{moment(one.due_at)} 前；编号 {one.own_id}"


def _text(one: "TextTold") -> str:
    to = f"{one.department}·{one.section}" + (f" 联络员 {one.liaison}" if one.liaison else "")
    more = f"（汇总 {one.news_in_text} 条）" if (one.news_in_text or 0) > 1 else ""
    ref = f"，编号 {one.reference}" if one.reference else ""
    owed = f"；归 {one.owner}，{moment(one.due_at)} 前" if one.owner else ""
    return f"短信      {one.stage} → {to}：{one.state}{more} {moment(one.at)}{ref}{owed}"
