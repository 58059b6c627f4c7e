"""The calls of the job as a peer makes them, one at a time, and the feed that tells it what to do."""

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.credit.port import BATCH_LIMIT
from benchmarks.job import ACCEPTED, COMPLETED, Job
from benchmarks.systems.clock import Clock
from benchmarks.systems.told import ToldCase, by, read_told
from models.domain.bodies import Stage
from models.domain.keys import own_id
from models.domain.lifecycles.effect import Channel
from models.domain.messages import News, text_for
from models.domain.workdays import business_day
from tasks.composition import Services

TEXTS_IN_FLIGHT = 4


class Errands:
    """Our clients, as many calls in flight as in our own loop; nothing is recorded by it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._gate = asyncio.Semaphore(services.settings.calls_in_flight)
        self._texts = asyncio.Semaphore(TEXTS_IN_FLIGHT)
        self.now: datetime = ACCEPTED

    def read(self, raw: str) -> ToldCase:
        """The record in the text."""
        return read_told(self._services, raw.encode(), self.now)

    async def look_up(self, told: ToldCase) -> str:
        """The party's grade at the credit system."""
        settings = self._services.settings
        async with self._gate:
            found = await self._services.credit.query_parties(
                [told.query()], purpose="acceptance", legal_basis=settings.credit_legal_basis
            )
        return str(found[0].grade)

    async def push(self, told: ToldCase) -> str | None:
        """The receipt's number of the push of the record's stage."""
        owed = told.owed_push()
        identity = own_id(owed.channel, owed.business_key, 1)
        async with self._gate:
            receipt = await self._services.platform.push(identity, owed.compose(identity, 1))
        return receipt.number

    async def report(self, raws: Sequence[str]) -> list[str | None]:
        """The receipts' numbers of up to a hundred reports."""
        reports = []
        for raw in raws:
            owed = self.read(raw).owed_report(self._services)
            identity = own_id(owed.channel, owed.business_key, 1)
            reports.append((identity, owed.compose(identity, 1)))
        async with self._gate:
            answers = await self._services.credit.report(reports)
        assert all(answer.receipt for answer in answers)
        return [answer.receipt.number for answer in answers if answer.receipt]

    async def text(self, phone: str, news: Sequence[Sequence[str]]) -> str:
        """The gateway's number of the text that folds this news (item's name, stage)."""
        day = business_day(self.now).isoformat()
        identity = own_id(
            Channel.SMS, f"{self._services.sealing.index('phone', phone).hex()[:24]}|{day}|1", 1
        )
        templates = self._services.city.templates
        text = text_for(
            [News(item, stage) for item, stage in news],
            section="监管科室",
            reference=identity[2:10],
            one=templates["one"],
            digest=templates["digest"],
        )
        async with self._texts:
            receipt = await self._services.sms.send(phone, text)
        return receipt.msg_group


class Peer(ABC):
    """What a system must be able to do; the driver below feeds it. Each ``begin`` may return early."""

    @abstractmethod
    async def begin_cases(self, raws: Sequence[str], stage: Stage) -> None:
        """Each of these records' case moves to the stage: looked up if accepted, and pushed."""

    @abstractmethod
    async def begin_reports(self, batches: Sequence[Sequence[str]]) -> None:
        """Each batch of granted cases is reported, one call a batch."""

    @abstractmethod
    async def begin_texts(self, texts: Sequence[tuple[str, list[list[str]]]]) -> None:
        """Each phone gets one text."""

    @abstractmethod
    async def finished(self) -> None:
        """Return when all that was begun is done and recorded."""


async def drive(services: Services, job: Job, clock: Clock, errands: Errands, peer: Peer) -> None:
    """The job: the feed is read page by page, as ours is; both stages, each to its end."""
    phones = {f"{one['department']}/{one['section']}": one["phone"] for one in job.liaisons}
    cursor: str | None = None
    for now, stage in ((ACCEPTED, Stage.ACCEPTANCE), (COMPLETED, Stage.COMPLETION)):
        clock.set(now)
        errands.now = now
        news: Mapping[str, list[list[str]]] = defaultdict(list)
        more = True
        while more:
            page = await services.platform.changed_cases(cursor, limit=services.settings.page_size)
            cursor, more = page.next_cursor, page.has_more
            raws = [item.raw.decode() for item in page.items]
            for raw in raws:
                told = errands.read(raw)
                news[phones[told.handover.section_id]].append([told.item.name, stage.value])
            await peer.begin_cases(raws, stage)
            if stage is Stage.COMPLETION:
                await peer.begin_reports(list(by(BATCH_LIMIT, raws)))
        await peer.finished()
        await peer.begin_texts(list(news.items()))
        await peer.finished()
