"""Cases, handovers, licences, and what happened to them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, text
from sqlmodel import Field, SQLModel

from models.domain.lifecycles.case import CaseResult, CaseState
from models.domain.lifecycles.handover import HandoverState
from models.domain.lifecycles.licence import LicenceState
from models.ledger.tables.columns import Timestamp, both_or_neither, one_of

MODES = ("silent", "trial", "live", "stock")


class Case(SQLModel, table=True):
    """A case (办件). Its record stays sealed in the inbox row ``inbox_id`` names."""

    __tablename__ = "cases"
    __table_args__ = (
        one_of("state", CaseState),
        one_of("result", CaseResult),
        one_of("mode", MODES),
        both_or_neither("result", "completed_at"),
        CheckConstraint("(settled_at IS NOT NULL) = (state = 'settled')", name="settled_at_when_settled"),
        CheckConstraint(
            "state NOT IN ('completed', 'settled') OR result IS NOT NULL", name="completed_has_result"
        ),
        # the number first: feedback names its case by it, and not the source
        Index("uq_cases_number", "case_no", "source", unique=True),
        # the settling step looks only at cases whose observation is over
        Index("ix_cases_to_settle", "observe_until", postgresql_where=text("state = 'completed'")),
        # the credit check at the door finds who was not looked up yet
        Index("ix_cases_to_check", "first_seen_at", postgresql_where=text("needs_credit_check")),
        Index("ix_cases_party", "party_index"),
        Index("ix_cases_licence", "licence_id", postgresql_where=text("licence_id IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    source: str
    case_no: str = Field(max_length=64)
    data_version: int
    inbox_id: UUID
    state: str
    reason: str | None = None
    result: str | None = None
    item_code: str
    item_version: str
    item_name: str
    mode: str
    region: str
    place_region: str
    approval_department: str
    accepted_at: datetime = Field(sa_type=Timestamp)
    completed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    observe_until: date | None = None
    party_index: bytes
    licence_id: UUID | None = None
    parent_case_no: str | None = None
    needs_credit_check: bool
    row_version: int
    first_seen_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    updated_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    settled_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Licence(SQLModel, table=True):
    """A licence (许可): party and number; it outlives its case."""

    __tablename__ = "licences"
    __table_args__ = (
        one_of("state", LicenceState),
        Index("ix_licences_number", "number"),
        Index("ix_licences_party", "party_index", "item_code"),
    )

    id: UUID = Field(primary_key=True)
    party_index: bytes
    number: str
    state: str
    reason: str | None = None
    item_code: str
    case_id: UUID
    valid_from: date | None = None
    valid_to: date | None = None
    row_version: int


class Handover(SQLModel, table=True):
    """A handover (联动单): one case, one supervision item, one department, which may not be found yet."""

    __tablename__ = "handovers"
    __table_args__ = (
        one_of("state", HandoverState),
        both_or_neither("claimed_at", "claimed_by"),
        # nothing is ever without an owner: no department means the dispatching queue has it
        CheckConstraint("department_code IS NOT NULL OR owner IS NOT NULL", name="never_without_owner"),
        CheckConstraint("state <> 'observing' OR observe_until IS NOT NULL", name="observing_ends"),
        Index("uq_handovers_duty", "case_id", "supervision_item", "section_key", unique=True),
        Index("ix_handovers_pushed", "pushed_at", postgresql_where=text("state = 'pushed'")),
        Index("ix_handovers_claimed", "claimed_at", postgresql_where=text("state = 'claimed'")),
        Index("ix_handovers_observing", "observe_until", postgresql_where=text("state = 'observing'")),
        # recalls that are not planned yet
        Index(
            "ix_handovers_recall_due",
            "id",
            postgresql_where=text("state = 'recalled' AND reason = 'recall_due'"),
        ),
        Index("ix_handovers_dispatching", "case_id", postgresql_where=text("department_code IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="cases.id")
    supervision_item: str
    section_key: str
    role: str
    department_code: str | None = None
    section_id: str | None = None
    state: str
    reason: str | None = None
    owner: str | None = None
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    pushed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    claimed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    claimed_by: str | None = None
    read_at: datetime | None = Field(default=None, sa_type=Timestamp)
    observe_until: date | None = None
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    row_version: int


class History(SQLModel, table=True):
    """One transition that happened. Only added to, never changed. Lies by month: see ``months``."""

    __tablename__ = "history"
    __table_args__ = (
        # by the case alone: equal entries of an index are kept once, and a case has a dozen lines
        Index("ix_history_case", "case_id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    entity: str
    entity_id: str
    case_id: UUID | None = None
    from_state: str | None = None
    event: str
    to_state: str
    reason: str | None = None
    actor: str
    at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("clock_timestamp()")})
    business_at: datetime = Field(sa_type=Timestamp)
