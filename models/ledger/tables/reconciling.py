"""How far our account and the receivers' agree, and what others owe the credit system."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, one_of


class ReconciledDay(SQLModel, table=True):
    """One business day of one system, kind, department and stage: our account beside theirs.

    ``agreed`` of ``ours`` are proven there with our content. Department and stage are empty where the
    system counts without them. Texts have no look-up: theirs are the receipts that came.
    """

    __tablename__ = "reconciled_days"

    system: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    department: str = Field(primary_key=True)
    stage: str = Field(primary_key=True)
    ours: int
    theirs: int
    agreed: int
    adopted: int
    sent_again: int
    unexplained: int
    checked_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})


class ExpectedArrival(SQLModel, table=True):
    """A record that somebody else reports to the credit system; we look whether it came."""

    __tablename__ = "expected_arrivals"
    __table_args__ = (
        one_of("kind", ("XK", "CF")),
        one_of("reporter", ("platform", "department")),
        one_of("state", ("waiting", "arrived", "missing", "withdrawn")),
        # what is still to be looked for
        Index("ix_expected_arrivals_due", "due_on", postgresql_where=text("state IN ('missing', 'waiting')")),
    )

    id: UUID = Field(primary_key=True)
    kind: str
    document_number: str
    reporter: str
    department: str
    case_id: UUID
    due_on: date
    state: str
    arrived_at: datetime | None = Field(default=None, sa_type=Timestamp)
    checked_at: datetime | None = Field(default=None, sa_type=Timestamp)
