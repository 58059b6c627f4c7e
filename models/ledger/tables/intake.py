"""What came in, as it came; what could not be admitted; how far each feed was read."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, one_of

OUTCOMES = ("waiting", "admitted", "stale", "parked", "not_applicable", "quarantined", "superseded")
KINDS = ("case", "feedback", "credit_record", "sms_receipt", "answer")


class Inbox(SQLModel, table=True):
    """One inward record: whose it is, and what became of it.

    The id is derived from source, kind, key and hash, so the same bytes arrive once.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        one_of("outcome", OUTCOMES),
        one_of("kind", KINDS),
        # the admission step reads what waits, oldest first
        Index("ix_inbox_waiting", "kind", "position", postgresql_where=text("outcome = 'waiting'")),
        # one incident parks many records; releasing it finds them
        Index("ix_inbox_parked", "reason", postgresql_where=text("outcome = 'parked'")),
        Index("ix_inbox_key", "kind", "record_key"),
    )

    id: UUID = Field(primary_key=True)
    position: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    source: str
    kind: str
    record_key: str
    record_version: int | None = None
    sha256: str = Field(max_length=64)
    line_no: int | None = None
    business_date: date | None = None
    received_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    outcome: str = Field(default="waiting", sa_column_kwargs={"server_default": "waiting"})
    reason: str | None = None
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class InboxRaw(SQLModel, table=True):
    """The record's bytes as they came, sealed. Apart from what becomes of it, which changes."""

    __tablename__ = "inbox_raw"

    inbox_id: UUID = Field(primary_key=True)
    raw_sealed: bytes
    leaf: int = Field(sa_type=BigInteger)


class Quarantine(SQLModel, table=True):
    """A record in front of a person: which rule it breaks, in Chinese, who has it and until when."""

    __tablename__ = "quarantine"
    __table_args__ = (
        # a record waits in front of one person once
        Index("uq_quarantine_open", "inbox_id", unique=True, postgresql_where=text("released_at IS NULL")),
        Index("ix_quarantine_due", "due_at", postgresql_where=text("released_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    inbox_id: UUID = Field(foreign_key="inbox.id")
    kind: str
    record_key: str
    line_no: int | None = None
    rule: str
    message: str
    owner: str
    due_at: datetime = Field(sa_type=Timestamp)
    opened_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    released_at: datetime | None = Field(default=None, sa_type=Timestamp)
    released_by: str | None = None


class Incident(SQLModel, table=True):
    """One thing to mend behind many records: an unknown item code, a dead target."""

    __tablename__ = "incidents"
    __table_args__ = (
        # one open incident per thing, however many records stand behind it
        Index("uq_incidents_open", "kind", "key", unique=True, postgresql_where=text("closed_at IS NULL")),
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    kind: str
    key: str
    count: int
    message: str
    owner: str
    since: datetime = Field(sa_type=Timestamp)
    due_at: datetime = Field(sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class RefusedSecret(SQLModel, table=True):
    """A secret case was refused before storage; the keyed hash only lets it count once."""

    __tablename__ = "refused_secret"

    case_index: bytes = Field(primary_key=True)
    refused_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})


class Watermark(SQLModel, table=True):
    """How far a feed was read, and older places to read again from, since pages shift.

    Every reading begins at ``previous_cursor``; now and then one begins at ``trailing_cursor``, where
    the feed ended two of these longer readings ago: ``trailing_next`` is where it ended at the last one.
    """

    __tablename__ = "watermarks"

    source: str = Field(primary_key=True)
    feed: str = Field(primary_key=True)
    cursor: str | None = None
    previous_cursor: str | None = None
    trailing_cursor: str | None = None
    trailing_at: datetime | None = Field(default=None, sa_type=Timestamp)
    moved_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    repeats: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    trailing_next: str | None = None
