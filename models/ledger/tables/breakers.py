"""Which targets do not answer, and who looks whether they do again."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.domain.lifecycles.breaker import BreakerState
from models.ledger.tables.columns import Timestamp, one_of


class Breaker(SQLModel, table=True):
    """One target of one system; ``target`` '' is the system as a whole. Machine time throughout.

    ``failures`` counts outcomes without a sign of life since the last; they began at ``first_failure_at``.
    ``wait_until`` is what the receiver asked for (429): it waits, and is not open.
    """

    __tablename__ = "breakers"
    __table_args__ = (
        one_of("state", BreakerState),
        CheckConstraint("(state = 'closed') = (opened_at IS NULL)", name="open_since"),
        CheckConstraint("(state = 'half_open') = (probe_until IS NOT NULL)", name="one_prober"),
    )

    system: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    state: str
    cause: str | None = None
    failures: int
    first_failure_at: datetime | None = Field(default=None, sa_type=Timestamp)
    opened_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_answer: str | None = None
    probes: int
    probe_at: datetime | None = Field(default=None, sa_type=Timestamp)
    probe_until: datetime | None = Field(default=None, sa_type=Timestamp)
    wait_until: datetime | None = Field(default=None, sa_type=Timestamp)
    row_version: int
