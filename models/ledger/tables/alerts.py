"""What people were alerted to: each matter once."""

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp


class Alert(SQLModel, table=True):
    """One matter that was told: an incident by its kind and key, what is overdue by its day."""

    __tablename__ = "alerts"

    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    since: datetime = Field(primary_key=True, sa_type=Timestamp)
    told_at: datetime = Field(
        sa_type=Timestamp, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )
