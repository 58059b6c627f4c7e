"""`shenguan status`: how everything stands, on one page."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from flows.cli_output import Json, ago, begin_work, moment, say

if TYPE_CHECKING:
    from tasks.status_told import Completeness, Findings, Status


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command()(status)


def status(json_out: Json = False) -> None:
    """现状：各状态数量、在等什么、被拒与暂挂、隔离、数据源、镜像；有逾期或外发锁定退出码 1，有暂挂为 3。"""
    from flows.cli_findings import FINDINGS, FINE, HELD_REMAIN

    begin_work(log_level="warning")
    told = asyncio.run(_read())
    say(told, lines(told), json_out=json_out)
    raise typer.Exit(
        FINDINGS if told.overdue_total or told.senders_locked else HELD_REMAIN if told.held else FINE
    )


async def _read() -> "Status":
    from tasks.composition import open_services
    from tasks.standing import read_status

    async with open_services() as services:
        return await read_status(services.ledger, services.calendar)


def lines(told: "Status") -> Iterator[str]:
    """The page for people."""
    from models.domain.messages import CHANNELS, SYSTEMS, state_name

    yield from _clock(told)
    if told.senders_locked:
        yield "外发锁定  台账比已外发的内容旧；请运行 shenguan reconcile --after-restore，核对完毕自动开锁"
    yield f"办件      {_counted('case', told.cases)}"
    yield f"联动单    {_counted('handover', told.handovers)}"
    for channel, states in told.effects.items():
        yield f"{CHANNELS.get(channel, channel)}  {_counted('effect', states)}"
    yield from (
        f"在等      {each.name} {each.state} {each.count} 项，最早自 {moment(each.since)}"
        + (f"：{each.reason}" if each.reason else "")
        for each in told.waiting
    )
    if told.stopped:
        yield f"待人工    被拒 {told.refused}，暂挂 {told.held}（列出 {len(told.stopped)} 项）"
    for each in told.stopped:
        late = "【逾期】" if each.overdue else ""
        said = f"；对方答复：{each.answer}" if each.answer else ""
        yield (
            f"  {late}{CHANNELS.get(each.channel, each.channel)}{state_name('effect', each.state)}"
            f" 办件 {each.case_no or '—'} → {each.target or '—'}：{each.reason}{said}；"
            f"负责 {each.owner}，{moment(each.due_at)} 前；编号 {each.own_id}"
        )
    for name, group in (
        ("隔离", told.quarantine),
        ("事件单", told.incidents),
        ("无手机号", told.no_phone),
        ("待分派", told.dispatching),
    ):
        yield from _findings(name, group)
    for feed in told.feeds:
        yield f"数据源    {SYSTEMS.get(feed.source, feed.source)} {feed.name}：{ago(feed.age_s)}前读到最新"
    yield from (_complete(each) for each in told.completeness)
    kept = told.evidence
    last = f"，最近封存 {ago(kept.age_s)}前" if kept.age_s is not None else "，尚未封存过"
    waits = f"，最早已等 {ago(kept.waits_s)}" if kept.unsealed else ""
    yield f"留痕      {kept.sealed} 条已封存，待封存 {kept.unsealed} 条{waits}{last}"
    yield (
        f"镜像      状态落后 {told.mirror_behind} 件，最久 {ago(told.mirror_lag_s)}；"
        f"经过落后 {told.mirror_lines_behind} 件，最久 {ago(told.mirror_lines_lag_s)}"
    )
    if told.provisional_years:
        years = "、".join(str(year) for year in told.provisional_years)
        yield f"注意      {years} 年的节假日安排尚未公布或录入，工作日按周一至周五暂算"
    if told.overdue_total:
        yield f"逾期      共 {told.overdue_total} 项"


def _complete(each: "Completeness") -> str:
    from tasks.reconciliation.reconciled import percent

    by = "（按回执）" if each.system == "sms" else ""
    asked = f"，待人工 {each.unexplained}" if each.unexplained else ""
    return (
        f"对账      {each.name}{by} {each.day}：完整率 {percent(each.rate)}，{each.agreed}/{each.ours}{asked}"
    )


def _clock(told: "Status") -> Iterator[str]:
    clock = told.clock
    if clock.real:
        yield f"业务时钟  {moment(clock.business)}（与机器时间一致）"
    else:
        pace = "停走" if clock.rate == 0 else f"每秒走 {clock.rate:g} 秒"
        yield f"业务时钟  {moment(clock.business)}（演示时钟，{pace}；机器时间 {moment(clock.machine)}）"


def _counted(entity: str, states: dict[str, int]) -> str:
    from models.domain.messages import state_name

    return "，".join(f"{state_name(entity, state)} {count}" for state, count in states.items()) or "无"


def _findings(name: str, group: "tuple[Findings, ...]") -> Iterator[str]:
    if group:
        yield f"{name}    共 {sum(each.count for each in group)} 项"
    for each in group:
        late = "【逾期】" if each.overdue else ""
        yield (
            f"  {late}{each.kind} {each.key}：{each.message}（{each.count}）；"
            f"负责 {each.owner}，{moment(each.due_at)} 前"
        )
