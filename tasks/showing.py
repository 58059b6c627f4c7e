"""Keep Prefect's picture of the cases in step, beside the work and never on its path."""

import asyncio
import time
from contextlib import suppress
from uuid import UUID

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.values import PrefectSaidNo
from models.domain.errors import NotDone, OutcomeUnknown, Unreadable
from models.ledger.connection import LedgerUnavailable
from models.ledger.queries.mirror import STATE_NAMES
from tasks.composition import Services
from tasks.mirror import Mirrored, mirror_cases, restore_strayed

CASE_DEPLOYMENT = "case-lifecycle"
_AWAY = (NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo)
_BATCH = 500
_LOOK_S = 10.0
"""Seconds between two looks for runs that show something else than the ledger."""


class Mirroring:
    """One process's hold on the mirror: where Prefect is, and the deployment every case is a run of."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._ledger = services.ledger
        self._url = settings.prefect_api_url
        self._auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
        self._deployment: UUID | None = None

    async def show(self) -> Mirrored | None:
        """One pass over the cases that have moved; None where no Prefect or no deployment is there."""
        if self._url is None:
            return None
        async with PrefectApi(self._url, auth=self._auth) as prefect:
            with suppress(*_AWAY):
                if self._deployment is None:
                    self._deployment = await prefect.deployment_id(CASE_DEPLOYMENT)
                if self._deployment is not None:
                    return await mirror_cases(
                        self._ledger, prefect, deployment_id=self._deployment, limit=_BATCH
                    )
        return None

    async def restore(self) -> int:
        """Mark the cases whose run shows what we did not say (a Cancel, a Retry that ended)."""
        if self._url is None or self._deployment is None:
            return 0
        async with PrefectApi(self._url, auth=self._auth) as prefect:
            with suppress(*_AWAY):
                return await restore_strayed(
                    self._ledger, prefect, deployment_id=self._deployment, names=STATE_NAMES
                )
        return 0

    async def keep_showing(self, stop: asyncio.Event, *, rest_s: float = 1.0) -> None:
        """Pass after pass until told to stop; a Prefect or ledger that is away is asked again."""
        looked = 0.0
        while not stop.is_set():
            shown = None
            with suppress(LedgerUnavailable):
                if time.monotonic() - looked > _LOOK_S:
                    looked = time.monotonic()
                    await self.restore()
                shown = await self.show()
            if shown is not None and shown.behind and shown.reachable:
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), rest_s)
