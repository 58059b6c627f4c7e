"""Prefect told what to watch for, where the settings say it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import config
from adapters.prefect_api import automations
from adapters.prefect_api.automations import Applied
from adapters.prefect_api.events import last_actions
from adapters.prefect_api.wire import PrefectWire
from config.settings import Settings
from models.domain.errors import ShenguanError

RULES = Path(config.__file__).parent / "automations.toml"
"""What Prefect watches for."""
_LOOKED_BACK = timedelta(days=1)
_OFF = {
    "missing": "不在 Prefect 中",
    "disabled": "已被停用",
    "changed": "已被改动",
    "another_address": "发往的地址不是设定的告警地址",
}


class NoPrefect(ShenguanError):  # noqa: N818 - named as the finding it is
    """The settings name no Prefect server."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "没有设定 PREFECT_API_URL：这里没有 Prefect，告警由分发器直接发出"


async def apply_rules(settings: Settings, path: Path) -> Applied:
    """The automations on the server are those of the file afterwards.

    Raises:
        NoPrefect: nothing was done.
        NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo: a part may be done; repeat it.
    """
    if settings.prefect_api_url is None:
        raise NoPrefect
    auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
    hook = settings.alert_webhook_url.get_secret_value() if settings.alert_webhook_url else None
    wire = PrefectWire(settings.prefect_api_url, auth=auth)
    try:
        return await automations.apply(wire, path, webhook=hook)
    finally:
        await wire.aclose()


async def rules_off(wire: PrefectWire, settings: Settings, path: Path = RULES) -> list[str]:
    """What is off with the rules, a Chinese sentence each: missing, disabled, changed, its last message lost.

    Without an address there is no message to lose. Raises as the wire does.
    """
    hook = settings.alert_webhook_url.get_secret_value() if settings.alert_webhook_url else None
    seen = await automations.watching(wire, path, webhook=hook)
    found = [f"规则“{each.name}”{_OFF[each.why]}" for each in seen.off]
    if hook is None:
        return found
    acted = await last_actions(wire, seen.automations.values(), since=datetime.now(UTC) - _LOOKED_BACK)
    names = {identity: name for name, identity in seen.automations.items()}
    for identity, action in acted.items():
        if not action.took:
            found.append(f"规则“{names[identity]}”最近一次通知没有送达（{action.why}）")
    return found
