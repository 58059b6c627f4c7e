"""How a bulk rerun looks in Prefect: a table of what would go, a bar of how far it is, a line a case."""

from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.logging import get_run_logger

from tasks.composition import Services
from tasks.engine.asked import asked_at
from tasks.operators.accounts import prove
from tasks.operators.bulk_rerun import LISTED, BulkRerun, Found, Progress, rerun_failed
from tasks.operators.rerun_form import Wanted, WrongForm

LINES = 200
_PREVIEW, _PROGRESS, _RESULT = "rerun-failed-preview", "rerun-failed-progress", "rerun-failed-result"


async def show_found(found: Found) -> None:
    """The table, and a log line for each of the first."""
    log = get_run_logger()
    log.info("试算：%s", found.filter)
    await acreate_markdown_artifact(_summary(found, "将要重试"), key=_RESULT, description="批量重试 · 试算")
    rows = [
        {
            "办件": each.case_no or "—",
            "动作": each.what,
            "对方": each.target,
            "现状": each.state,
            "原因": each.reason,
            "对方答复": each.answer,
            "编号": each.own_id,
        }
        for each in found.listed
    ]
    more = f"，此表列最早的 {LISTED} 项" if found.total > LISTED else ""
    if rows:
        await acreate_table_artifact(rows, key=_PREVIEW, description=f"将重试 {found.would_go} 项{more}")
    for each in found.listed[:LINES]:
        case = f"办件 {each.case_no}" if each.case_no else f"编号 {each.own_id}"
        log.info("%s  %s → %s：%s，%s", case, each.what, each.target, each.state, each.reason)
    if found.would_go > LINES:
        log.info("另有 %d 项未逐行列出", found.would_go - LINES)
    if found.left:
        log.warning(found.left)
    log.info("共符合 %d 项，将重试 %d 项；尚未做任何事", found.total, found.would_go)


async def signed_rerun(services: Services, wanted: Wanted, *, name: str, code: str) -> BulkRerun:
    """The rerun itself, once the name is proven, with a bar that follows it.

    Raises:
        NotProven: the name without its proof; nothing was done.
    """
    if not name.strip() or not code.strip():
        raise WrongForm("经办人与口令", "真正执行须填写；只想看看请勾选“仅试算”")
    by = await prove(
        services.ledger,
        services.sealing,
        name=name,
        code=code,
        act="rerun_failed",
        subject=wanted.said,
        asked_at=asked_at(),
    )
    log = get_run_logger()
    log.info("批量重试（经办 %s）：%s", by, wanted.said)
    bar = await acreate_progress_artifact(0.0, key=_PROGRESS, description="批量重试进度")

    async def report(progress: Progress) -> None:
        became = progress.became
        said = f"已请求 {progress.asked}/{progress.would_go}"
        said += f"；接收 {became['accepted']}，被拒 {became['refused']}"
        await aupdate_progress_artifact(bar, progress.share, description=said)
        log.info("%s，暂挂 %d，待发 %d", said, became["held"], became["waiting"])

    done = await rerun_failed(services, wanted, actor=by, report=report)
    await aupdate_progress_artifact(bar, 100.0)
    for why, count in done.why_waiting:
        log.warning("待发 %d 项：%s", count, why)
    await acreate_markdown_artifact(
        f"{_outcome(done)}\n\n{_summary(done.found, '已重试')}", key=_RESULT, description=f"批量重试 · {by}"
    )
    return done


def _outcome(done: BulkRerun) -> str:
    lines = [
        f"# 批量重试 · 经办 {done.by}",
        "",
        "| 已请求 | 对方已接收 | 再次被拒 | 暂挂 | 待发 |",
        "|--:|--:|--:|--:|--:|",
        f"| {done.asked} | {done.accepted} | {done.refused} | {done.held} | {done.waiting} |",
    ]
    lines += [f"- 待发 {count} 项：{why}" for why, count in done.why_waiting]
    return "\n".join(lines)


def _summary(found: Found, verb: str) -> str:
    lines = [
        f"## {verb} {found.would_go} 项（共符合 {found.total} 项）",
        "",
        f"条件：{found.filter}",
        "",
        "| 动作 | 对方 | 现状 | 原因 | 件数 |",
        "|--|--|--|--|--:|",
    ]
    lines += [
        f"| {each.what} | {each.target} | {each.state} | {each.reason} | {each.count} |"
        for each in found.groups[:50]
    ]
    if found.left:
        lines += ["", found.left]
    return "\n".join(lines)
