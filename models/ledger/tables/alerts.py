"""What people were alerted to: each matter once."""

from datetime import datetime

from sqlalchemy import CheckConstraint, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp


class Alert(SQLModel, table=True):
    """One matter that was told: an incident by its kind and key, what is overdue by its day.

    The webhook took it: that is proven, or it is not here.
    """

    __tablename__ = "alerts"

    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    since: datetime = Field(primary_key=True, sa_type=Timestamp)
    told_at: datetime = Field(
        sa_type=Timestamp, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )


class AlertAsk(SQLModel, table=True):
    """A matter somebody was asked to tell: how often, and when last."""

    __tablename__ = "alert_asks"
    __table_args__ = (CheckConstraint("tries > 0", name="tries_counted"),)

    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    since: datetime = Field(primary_key=True, sa_type=Timestamp)
    tries: int
    asked_at: datetime = Field(
        sa_type=Timestamp, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )
