"""The credit system over its signed HTTP wire (``adapters/contracts/credit.v1.yaml``)."""

from collections import Counter
from collections.abc import Sequence

from adapters.credit.port import BATCH_LIMIT
from adapters.credit.wire import RESULTS, ArrivalWire, PartyWire, ReportWire, read_row
from adapters.exchange import Exchange, stated
from adapters.receipts import counted, look_up
from adapters.values import (
    Arrival,
    ArrivalQuery,
    CountRow,
    Page,
    PartyCredit,
    PartyQuery,
    ReportAnswer,
    Stored,
)
from models.domain.canonical import canonical
from models.domain.errors import AlreadyDone, OutcomeUnknown
from models.domain.keys import batch_id


class CreditClient:
    """``adapters.credit.port.Credit`` over an exchange whose target is the credit system."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def query_parties(
        self, parties: Sequence[PartyQuery], *, purpose: str, legal_basis: str
    ) -> tuple[PartyCredit, ...]:
        """See the port."""
        refs = _each_once([party.ref for party in parties])
        asked = [
            {"ref": p.ref, "name": p.name, "id_type": p.id_type, "id_number": p.id_number} for p in parties
        ]
        body = canonical({"purpose": purpose, "legal_basis": legal_basis, "parties": asked})
        answer = await self._exchange.asked("/v1/parties/query", body=body)
        rows = [
            read_row(row, PartyWire)
            for row in self._exchange.understood(answer, RESULTS, by_row=True).results
        ]
        told = Counter(row.ref for row in rows if row is not None)
        found = {row.ref: row.credit() for row in rows if row is not None and told[row.ref] == 1}
        return tuple(found[ref] for ref in refs if ref in found)

    async def report(self, reports: Sequence[tuple[str, bytes]]) -> tuple[ReportAnswer, ...]:
        """See the port."""
        own_ids = _each_once([own_id for own_id, _ in reports])
        ours = {own_id: stated(body, own_id) for own_id, body in reports}
        body = b'{"reports":[' + b",".join(body for _, body in reports) + b"]}"
        try:
            answer = await self._exchange.effect("/v1/reports", batch_id(own_ids), body)
        except AlreadyDone:
            # A conflict of the whole batch names no report: each has to be asked after.
            raise OutcomeUnknown(self._exchange.target, "conflict of the batch") from None
        rows = [
            read_row(row, ReportWire) for row in self._exchange.proven(answer, RESULTS, by_row=True).results
        ]
        told: dict[str, list[ReportWire]] = {}
        for row in rows:
            if row is not None:
                told.setdefault(row.own_id, []).append(row)
        return tuple(_the_one(told.get(own_id, []), own_id, ours[own_id]) for own_id in own_ids)

    async def find(self, own_id: str) -> Stored | None:
        """See the port."""
        return await look_up(self._exchange, "/v1/reports", own_id)

    async def changed_records(self, cursor: str | None, *, limit: int = 200) -> Page:
        """See the port."""
        return await self._exchange.page("/v1/records/changes", cursor, limit=limit)

    async def counts(self, day: str) -> tuple[CountRow, ...]:
        """See the port."""
        return await counted(self._exchange, day)

    async def effects(self, day: str, cursor: str | None, *, kind: str = "", limit: int = 500) -> Page:
        """See the port."""
        query = {"day": day} | ({"kind": kind} if kind else {})
        return await self._exchange.page("/v1/reports", cursor, limit=limit, query=query)

    async def arrivals(self, asked: Sequence[ArrivalQuery]) -> tuple[Arrival, ...]:
        """See the port."""
        refs = _each_once([one.ref for one in asked])
        documents = [
            {"ref": one.ref, "kind": one.kind, "document_number": one.document_number} for one in asked
        ]
        answer = await self._exchange.asked("/v1/arrivals/query", body=canonical({"documents": documents}))
        rows = [
            read_row(row, ArrivalWire)
            for row in self._exchange.understood(answer, RESULTS, by_row=True).results
        ]
        told = Counter(row.ref for row in rows if row is not None)
        found = {row.ref: row.arrival() for row in rows if row is not None and told[row.ref] == 1}
        return tuple(found[ref] for ref in refs if ref in found)


def _the_one(rows: list[ReportWire], own_id: str, ours: str) -> ReportAnswer:
    if len(rows) != 1:
        reason = "no readable answer" if not rows else "more than one answer"
        return ReportAnswer(own_id, "unknown", reason=reason)
    return rows[0].answer(ours)


def _each_once(names: list[str]) -> list[str]:
    if not 0 < len(names) <= BATCH_LIMIT or len(set(names)) != len(names):
        raise ValueError(f"a call takes 1 to {BATCH_LIMIT} things, each once")
    return names
