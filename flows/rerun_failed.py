"""Many refused or held effects at once: a dry run first, then by name and one-time code."""

from typing import Annotated

from prefect import State, flow
from prefect.states import Completed, Failed
from pydantic import Field

from models.domain.errors import ShenguanError
from tasks.composition import current, open_services
from tasks.engine.rerun import show_found, signed_rerun
from tasks.operators.bulk_rerun import look
from tasks.operators.form_fields import asked
from tasks.operators.rerun_form import ALL, LIMIT, ChannelChoice, Day, ReasonChoice, StageChoice, wanted


@flow(name="批量重试", flow_run_name="批量重试", persist_result=False)
async def rerun_failed(
    channel: ChannelChoice = asked("渠道", ALL, under="推送、回传等；短信从不在内"),
    department: Annotated[str, Field(max_length=60)] = asked("部门", "", under="部门全称或代码；留空为全部"),
    stage: StageChoice = asked("环节", ALL),
    reason: ReasonChoice = asked("原因", ALL, under="被拒或暂挂的原因"),
    since: Day = asked("起始日期", "", under="如 2026-03-01；留空为不限"),
    until: Day = asked("截止日期", "", under="含当日；留空为不限"),
    limit: Annotated[int, Field(ge=1, le=LIMIT)] = asked("最多件数", 500, under="最早的先办"),
    dry_run: bool = asked("仅试算", default=True, under="打开时只列出将要重试的，不做任何事"),
    operator: Annotated[str, Field(max_length=40)] = asked("经办人账户", "", under="真正执行时必填"),
    code: Annotated[str, Field(max_length=12)] = asked(
        "一次性口令", "", under="真正执行时必填：验证器上此刻的 6 位数字"
    ),
) -> State[None]:
    """List what a filter chooses, or ask for it again in batches, under the operator's name."""
    try:
        form = wanted(
            channel=channel,
            department=department,
            stage=stage,
            reason=reason,
            since=since,
            until=until,
            limit=limit,
        )
        async with open_services():
            if dry_run:
                done = await look(current(), form)
                await show_found(done.found)
                return Completed(
                    name="试算完成",
                    message=f"将重试 {done.found.would_go} 项（共符合 {done.found.total} 项）",
                )
            done = await signed_rerun(current(), form, name=operator, code=code)
    except ShenguanError as finding:
        return Failed(name="未执行", message=str(finding))
    said = f"已重试 {done.asked} 项：对方已接收 {done.accepted}，再次被拒 {done.refused}"
    return Completed(name="已重试", message=f"{said}，暂挂 {done.held}，待发 {done.waiting}（{done.by}）")
