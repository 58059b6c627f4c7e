"""How the product itself runs: its business clock and its mirror in Prefect."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp


class BusinessClock(SQLModel, table=True):
    """Business time = anchor_business + (database time - anchor_machine) x rate; rate 0 stands still."""

    __tablename__ = "business_clock"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_clock"),
        CheckConstraint("rate >= 0", name="never_backwards"),
    )

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    anchor_machine: datetime = Field(sa_type=Timestamp)
    anchor_business: datetime = Field(sa_type=Timestamp)
    rate: Decimal


class Mirror(SQLModel, table=True):
    """What Prefect was last shown of a case. Lost rows are made again from the ledger."""

    __tablename__ = "mirror"
    __table_args__ = (
        # the mirror reads what has moved since it was shown
        Index("ix_mirror_dirty", "dirty_since", postgresql_where=text("dirty_since IS NOT NULL")),
    )

    case_id: UUID = Field(primary_key=True, foreign_key="cases.id")
    flow_run_id: UUID | None = None
    shown: str | None = None
    dirty_since: datetime | None = Field(default=None, sa_type=Timestamp)
