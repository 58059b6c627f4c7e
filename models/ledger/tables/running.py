"""How the product itself runs: its business clock and its mirror in Prefect."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, both_or_neither


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


class CallSlot(SQLModel, table=True):
    """When the next call to a limited target may leave, whoever makes it."""

    __tablename__ = "call_slots"

    target: str = Field(primary_key=True)
    next_at: datetime = Field(sa_type=Timestamp)


class Mirror(SQLModel, table=True):
    """What Prefect was last shown of a case. Lost rows are made again from the ledger.

    Lines of the timeline up to ``told_id`` stand on the run's log page; those up to ``telling_id`` are
    being written until ``telling_until``, and are looked for there when nobody said that they are.
    """

    __tablename__ = "mirror"
    __table_args__ = (
        both_or_neither("telling_id", "telling_until"),
        # the mirror reads what has moved since it was shown
        Index("ix_mirror_dirty", "dirty_since", postgresql_where=text("dirty_since IS NOT NULL")),
        # and whose timeline has lines that are not on its page yet
        Index("ix_mirror_told_due", "told_due", postgresql_where=text("told_due IS NOT NULL")),
    )

    case_id: UUID = Field(primary_key=True, foreign_key="cases.id")
    flow_run_id: UUID | None = None
    shown: str | None = None
    dirty_since: datetime | None = Field(default=None, sa_type=Timestamp)
    message: str | None = None
    shown_at: datetime | None = Field(default=None, sa_type=Timestamp)
    told_id: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    telling_id: int | None = Field(default=None, sa_type=BigInteger)
    telling_until: datetime | None = Field(default=None, sa_type=Timestamp)
    told_due: datetime | None = Field(default=None, sa_type=Timestamp)


class MirrorTurn(SQLModel, table=True):
    """The one process that shows now, and what showing has cost: runs, lines, calls of Prefect's API."""

    __tablename__ = "mirror_turn"
    __table_args__ = (CheckConstraint("id = 1", name="one_turn"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    holder: str
    until: datetime = Field(sa_type=Timestamp)
    created: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    moved: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    lines: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    calls: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class MirrorIncident(SQLModel, table=True):
    """The run that shows an open matter; one that opens again gets another."""

    __tablename__ = "mirror_incidents"

    key: str = Field(primary_key=True)
    flow_run_id: UUID | None = None
    shown: str | None = None
    message: str | None = None
    opened_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
