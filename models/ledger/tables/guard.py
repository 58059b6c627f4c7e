"""What tells a ledger that was restored from one that was not: its mark, the journals, the lock."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, both_or_neither, one_of


class SenderGuard(SQLModel, table=True):
    """One row: which installation this ledger is, and a mark that each intent transaction moves on."""

    __tablename__ = "sender_guard"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    installation: UUID
    mark: int = Field(sa_type=BigInteger)


class SenderJournal(SQLModel, table=True):
    """A host's journal. ``merged_lock`` is the last lock for which what it knows was taken over."""

    __tablename__ = "sender_journals"

    journal: UUID = Field(primary_key=True)
    host: str
    joined_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    merged_lock: UUID | None = None
    lost: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class SenderLock(SQLModel, table=True):
    """Why nothing leaves, from when until who opened it."""

    __tablename__ = "sender_locks"
    __table_args__ = (
        one_of("cause", ("ledger_older", "journal_missing", "asked")),
        both_or_neither("opened_at", "opened_by"),
        # one lock stands at a time
        Index(
            "uq_sender_locks_open",
            text("(opened_at IS NULL)"),
            unique=True,
            postgresql_where=text("opened_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    cause: str
    host: str
    journal_mark: int = Field(sa_type=BigInteger)
    ledger_mark: int = Field(sa_type=BigInteger)
    since: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    opened_at: datetime | None = Field(default=None, sa_type=Timestamp)
    opened_by: str | None = None


class ToldBefore(SQLModel, table=True):
    """News that left in a text the ledger lost in a restore: no other text carries it again."""

    __tablename__ = "told_before"

    push_own_id: str = Field(primary_key=True, max_length=32)
    sms_own_id: str = Field(max_length=32)
    liaison: str | None = None
