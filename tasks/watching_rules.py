"""Prefect told what to watch for, where the settings say it is."""

from pathlib import Path

from adapters.prefect_api import automations
from adapters.prefect_api.automations import Applied
from adapters.prefect_api.wire import PrefectWire
from config.settings import Settings
from models.domain.errors import ShenguanError


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
