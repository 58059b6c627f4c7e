"""A feed's record as the other systems read it: by our parser, our rules of admission, our list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from adapters.records import parse_case
from adapters.values import PartyQuery
from config.city import CatalogItem
from models.domain.admission import Advance, Standing, Told, advance
from models.domain.bodies import Stage
from models.domain.keys import row_id
from models.domain.lifecycles.case import CaseResult, CaseState
from models.domain.messages import News
from models.domain.party_codes import clean_code
from models.domain.record import CaseRecord
from tasks.admission.handovers import route
from tasks.composition import Services
from tasks.planning import Owed, owed_push
from tasks.reporting import owed_approval

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ToldCase:
    """What one record says of its case: the stage it is at, and whose duty it is."""

    id: UUID
    record: CaseRecord
    step: Advance
    handover: Any
    item: CatalogItem

    @property
    def stage(self) -> Stage:
        """Which push it owes."""
        return Stage.COMPLETION if self.step.standing.result else Stage.ACCEPTANCE

    @property
    def news(self) -> News:
        """What the section's liaison hears."""
        return News(self.item.name, self.stage.value)

    def owed_push(self) -> Owed:
        """The push of its stage."""
        return owed_push(self.record, self.step.standing.result, self.stage, self.item, self.handover)

    def owed_report(self, services: Services) -> Owed:
        """The approval's report to the credit system: every case of the job is ours to report."""
        report = owed_approval(services.sealing, services.city, self.item, self.record, self.step, self.id)
        assert report is not None
        return report.owed

    def query(self) -> PartyQuery:
        """The look-up at the door."""
        party = self.record.party
        return PartyQuery(str(self.id), party.name, party.id_type, clean_code(party.id_number))


def read_told(services: Services, raw: bytes, now: datetime) -> ToldCase:
    """The record in the bytes."""
    city = services.city
    record = parse_case(raw, "")
    event = city.statuses.event(record.status, record.result)
    result = None if event in {None, "accepted"} else CaseResult(str(event))
    standing = Standing(CaseState.ACCEPTED, None, 1) if result else None
    item = city.catalog.items[record.item_code]
    identity = row_id("case", "platform", record.case_no)
    handover = route(city, identity, item, item.duties[0], record.place_of_business.region, now)
    return ToldCase(identity, record, advance(standing, [Told(record, result)]), handover, item)


def by(many: int, what: Sequence[T]) -> Iterable[Sequence[T]]:
    """The sequence in parts of ``many``."""
    return (what[at : at + many] for at in range(0, len(what), many))
