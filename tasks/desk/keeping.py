"""Keep the desk's pages in Prefect fresh: by the dispatcher, and by a flow for when that is silent."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from adapters.prefect_api.artifacts import show_pages
from adapters.prefect_api.wire import PrefectWire
from models.ledger.connection import LedgerUnavailable
from tasks.alerting import Alerter
from tasks.composition import Services
from tasks.desk.facts import read_desk
from tasks.desk.pages import pages
from tasks.mirror.showing import AWAY

log = structlog.get_logger(__name__)

REST_S = 30.0


async def show_desk(services: Services) -> dict[str, str]:
    """Draw every page from the ledger; page key → its id in Prefect, none where there is no Prefect.

    Raises:
        LedgerUnavailable, NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo: the pages stay as they were.
    """
    settings = services.settings
    if settings.prefect_api_url is None:
        return {}
    desk = await read_desk(services.ledger, services.calendar)
    auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
    wire = PrefectWire(settings.prefect_api_url, auth=auth)
    try:
        return await show_pages(wire, pages(desk))
    finally:
        await wire.aclose()


async def keep_desk(
    services: Services,
    stop: asyncio.Event,
    *,
    ours: Callable[[], bool] = lambda: True,
    rest_s: float = REST_S,
) -> None:
    """Alert and draw again and again until told to stop, while it is ours; what is away is asked again.

    Never ends by an error: nothing of the work waits for it.
    """
    alerter = Alerter(services)
    while not stop.is_set():
        if ours():
            # each by itself: an alert that cannot be told leaves the pages fresh
            await _tried(alerter.speak())
            await _tried(show_desk(services))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), rest_s)


async def _tried(work: Awaitable[object]) -> None:
    try:
        await work
    except (LedgerUnavailable, *AWAY) as away:
        log.info("desk.away", error=type(away).__name__)
    except Exception as surprise:  # noqa: BLE001 - a picture that fails stops no work
        log.error("desk.failed", error=type(surprise).__name__)  # noqa: TRY400
