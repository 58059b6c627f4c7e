"""Who works at the desk, and every time a name was given with a one-time code."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, one_of

ACTS = (
    "rerun", "rerun_failed", "release_ask", "release_confirm", "decide", "quarantine_release",
    "evidence_forget", "operator_add", "operator_disable", "evidence_open",
    "journal_lost", "journal_begin", "operator_unlock", "evidence_resume",
)  # fmt: skip
"""What a name is asked for, or what was done with one."""

OUTCOMES = ("proved", "wrong_code", "used_code", "locked", "done", "expired", "unknown_name")
"""``proved``: the code was right. ``done``: written by who holds the host, without a code. ``locked``: it
came too soon after a wrong one and was not looked at. ``expired``: it was right once, and is too old."""

DOORS = ("host", "prefect")
"""Where a name was given: at a command on the host, or in a form of Prefect's, whose login is shared."""


class Operator(SQLModel, table=True):
    """A named account with its sealed secret. A new secret is a new row; an old one stays, disabled."""

    __tablename__ = "operators"
    __table_args__ = (
        # one living account to a name
        Index("uq_operators_name", "name", unique=True, postgresql_where=text("disabled_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    name: str = Field(max_length=40)
    secret_sealed: bytes
    created_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    disabled_at: datetime | None = Field(default=None, sa_type=Timestamp)


class OperatorAct(SQLModel, table=True):
    """One use of a name, right or wrong; only ever added to. A name that nobody has belongs to no account."""

    __tablename__ = "operator_acts"
    __table_args__ = (
        one_of("act", ACTS),
        one_of("outcome", OUTCOMES),
        one_of("door", DOORS),
        CheckConstraint("(step IS NOT NULL) = (outcome = 'proved')", name="step_of_a_proof"),
        CheckConstraint("(operator_id IS NULL) = (outcome = 'unknown_name')", name="nobodys_name"),
        # a code is good once
        Index(
            "uq_operator_acts_step",
            "operator_id",
            "step",
            unique=True,
            postgresql_where=text("step IS NOT NULL"),
        ),
        Index("ix_operator_acts_at", "at"),
        Index("ix_operator_acts_of", "operator_id", "id"),
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    operator_id: UUID | None = Field(default=None, foreign_key="operators.id")
    name: str
    act: str
    subject: str
    outcome: str
    step: int | None = Field(default=None, sa_type=BigInteger)
    at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("clock_timestamp()")})
    door: str = Field(default="host", sa_column_kwargs={"server_default": "host"})
