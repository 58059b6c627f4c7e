"""Keep Prefect's picture of the cases in step, beside the work and never on its path."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.values import PrefectSaidNo
from models.domain.errors import NotDone, OutcomeUnknown, Unreadable
from models.ledger.connection import LedgerSaidNo, LedgerUnavailable
from models.ledger.queries import showing
from models.ledger.queries.showing import Effort
from tasks.composition import Services
from tasks.mirror.audit import Auditor
from tasks.mirror.lines import tell_timelines
from tasks.mirror.matters import INCIDENT_DEPLOYMENT, show_matters
from tasks.mirror.runs import Mirrored, mirror_cases, never

log = structlog.get_logger(__name__)

CASE_DEPLOYMENT = "case-lifecycle"
AWAY = (NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo)
"""What Prefect's API may raise: the picture waits then, and nothing else does."""

_BATCH = 500
_LINES_FOR = 100
_LINES_S = 2.0
"""Seconds a pass writes timelines before it looks at states again."""
_MATTERS_S = 3.0
_MATTERS_SHARE = 10.0
"""At least so many seconds between two looks at open matters, and so many times as long as one takes."""
_TABLES_S = 30.0
"""Seconds between two writings of a matter's table, of which Prefect keeps every one."""
_TURN_S = 20.0
_LEDGER_BEHIND = 200
"""So many records or effects that wait for their turn: then the work goes first."""
_SHARE = 9.0
"""While the work goes first, a pass rests so many times as long as it took."""
_HURRIED_BATCH = 40
"""Cases of such a pass."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between passes at rest, and between two looks for what somebody has changed over there."""

    rest_s: float = 1.0
    look_s: float = 10.0


class Mirroring:
    """One process's hold on the mirror: where Prefect is, and the deployment every case is a run of."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._ledger = services.ledger
        self._ui = settings.ui_url
        self._worker = services.worker
        self._url = settings.prefect_api_url
        self._auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
        self._regions = {code: each.name for code, each in services.city.regions.items()}
        self._auditor = Auditor(services.ledger, self._regions)
        self._held: PrefectApi | None = None
        self._matters_due = self._tables_due = 0.0

    async def show(self) -> Mirrored | None:
        """One pass over the cases that have moved; None where no Prefect or no deployment is there.

        While another process has the turn nothing is done, and what waits is said. Where nothing waits,
        Prefect is not asked.
        """
        if self._url is None:
            return None
        async with self._ledger.writing() as conn:
            ours = await showing.take_turn(conn, self._worker, seconds=_TURN_S)
            lag = await showing.lag(conn)
            work = await showing.work_waiting(conn, _LEDGER_BEHIND)
        if not ours or (not lag.cases and not lag.lines_cases and time.monotonic() < self._matters_due):
            return Mirrored.waiting(lag)
        async with self._prefect() as found:
            if found is None:
                return None
            prefect, deployment = found
            before, hurried = prefect.calls.total(), work >= _LEDGER_BEHIND
            done = await mirror_cases(
                self._ledger,
                prefect,
                deployment_id=deployment,
                regions=self._regions,
                limit=_HURRIED_BATCH if hurried else _BATCH,
                hurried=hurried,
                gives_way=never if hurried else self._work_goes_first,
            )
            await self._show_matters(prefect)
            lines = 0 if hurried or done.behind >= _BATCH else await self._tell(prefect)
            await self._count(Effort(done.created, done.moved, lines, prefect.calls.total() - before))
            return replace(done, lines=lines, hurried=hurried)

    async def restore(self) -> int:
        """Look for runs that show what we did not say, or are gone; how many cases are drawn again."""
        async with self._prefect() as found:
            if found is None:
                return 0
            prefect, deployment = found
            async with self._ledger.writing() as conn:
                if not await showing.take_turn(conn, self._worker, seconds=_TURN_S):
                    return 0
            before = prefect.calls.total()
            with suppress(*AWAY):
                strayed = await self._auditor.look(prefect, deployment)
                await self._count(Effort(calls=prefect.calls.total() - before))
                if strayed:
                    log.warning("mirror.strayed", cases=strayed)
                return strayed
        return 0

    async def keep_showing(self, stop: asyncio.Event, *, rhythm: Rhythm = Rhythm()) -> None:
        """Pass after pass until told to stop; a Prefect or ledger that is away is asked again."""
        async with AsyncExitStack() as opened:
            if self._url is not None:
                self._held = await opened.enter_async_context(PrefectApi(self._url, auth=self._auth))
            try:
                await self._keep_showing(stop, rhythm)
            finally:
                self._held = None
        with suppress(LedgerUnavailable, LedgerSaidNo):
            async with self._ledger.writing() as conn:
                await showing.give_turn_back(conn, self._worker)

    async def _keep_showing(self, stop: asyncio.Event, rhythm: Rhythm) -> None:
        looked = 0.0
        while not stop.is_set():
            shown, begun = None, time.monotonic()
            with suppress(LedgerUnavailable, LedgerSaidNo):
                if begun - looked > rhythm.look_s:
                    looked = begun
                    await self.restore()
                    begun = time.monotonic()
                shown = await self.show()
            rest = rhythm.rest_s
            if shown is not None and shown.hurried:
                # A Prefect that times out makes a pass long: nobody gains by waiting nine times that.
                rest = max(rest, min(_TURN_S, _SHARE * (time.monotonic() - begun)))
            elif shown is not None and shown.reachable and (shown.created or shown.moved) and shown.behind:
                rest = 0.0
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(rest, 0.001))

    @asynccontextmanager
    async def _prefect(self) -> AsyncIterator[tuple[PrefectApi, UUID] | None]:
        """Prefect and the deployment's id, asked each time: a database made anew has other ids."""
        if self._url is None:
            yield None
            return
        async with AsyncExitStack() as opened:
            prefect = self._held
            if prefect is None:
                prefect = await opened.enter_async_context(PrefectApi(self._url, auth=self._auth))
            deployment: UUID | None = None
            with suppress(*AWAY):
                deployment = await prefect.deployment_id(CASE_DEPLOYMENT)
            yield (prefect, deployment) if deployment is not None else None

    async def _work_goes_first(self) -> bool:
        async with self._ledger.reading() as conn:
            return await showing.work_waiting(conn, _LEDGER_BEHIND) >= _LEDGER_BEHIND

    async def _tell(self, prefect: PrefectApi) -> int:
        begun, lines = time.monotonic(), 0
        with suppress(*AWAY):
            while time.monotonic() - begun < _LINES_S and not await self._work_goes_first():
                told = await tell_timelines(self._ledger, prefect, limit=_LINES_FOR, ui=self._ui)
                lines += told.lines
                if told.cases < _LINES_FOR:
                    break
        return lines

    async def _show_matters(self, prefect: PrefectApi) -> None:
        begun = time.monotonic()
        if begun < self._matters_due:
            return
        with suppress(*AWAY):
            deployment = await prefect.deployment_id(INCIDENT_DEPLOYMENT)
            if deployment is not None:
                tables = begun >= self._tables_due
                await show_matters(self._ledger, prefect, deployment_id=deployment, tables=tables)
                if tables:
                    self._tables_due = begun + _TABLES_S
        ended = time.monotonic()
        self._matters_due = ended + max(_MATTERS_S, _MATTERS_SHARE * (ended - begun))

    async def _count(self, effort: Effort) -> None:
        async with self._ledger.writing() as conn:
            await showing.add_effort(conn, effort)
