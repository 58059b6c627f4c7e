"""What was done to the outside and what came in, leaf by leaf, and the order in which it was sealed.

Only added to, by everybody: a trigger refuses what rights alone would leave to the owner. Maintenance
is a superuser's, in a session with ``session_replication_role = replica``; the verifier sees it.
"""

from datetime import datetime

from sqlalchemy import DDL, BigInteger, CheckConstraint, Column, Identity, UniqueConstraint, event, text
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp


class EvidenceLeaf(SQLModel, table=True):
    """One fact, as the JSON text that is hashed; the number is given before its transaction commits."""

    __tablename__ = "evidence_leaves"
    __table_args__ = ({"postgresql_partition_by": "RANGE (number)"},)

    number: int = Field(sa_column=Column(BigInteger, Identity(always=False), primary_key=True))
    leaf: str


class EvidencePosition(SQLModel, table=True):
    """The leaf's place in the tree, without a gap, given by the sealer after the leaf's commit.

    No position is given twice: each round follows the one head before it (``EvidenceSeal.previous_head``).
    """

    __tablename__ = "evidence_positions"
    # no leaf is sealed twice
    __table_args__ = (UniqueConstraint("leaf"), {"postgresql_partition_by": "RANGE (leaf)"})

    position: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    leaf: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    leaf_hash: bytes


class EvidenceSeal(SQLModel, table=True):
    """The tree after one round of the sealer; a signed head outside the database says the same.

    ``peaks`` let it grow. ``high`` is the highest leaf number sealed so far. Whoever took a number below
    it began before ``after_xid``; ``scanned_xid`` is where the oldest transaction stood that still ran
    when this round looked. A round that looked at ``scanned_xid >= after_xid`` of an earlier one has
    seen all below that one's ``high``: nobody need look there again.
    """

    __tablename__ = "evidence_seals"
    __table_args__ = (
        # one seal follows one head: two sealers never extend the same one
        CheckConstraint("octet_length(root) = 32 AND octet_length(previous_head) = 32", name="hashes_whole"),
    )

    size: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    root: bytes
    peaks: bytes
    high: int = Field(sa_type=BigInteger)
    after_xid: int = Field(sa_type=BigInteger)
    scanned_xid: int = Field(sa_type=BigInteger)
    previous_head: bytes = Field(unique=True)
    sealed_at: datetime = Field(
        sa_type=Timestamp, sa_column_kwargs={"server_default": text("clock_timestamp()")}
    )


_ONLY_ADDED_TO = """
CREATE FUNCTION evidence_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'evidence is only added to' USING ERRCODE = 'insufficient_privilege';
END
$$
"""
_STATEMENTS = [
    _ONLY_ADDED_TO,
    *(
        f"CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON {table.__tablename__}"
        " FOR EACH STATEMENT EXECUTE FUNCTION evidence_is_only_added_to()"
        for table in (EvidenceLeaf, EvidencePosition, EvidenceSeal)
    ),
]
for _statement in _STATEMENTS:
    event.listen(SQLModel.metadata, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
