"""Everything done to the outside, each try of it, and the texts with their news."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DDL, BigInteger, CheckConstraint, Index, event, text
from sqlmodel import Field, SQLModel

from models.domain.lifecycles.effect import UNRESOLVED, Channel, EffectState
from models.ledger.tables.columns import Timestamp, both_or_neither, one_of, states

STORED_ON = (
    "((CASE WHEN {0}receipt_at - {0}answered_business BETWEEN '-744:00:00'::interval AND '48:00:00'::interval"
    " THEN {0}receipt_at ELSE {0}answered_business END) AT TIME ZONE 'Asia/Shanghai')::date"
)
"""The day on which the receiver counts an effect: that of its receipt, near midnight perhaps the next.

A receipt is believed that lies at most two days after our own note of it, for no later day is ever
compared, and at most a month before it: so old it may be when it is adopted.
"""


KEY = "hashtextextended({}business_key, 0)"
"""Eight bytes by which a business key is found, however long it is; two keys may share them."""


class Effect(SQLModel, table=True):
    """An effect; its own id is derived and kept for ever."""

    __tablename__ = "effects"
    __table_args__ = (
        one_of("channel", Channel),
        one_of("state", EffectState),
        both_or_neither("lease_token", "lease_until"),
        CheckConstraint(
            "(state IN ('leased', 'intent')) = (lease_token IS NOT NULL)", name="leased_has_token"
        ),
        # what stands in front of a person has an owner and a day
        CheckConstraint(
            "state NOT IN ('refused', 'held') OR (owner IS NOT NULL AND due_at IS NOT NULL)",
            name="stopped_has_owner",
        ),
        # nobody releases what nobody else asked for
        CheckConstraint(
            "confirmed_by IS NULL OR (asked_by IS NOT NULL AND confirmed_by <> asked_by)",
            name="two_persons_release",
        ),
        # what else goes for a business; one content version goes once, since its own id is made of both
        Index("ix_effects_key", text(f"({KEY.format('')})"), "content_version"),
        # one unresolved effect per channel, target and business key: two never race each other
        Index(
            "uq_effects_unresolved",
            "channel",
            "target",
            "business_key",
            unique=True,
            postgresql_where=text(f"state IN ({states(UNRESOLVED)})"),
        ),
        # a newer content replaces the one that has not gone yet
        Index(
            "uq_effects_planned",
            "channel",
            "target",
            "business_key",
            unique=True,
            postgresql_where=text("state = 'planned'"),
        ),
        # one text in flight per phone (an SMS effect's target is the phone's keyed hash)
        Index(
            "uq_effects_phone",
            "target",
            unique=True,
            postgresql_where=text(f"channel = 'sms' AND state IN ({states(UNRESOLVED)})"),
        ),
        # what is due is looked for target by target: a backlog of one hides no other
        Index(
            "ix_effects_due",
            "channel",
            "target",
            "not_before",
            postgresql_where=text("state IN ('planned', 'unknown')"),
        ),
        Index("ix_effects_leases", "lease_until", postgresql_where=text("lease_token IS NOT NULL")),
        Index("ix_effects_stopped", "due_at", postgresql_where=text("state IN ('held', 'refused')")),
        Index("ix_effects_case", "case_id", postgresql_where=text("case_id IS NOT NULL")),
        # a day is compared with the receivers', however many days there are
        Index(
            "ix_effects_stored_on",
            text(f"({STORED_ON.format('')})"),
            postgresql_where=text("state = 'accepted'"),
        ),
        # whose receipt it is: only what has one, so that no change of state before it writes here
        Index(
            "ix_effects_receipt",
            "receipt_number",
            postgresql_where=text("receipt_number IS NOT NULL AND channel IN ('push', 'sms')"),
        ),
    )

    own_id: str = Field(primary_key=True, max_length=32)
    channel: str
    target: str
    business_key: str
    stage: str | None = None
    content_version: int
    content_sha256: str = Field(max_length=64)
    state: str
    reason: str | None = None
    doubtful: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    case_id: UUID | None = None
    handover_id: UUID | None = None
    lease_token: UUID | None = None
    lease_until: datetime | None = Field(default=None, sa_type=Timestamp)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    deaths: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    not_before: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    send_after: datetime = Field(sa_type=Timestamp)
    planned_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    answered_at: datetime | None = Field(default=None, sa_type=Timestamp)
    answered_business: datetime | None = Field(default=None, sa_type=Timestamp)
    receipt_number: str | None = None
    receipt_at: datetime | None = Field(default=None, sa_type=Timestamp)
    receipt_account: str | None = None
    owner: str | None = None
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    asked_by: str | None = None
    confirmed_by: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    via: str | None = None


class EffectBody(SQLModel, table=True):
    """The exact bytes an effect carries, sealed. Apart from its states, which are written again and again."""

    __tablename__ = "effect_bodies"

    own_id: str = Field(primary_key=True, max_length=32)
    body_sealed: bytes


class EffectAttempt(SQLModel, table=True):
    """One try: written with the intent before the call, closed with its answer; the leaves say the same.

    Lies by month: see ``months``. An effect counts its own tries, so that none is there twice.
    """

    __tablename__ = "effect_attempts"
    __table_args__ = (
        both_or_neither("finished_at", "outcome"),
        {"postgresql_partition_by": "RANGE (leaf)"},
    )

    own_id: str = Field(primary_key=True, max_length=32)
    attempt: int = Field(primary_key=True)
    worker: str
    started_at: datetime = Field(
        sa_type=Timestamp, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )
    finished_at: datetime | None = Field(default=None, sa_type=Timestamp)
    outcome: str | None = None
    answer: str | None = None
    via: str | None = None
    leaf: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    answer_leaf: int | None = Field(default=None, sa_type=BigInteger)


class SmsText(SQLModel, table=True):
    """What is known of a text beyond its effect; content stays sealed in the effect."""

    __tablename__ = "sms_texts"
    __table_args__ = (
        # what a phone got today, and its last one
        Index("ix_sms_texts_phone", "phone_index", "business_day", "planned_business"),
        # a day's texts and how many were told of
        Index("ix_sms_texts_day", "business_day"),
    )

    own_id: str = Field(primary_key=True, foreign_key="effects.own_id")
    phone_index: bytes
    reference: str = Field(unique=True)
    business_day: str
    planned_business: datetime = Field(sa_type=Timestamp)
    news_count: int
    text_sha256: str = Field(max_length=64)
    report_status: str | None = None
    report_at: datetime | None = Field(default=None, sa_type=Timestamp)


class SmsNews(SQLModel, table=True):
    """One piece of news a section's liaison is owed; it folds into a text or waits for a phone."""

    __tablename__ = "sms_news"
    __table_args__ = (
        one_of("state", ("waiting", "folded", "no_phone")),
        CheckConstraint("(sms_own_id IS NOT NULL) = (state = 'folded')", name="folded_into_a_text"),
        CheckConstraint(
            "state <> 'no_phone' OR (owner IS NOT NULL AND due_at IS NOT NULL)", name="no_phone_has_owner"
        ),
        Index("ix_sms_news_waiting", "section_id", "urgent", postgresql_where=text("state <> 'folded'")),
        Index("ix_sms_news_case", "case_id"),
        Index("ix_sms_news_text", "sms_own_id"),
        # a late proof of a held text, or its release, takes back what it carried
        Index("ix_sms_news_carried", "carried_by", postgresql_where=text("carried_by IS NOT NULL")),
    )

    push_own_id: str = Field(primary_key=True, foreign_key="effects.own_id")
    case_id: UUID
    handover_id: UUID
    stage: str
    section_id: str
    urgent: bool
    state: str
    sms_own_id: str | None = None
    liaison: str | None = None
    owner: str | None = None
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    business_at: datetime = Field(sa_type=Timestamp)
    carried_by: str | None = None


TAKE_OVER_CONTENT = """
CREATE FUNCTION take_over_content(own_ids TEXT[], hashes TEXT[]) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE effects e SET content_sha256 = t.sha256, state = 'accepted', reason = 'taken_over'
    FROM unnest(own_ids, hashes) t (own_id, sha256)
    WHERE e.own_id = t.own_id AND e.attempts = 0 AND e.state IN ('planned', 'superseded')
$$
"""  # noqa: E501
event.listen(SQLModel.metadata, "after_create", DDL(TAKE_OVER_CONTENT))  # type: ignore[no-untyped-call]
