"""Tell people who do not look: by Prefect's automations, and without Prefect when that is down.

Each matter is told once: what was told is in the ledger, and is written after it was told, so that a
crash may tell twice and never keeps silent.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

import structlog

from adapters.alert_hook import call_hook
from adapters.prefect_api.events import emit
from adapters.prefect_api.wire import PrefectWire
from models.domain.errors import NotDone, OutcomeUnknown, Unreadable
from models.domain.reasons import reason_name
from models.domain.workdays import business_day, start_of_day
from models.ledger.queries import alerts, clock, standing
from models.ledger.queries.alerts import Told
from tasks.composition import Services
from tasks.showing import AWAY

log = structlog.get_logger(__name__)

PREFECT_AWAY_S = 120.0
"""How long Prefect may be away before the webhook is called without it."""
_AT_ONCE = 20
_OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class _Matter:
    event: str
    said: str
    told: Told


class Alerter:
    """One process's voice. ``speak`` is called every half minute or so, and never raises for what is away."""

    def __init__(self, services: Services, *, away_s: float = PREFECT_AWAY_S) -> None:
        settings = services.settings
        self._ledger = services.ledger
        self._url = settings.prefect_api_url
        self._auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
        self._hook = settings.alert_webhook_url.get_secret_value() if settings.alert_webhook_url else None
        self._away_s = away_s
        self._limit = settings.alert_overdue_limit
        self._away_since: float | None = None
        self._away_told = False

    async def speak(self) -> int:
        """Say that we live, and what is new; how many matters were told.

        Raises:
            LedgerUnavailable: nobody knows what is new.
        """
        matters = await self._matters()
        if self._url is not None and await self._by_prefect(matters):
            self._away_since, self._away_told = None, False
            return await self._note(matters)
        return await self._by_ourselves(matters)

    async def _matters(self) -> list[_Matter]:
        async with self._ledger.reading() as conn:
            found = [_incident(row) for row in await alerts.untold_incidents(conn, _AT_ONCE)]
            now = await clock.business_now(conn)
            overdue = sum((await standing.overdue(conn, now)).values())
            day = start_of_day(business_day(now))
            if overdue > self._limit and not await alerts.is_told(conn, _OVERDUE, day):
                said = f"{overdue} 项已逾期（超过设定的 {self._limit} 项），请见看板“事件与逾期”"
                found.append(_Matter("shenguan.overdue", said, Told(_OVERDUE, "", day)))
        return found

    async def _by_prefect(self, matters: list[_Matter]) -> bool:
        """Whether Prefect has heard all of it."""
        assert self._url is not None
        wire = PrefectWire(self._url, auth=self._auth)
        try:
            await emit(wire, "shenguan.dispatcher.beat")
            for matter in matters:
                identity = uuid5(NAMESPACE_URL, f"{matter.told.kind}|{matter.told.key}|{matter.told.since}")
                await emit(wire, matter.event, payload={"said": matter.said}, event_id=identity)
        except AWAY:
            return False
        finally:
            await wire.aclose()
        return True

    async def _by_ourselves(self, matters: list[_Matter]) -> int:
        now = time.monotonic()
        self._away_since = now if self._away_since is None else self._away_since
        if self._url is not None and now - self._away_since < self._away_s:
            return 0  # it may be back at once, and would tell by itself
        if self._hook is None:
            return 0
        if self._url is not None and not self._away_told:
            said = "Prefect 服务无法访问，界面打不开；推送、短信与信用报送照常由分发器办理。"
            self._away_told = await self._call(said)
        told = [matter for matter in matters if await self._call(matter.said)]
        return await self._note(told)

    async def _call(self, said: str) -> bool:
        assert self._hook is not None
        try:
            status = await call_hook(self._hook, f"【审管联动】{said}")
        except (NotDone, OutcomeUnknown, Unreadable) as away:
            log.warning("alert.lost", error=type(away).__name__)
            return False
        if status >= 400:  # noqa: PLR2004 - HTTP's own bound
            log.warning("alert.refused", status=status)
        return status < 400  # noqa: PLR2004

    async def _note(self, matters: list[_Matter]) -> int:
        if matters:
            async with self._ledger.writing() as conn:
                await alerts.note(conn, [matter.told for matter in matters])
            log.info("alerts.told", matters=len(matters))
        return len(matters)


def _incident(row: dict[str, object]) -> _Matter:
    since = row["since"]
    assert isinstance(since, datetime)
    kind, key = str(row["kind"]), str(row["key"])
    said = f"{reason_name(kind)} {key}：{row['message']}（{row['count']} 条），负责 {row['owner']}"
    return _Matter("shenguan.incident.opened", said, Told(f"incident:{kind}", key, since))
