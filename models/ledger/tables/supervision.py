"""What supervision sent back."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp


class Feedback(SQLModel, table=True):
    """A supervision result (反馈), matched to a case, a licence or a party; its record stays in the inbox."""

    __tablename__ = "feedback"
    __table_args__ = (
        Index("uq_feedback_number", "source", "feedback_no", unique=True),
        Index("ix_feedback_case", "case_id", postgresql_where=text("case_id IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    source: str
    feedback_no: str = Field(max_length=64)
    version: int
    inbox_id: UUID
    department_code: str
    supervision_item: str | None = None
    case_id: UUID | None = None
    licence_id: UUID | None = None
    matched_by: str
    kind: str
    result: str | None = None
    abnormal: bool
    withdrawn: bool
    happened_on: date
    rectification_due: date | None = None
    received_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})


class FeedbackHandover(SQLModel, table=True):
    """One inspection may answer many handovers."""

    __tablename__ = "feedback_handovers"
    __table_args__ = (Index("ix_feedback_handovers_handover", "handover_id"),)

    feedback_id: UUID = Field(primary_key=True, foreign_key="feedback.id")
    handover_id: UUID = Field(primary_key=True, foreign_key="handovers.id")
