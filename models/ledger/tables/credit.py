"""Credit at the door, reports to the credit system, and its records coming back."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, one_of

GRADES = ("good", "ordinary", "bad")


class CreditCheck(SQLModel, table=True):
    """A look-up at acceptance (信用查询): evidence for case-file review. It advises, it never decides."""

    __tablename__ = "credit_checks"
    __table_args__ = (one_of("grade", GRADES), one_of("source", ("platform", "us")))

    case_id: UUID = Field(primary_key=True, foreign_key="cases.id")
    source: str
    number: str
    checked_at: datetime = Field(sa_type=Timestamp)
    grade: str
    advice: str
    basis: str
    records: int
    body_sealed: bytes
    # the leaf of our look-up; 0 of the platform's own, which came inside a record that has one
    leaf: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})


class CreditReport(SQLModel, table=True):
    """What a credit report (信用报送) is about; its state is its effect's."""

    __tablename__ = "credit_reports"
    __table_args__ = (one_of("kind", ("XK", "CF")), Index("ix_credit_reports_case", "case_id"))

    own_id: str = Field(primary_key=True, foreign_key="effects.own_id")
    kind: str
    case_id: UUID | None = None
    feedback_id: UUID | None = None
    document_number: str


class CreditRecord(SQLModel, table=True):
    """A record the credit system returned (信用记录): entry, removal or repair."""

    __tablename__ = "credit_records"
    __table_args__ = (
        one_of("operation", ("entry", "removal", "repair")),
        Index("ix_credit_records_party", "party_index", postgresql_where=text("active")),
    )

    record_no: str = Field(primary_key=True, max_length=64)
    version: int
    operation: str
    inbox_id: UUID
    party_index: bytes
    category: str
    valid_from: date | None = None
    valid_to: date | None = None
    active: bool
