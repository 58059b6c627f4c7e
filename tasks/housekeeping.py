"""Keep Prefect's house: end what hangs, and let go of what nobody will read.

The server's own vacuum deletes events after a week and ended runs after 90 days, with what hangs on them.
It knows nothing of runs that never end, and it keeps each minute's sweep for as long as a case.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from adapters.prefect_api import housekeeping as runs
from adapters.prefect_api.wire import PrefectWire
from config.settings import Settings
from tasks.mirror.runs import MIRROR_TAG
from tasks.watching_rules import NoPrefect, rules_off

log = structlog.get_logger(__name__)

HANGS_AFTER = timedelta(hours=1)
"""None of our flows is silent for so long; a worker that is killed leaves its run in Running for ever."""
LATE_AFTER = timedelta(days=1)
TIMED_KEPT = timedelta(days=7)
OFTEN = ("sweep", "desk", "housekeeping", "dispatch")
"""What runs every minute or so: a year of it is half a million rows, and nobody reads last week's."""
_MOST = 5000


@dataclass(frozen=True, slots=True)
class Kept:
    """What one round did."""

    closed: int
    cancelled: int
    deleted: int
    rules_off: tuple[str, ...] = ()


async def keep_house(settings: Settings, *, now: datetime | None = None) -> Kept:
    """Close runs that hang, cancel those that never began, delete timed runs that are a week old.

    Rules of alerts that are off are named, not mended: somebody may have meant it.
    Safe to repeat. A closed picture of a case is drawn again by the mirror.

    Raises:
        NoPrefect: the settings name no server.
        NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo: a part may be done.
    """
    if settings.prefect_api_url is None:
        raise NoPrefect
    now = now or datetime.now(UTC)
    auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
    wire = PrefectWire(settings.prefect_api_url, auth=auth)
    try:
        hang = await runs.hanging(wire, before=now - HANGS_AFTER, drawn=MIRROR_TAG)
        said = "超过一小时没有任何进展，执行它的进程已不在；由运行维护关闭，可放心再次运行"
        closed = await runs.end(
            wire,
            [each.flow_run_id for each in hang],
            still=runs.AT_WORK,
            kind="CRASHED",
            name="Crashed",
            message=said,
        )
        late = await runs.never_started(wire, before=now - LATE_AFTER)
        cancelled = await runs.end(
            wire,
            [each.flow_run_id for each in late],
            still=runs.NOT_BEGUN,
            kind="CANCELLED",
            name="Cancelled",
            message="过了一天仍未开始，由运行维护取消",
        )
        timed = await runs.deployments_named(wire, OFTEN)
        deleted = await runs.delete_ended(wire, timed.values(), before=now - TIMED_KEPT, most=_MOST)
        off = tuple(await rules_off(wire, settings))
    finally:
        await wire.aclose()
    log.info("house.kept", closed=closed, cancelled=cancelled, deleted=deleted, rules_off=len(off))
    return Kept(closed, cancelled, deleted, off)
