"""Tell people who do not look: by Prefect's automations, and without Prefect when that is down.

Each matter is told once. It counts as told only with proof that the webhook took it: the answer to our own
call, or the action that Prefect notes beside our event. Without that it is told again, each time after twice
as long, and after a few times by ourselves. A crash may tell twice and never keeps silent.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog

from adapters.alert_hook import call_hook
from adapters.prefect_api.events import emit, taken
from adapters.prefect_api.wire import PrefectWire
from models.domain.errors import NotDone, OutcomeUnknown, Unreadable
from models.domain.reasons import reason_name
from models.domain.workdays import business_day, start_of_day
from models.ledger.queries import alerts, clock, standing
from models.ledger.queries.alerts import Patience, Told
from tasks.composition import Services
from tasks.mirror.showing import AWAY

log = structlog.get_logger(__name__)

PREFECT_AWAY_S = 120.0
"""How long Prefect may be away before the webhook is called without it."""
OURSELVES_AFTER = 3
"""How often Prefect is asked in vain before we call the webhook beside it."""
FIRST_S, MOST_S = 60.0, 3600.0
"""How soon a matter is told again without proof: twice as long each time, at most this."""
_AT_ONCE = 20
_LOOKED_AT = 50
_PROOF_DAYS = 2
_LAST_TRIES = 3
_OVERDUE = "overdue"
_FOR_EVER = 1_000_000


@dataclass(frozen=True, slots=True)
class _Matter:
    event: str
    said: str
    told: Told
    tries: int


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
        """Say that we live, and what is new; how many matters are now known to have been told.

        Raises:
            LedgerUnavailable: nobody knows what is new.
        """
        proven = await self._proven()
        matters = await self._matters()
        if self._url is not None and await self._by_prefect(matters):
            self._away_since, self._away_told = None, False
            lost = [matter for matter in matters if matter.tries >= OURSELVES_AFTER]
            return proven + await self._by_hook(lost)
        return proven + await self._without_prefect(matters)

    async def _matters(self) -> list[_Matter]:
        # Without an address nobody is told: once in the feed is enough, until there is one.
        patience = Patience(FIRST_S, MOST_S, _FOR_EVER if self._hook else 1)
        async with self._ledger.reading() as conn:
            found = [_incident(row) for row in await alerts.untold_incidents(conn, _AT_ONCE, patience)]
            now = await clock.business_now(conn)
            overdue = sum((await standing.overdue(conn, now)).values())
            told = Told(_OVERDUE, "", start_of_day(business_day(now)))
            tries = await alerts.untold(conn, told, patience) if overdue > self._limit else None
            if tries is not None:
                said = f"{overdue} 项已逾期（超过设定的 {self._limit} 项），请见看板“事件与逾期”"
                found.append(_Matter("shenguan.overdue", said, told, tries))
        return found

    async def _proven(self) -> int:
        """Note what Prefect has told since; how many. Nothing where it is away."""
        if self._url is None or self._hook is None:
            return 0
        async with self._ledger.reading() as conn:
            rows = await alerts.unproven(conn, days=_PROOF_DAYS, limit=_LOOKED_AT)
        asked = {
            event_of(told, number): told
            for row in rows
            for told in [Told(row["kind"], row["key"], row["since"])]
            for number in range(max(0, row["tries"] - _LAST_TRIES), row["tries"])
        }
        if not asked:
            return 0
        wire = PrefectWire(self._url, auth=self._auth)
        try:
            since = datetime.now(UTC) - timedelta(days=_PROOF_DAYS)
            done = await taken(wire, asked, since=since)
        except AWAY:
            return 0
        finally:
            await wire.aclose()
        return await self._note({asked[event] for event in done})

    async def _by_prefect(self, matters: list[_Matter]) -> bool:
        """Whether Prefect has heard all of it. That is no proof that people were told."""
        assert self._url is not None
        wire = PrefectWire(self._url, auth=self._auth)
        try:
            await emit(wire, "shenguan.dispatcher.beat")
            for matter in matters:
                identity = event_of(matter.told, matter.tries)
                await emit(wire, matter.event, payload={"said": matter.said}, event_id=identity)
        except AWAY:
            return False
        finally:
            await wire.aclose()
        await self._note_asked(matters)
        return True

    async def _without_prefect(self, matters: list[_Matter]) -> int:
        now = time.monotonic()
        self._away_since = now if self._away_since is None else self._away_since
        if self._url is not None and now - self._away_since < self._away_s:
            return 0  # it may be back at once, and would tell by itself
        if self._hook is None:
            return 0
        if self._url is not None and not self._away_told:
            said = "Prefect 服务无法访问，界面打不开；推送、短信与信用报送照常由分发器办理。"
            self._away_told = await self._call(said)
        await self._note_asked(matters)
        return await self._by_hook(matters)

    async def _by_hook(self, matters: list[_Matter]) -> int:
        return await self._note({matter.told for matter in matters if await self._call(matter.said)})

    async def _call(self, said: str) -> bool:
        if self._hook is None:
            return False
        try:
            why = await call_hook(self._hook, f"【审管联动】{said}")
        except (NotDone, OutcomeUnknown, Unreadable) as away:
            log.warning("alert.lost", error=type(away).__name__)
            return False
        if why:
            log.warning("alert.refused", why=why)
        return why is None

    async def _note_asked(self, matters: list[_Matter]) -> None:
        if matters:
            async with self._ledger.writing() as conn:
                await alerts.note_asked(conn, [matter.told for matter in matters])

    async def _note(self, told: set[Told]) -> int:
        if told:
            async with self._ledger.writing() as conn:
                await alerts.note(conn, list(told))
            log.info("alerts.told", matters=len(told))
        return len(told)


def event_of(told: Told, tries: int) -> UUID:
    """The id of the event that tells this after so many times in vain: Prefect takes each id once."""
    return uuid5(NAMESPACE_URL, f"{told.kind}|{told.key}|{told.since.astimezone(UTC).isoformat()}|{tries}")


def _incident(row: dict[str, Any]) -> _Matter:
    kind, key = row["kind"], row["key"]
    said = f"{reason_name(kind)} {key}：{row['message']}（{row['count']} 条），负责 {row['owner']}"
    told = Told(f"incident:{kind}", key, row["since"])
    return _Matter("shenguan.incident.opened", said, told, row["tries"])
