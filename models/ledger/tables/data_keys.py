"""The key of each subject, wrapped by the keyring, and whose was destroyed at whose word."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DDL, BigInteger, CheckConstraint, Index, event, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, both_or_neither


class DataKey(SQLModel, table=True):
    """A subject's key. A subject is a party, by its keyed hash, or what stands for all that has none.

    Destroyed, it stays destroyed: a trigger sees to that. Whoever comes after it gets a key of its own.
    """

    __tablename__ = "data_keys"
    __table_args__ = (
        CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed_is_gone"),
        # one living key to a subject
        Index("uq_data_keys_subject", "subject", unique=True, postgresql_where=text("wrapped IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    subject: bytes
    algorithm: str
    wrapped: bytes | None = None
    created_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    destroyed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Forgetting(SQLModel, table=True):
    """That a party's key be destroyed: asked for by one person, confirmed by another, then done."""

    __tablename__ = "forgettings"
    __table_args__ = (
        CheckConstraint("confirmed_by <> asked_by", name="two_persons"),
        both_or_neither("confirmed_by", "confirmed_at"),
        # a party waits for one confirmation at a time
        Index("uq_forgettings_open", "case_id", unique=True, postgresql_where=text("confirmed_by IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID
    note: str
    asked_by: str
    asked_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})
    confirmed_by: str | None = None
    confirmed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    keys: int | None = None
    leaf: int | None = Field(default=None, sa_type=BigInteger)


_STAYS = """
CREATE FUNCTION a_destroyed_key_stays_destroyed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a destroyed key stays destroyed' USING ERRCODE = 'insufficient_privilege';
END
$$
"""
_TRIGGER = """
CREATE TRIGGER stays_destroyed BEFORE UPDATE ON data_keys FOR EACH ROW
    WHEN (OLD.wrapped IS NULL) EXECUTE FUNCTION a_destroyed_key_stays_destroyed()
"""
for _statement in (_STAYS, _TRIGGER):
    event.listen(SQLModel.metadata, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
