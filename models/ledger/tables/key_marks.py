"""The keys this ledger knows, each by a mark that says nothing of the key."""

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, one_of


class KeyMark(SQLModel, table=True):
    """One key that has opened this ledger. A key file with another of its number is not this ledger's."""

    __tablename__ = "key_marks"
    __table_args__ = (one_of("purpose", ("seal", "index")),)

    purpose: str = Field(primary_key=True)
    key_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    mark: bytes
    known_since: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
