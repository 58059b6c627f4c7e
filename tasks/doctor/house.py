"""The doctor's look at Prefect's house: runs that hang, runs that never began, alerts that reach nobody."""

from datetime import UTC, datetime

from adapters.prefect_api import housekeeping as runs
from adapters.prefect_api.automations import ours
from adapters.prefect_api.wire import PrefectWire
from config.settings import Settings
from tasks.doctor.diagnosis import Finding, attention, fine
from tasks.housekeeping import HANGS_AFTER, LATE_AFTER
from tasks.mirror.runs import MIRROR_TAG
from tasks.watching_rules import rules_off

_NAMED = 3


async def look_at_house(settings: Settings) -> list[Finding]:
    """What is off in Prefect's house, each with what to do; raises as the wire does."""
    assert settings.prefect_api_url is not None
    now = datetime.now(UTC)
    auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
    wire = PrefectWire(settings.prefect_api_url, auth=auth, connections=1)
    try:
        hang = await runs.hanging(wire, before=now - HANGS_AFTER, drawn=MIRROR_TAG)
        late = await runs.never_started(wire, before=now - LATE_AFTER)
        watched = await ours(wire)
        off = await rules_off(wire, settings)
    finally:
        await wire.aclose()
    found: list[Finding] = []
    if hang:
        named = "、".join(each.name for each in hang[:_NAMED])
        said = f"{len(hang)} 条运行超过一小时没有进展，执行它的进程多半已不在（{named}）"
        found.append(attention("运行", said, "在界面运行 housekeeping 将其关闭；并查看 worker 的日志"))
    if late:
        said = f"{len(late)} 条运行过了一天仍未开始"
        found.append(attention("运行", said, "查看 worker 是否在运行；housekeeping 会取消它们"))
    if not watched:
        found.append(attention("告警", "Prefect 中没有告警规则", "运行 shenguan alerts"))
    elif off:
        todo = "有意停用的可不管；其余运行 shenguan alerts 恢复，再核对告警地址"
        found.append(attention("告警", "；".join(off), todo))
    elif settings.alert_webhook_url is None:
        said = f"{len(watched)} 条规则已在，但没有设定告警地址，不会通知任何人"
        found.append(attention("告警", said, "设定 SHENGUAN_ALERT_WEBHOOK_URL，再运行 shenguan alerts"))
    else:
        found.append(fine("告警", f"{len(watched)} 条规则，有告警地址"))
    return found or [fine("运行", "没有悬而不决的运行")]
