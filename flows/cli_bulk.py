"""`shenguan rerun --failed`: many at once, looked at first."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from flows.cli_output import begin_work, busy, say
from flows.cli_signing import code_of, signed

if TYPE_CHECKING:
    from tasks.operators.bulk_rerun import BulkRerun
    from tasks.operators.rerun_form import Wanted

_SHOWN = 50


def rerun_many(
    filters: Mapping[str, Any], *, limit: int, by: str, code: str | None, go: bool, json_out: bool
) -> None:
    """List what the filters choose; with ``go`` ask for it again, under a proven name."""
    from flows.cli_findings import FINE, HELD_REMAIN
    from tasks.operators.rerun_form import wanted

    form = wanted(limit=limit, **filters)
    if go and not by:
        raise typer.BadParameter("真正执行需要经办人账户", param_hint="--by")
    spoken = code_of(code) if go else ""
    begin_work(log_level="warning")
    with busy("正在重试…" if go else "正在查找…"):
        done = asyncio.run(_run(form, by=by, code=spoken, go=go))
    say(done, lines(done), json_out=json_out)
    raise typer.Exit(HELD_REMAIN if done.refused or done.held else FINE)


async def _run(form: "Wanted", *, by: str, code: str, go: bool) -> "BulkRerun":
    from tasks.composition import open_services
    from tasks.operators.bulk_rerun import look, rerun_failed

    async with open_services() as services:
        if not go:
            return await look(services, form)
        name = await signed(services, by=by, code=code, act="rerun_failed", subject=form.said)
        return await rerun_failed(services, form, actor=name)


def lines(done: "BulkRerun") -> Iterator[str]:
    """The groups, then the single effects or what became of them."""
    found = done.found
    yield f"条件  {found.filter}"
    for group in found.groups:
        yield f"  {group.count:>6}  {group.what} → {group.target}：{group.state}，{group.reason}"
    if found.left:
        yield found.left
    if done.dry_run:
        for each in found.listed[:_SHOWN]:
            answer = f"；{each.answer}" if each.answer else ""
            yield f"  {each.case_no or each.own_id}  {each.what} → {each.target}：{each.reason}{answer}"
        if found.would_go > _SHOWN:
            yield f"  …另有 {found.would_go - _SHOWN} 项"
        yield f"共符合 {found.total} 项，将重试 {found.would_go} 项；尚未执行，加 --go 执行"
        return
    yield (
        f"已重试 {done.asked} 项（经办 {done.by}）：对方已接收 {done.accepted}，再次被拒 {done.refused}，"
        f"暂挂 {done.held}，待发 {done.waiting}"
    )
    for why, count in done.why_waiting:
        yield f"  待发 {count} 项：{why}"
