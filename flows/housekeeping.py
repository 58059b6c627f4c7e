"""Prefect's own house: what hangs is ended, what nobody will read goes."""

from prefect import State, flow
from prefect.states import Completed

from tasks.composition import current, open_services
from tasks.housekeeping import keep_house
from tasks.months_watch import watch_months


@flow(name="运行维护", flow_run_name="运行维护", persist_result=False)
async def housekeeping() -> State[None]:
    """Close runs that hang, cancel what never began, delete old timed runs; see that months are made."""
    async with open_services():
        services = current()
        by_month = await watch_months(services.ledger, services.calendar)
        kept = await keep_house(services.settings)
    said = f"关闭无进程的运行 {kept.closed} 条，取消未开始的 {kept.cancelled} 条"
    said += f"，清理旧的定时运行 {kept.deleted} 条"
    if kept.rules_off:
        said += f"。告警须看：{'；'.join(kept.rules_off)}；有意停用的可不管，其余运行 shenguan alerts"
    if not by_month:
        said += "；台账分区没有按月建好"
    return Completed(name="已维护", message=said)
