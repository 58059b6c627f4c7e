"""Lists for the desk: what `shenguan quarantine list` and `shenguan incidents` print."""

from dataclasses import dataclass
from datetime import datetime

from models.domain.reasons import reason_name
from models.ledger.connection import Ledger
from models.ledger.queries import quarantine
from tasks.operators.deciding import Quarantined


@dataclass(frozen=True, slots=True)
class QuarantineList:
    """The records in front of a person, the most pressing first."""

    records: tuple[Quarantined, ...]


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """One matter to mend; ``count`` is how many records it stops."""

    kind: str
    kind_name: str
    key: str
    count: int
    message: str
    owner: str
    since: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class IncidentList:
    """The open incidents, the oldest first."""

    incidents: tuple[OpenIncident, ...]


async def list_incidents(ledger: Ledger) -> IncidentList:
    """The open incidents."""
    async with ledger.reading() as conn:
        rows = await quarantine.incident_list(conn)
    return IncidentList(tuple(OpenIncident(kind_name=reason_name(row["kind"]), **row) for row in rows))
