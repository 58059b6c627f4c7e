"""A held text goes once more, by two people: the same flow asks and confirms."""

from typing import Annotated

from prefect import State, flow
from prefect.states import Completed, Failed
from pydantic import Field

from models.domain.errors import ShenguanError
from tasks.composition import current, open_services
from tasks.engine.asked import asked_at
from tasks.operators.form_fields import asked
from tasks.operators.releasing import release_text


@flow(name="放行暂挂短信", flow_run_name="放行短信 {own_id}", persist_result=False)
async def release_held(
    own_id: Annotated[str, Field(max_length=32)] = asked(
        "动作编号", under="暂挂短信的编号，见看板“暂挂与被拒”"
    ),
    operator: Annotated[str, Field(max_length=40)] = asked("经办人账户", under="须与申请人不是同一人"),
    code: Annotated[str, Field(max_length=12)] = asked(
        "一次性口令", under="验证器上此刻的 6 位数字，只能用一次"
    ),
) -> State[None]:
    """Ask for the release of a held text, or confirm what another asked for."""
    try:
        async with open_services():
            services = current()
            done = await release_text(
                services.ledger, services.sealing, own_id, by=operator, code=code, asked_at=asked_at()
            )
    except ShenguanError as finding:
        return Failed(name="未放行", message=str(finding))
    if done.step == "asked":
        return Completed(name="已申请", message=f"{done.asked_by} 已申请放行，等另一人用自己的账户再执行一次")
    return Completed(name="已放行", message=f"{done.asked_by} 申请，{done.confirmed_by} 确认；按时段发出")
