"""History, attempts and evidence lie by month: in partitions that the owner makes ahead and archives.

A row's number says its month: 2026070000000001 is the first of July 2026 (machine time, Shanghai). Numbers
are a sequence all the same; ``begin_month`` lets it go on from the month's first number, and nothing lets it
go back. What was numbered before there were months lies in ``…_before``, what finds no month of its own in
``…_rest``. ``models.ledger.months`` makes the months.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import DDL, BigInteger, event, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, one_of

BY_MONTH: Mapping[str, str] = {
    "history": "id",
    "effect_attempts": "leaf",
    "evidence_leaves": "number",
    "evidence_positions": "leaf",
}
"""The tables, and the column whose number says the month."""
A_MONTH = 10**10
"""How many numbers a month has."""
BEFORE = 10**15
"""Numbers below this were given before there were months."""
EVIDENCE = ("evidence_leaves", "evidence_positions")
KINDS: Mapping[str, tuple[str, ...]] = {
    "history": ("history",),
    "attempts": ("effect_attempts",),
    "evidence": EVIDENCE,
}
"""What is archived together."""
ARCHIVED = '{"v":1,"kind":"archived",'
"""How the leaf begins that says a month of leaves went into a file."""


class ArchivedMonth(SQLModel, table=True):
    """A month that lies in a file and no longer here; of evidence, which positions of the log."""

    __tablename__ = "archived_months"
    __table_args__ = (one_of("kind", ("evidence", "attempts", "history")),)

    month: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(primary_key=True)
    rows: int = Field(sa_type=BigInteger)
    positions: Any = Field(sa_type=INT8MULTIRANGE, nullable=False)
    file: str
    sha256: str = Field(max_length=64)
    archived_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})


_MONTH_FLOOR = """
CREATE FUNCTION month_floor(at TIMESTAMP WITH TIME ZONE) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (extract(year FROM at AT TIME ZONE 'Asia/Shanghai')::bigint * 100
        + extract(month FROM at AT TIME ZONE 'Asia/Shanghai')::bigint) * 10000000000
$$
"""  # noqa: E501
_BEGIN_MONTH = """
CREATE FUNCTION begin_month() RETURNS BOOLEAN LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first CONSTANT BIGINT := month_floor(clock_timestamp()) + 1;
    begun BOOLEAN := false;
BEGIN
    IF (SELECT h.last_value < first OR e.last_value < first FROM history_id_seq h, evidence_leaves_number_seq e) THEN
        PERFORM pg_advisory_xact_lock(1397162000);
        IF (SELECT last_value < first FROM history_id_seq) THEN
            PERFORM setval('history_id_seq', first, false);
            begun := true;
        END IF;
        IF (SELECT last_value < first FROM evidence_leaves_number_seq) THEN
            PERFORM setval('evidence_leaves_number_seq', first, false);
            begun := true;
        END IF;
    END IF;
    RETURN begun;
END
$$
"""  # noqa: E501


def only_added_to(table: str) -> str:
    """The trigger of a table, or of one of its months, of evidence."""
    return (
        f"CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION evidence_is_only_added_to()"
    )


def _statements() -> list[str]:
    made = [_MONTH_FLOOR, _BEGIN_MONTH]
    for table in BY_MONTH:
        made.append(
            f"CREATE TABLE {table}_before PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO ({BEFORE})"
        )
        made.append(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
    made += [only_added_to(f"{table}_{part}") for table in EVIDENCE for part in ("before", "rest")]
    return made


for _statement in _statements():
    event.listen(SQLModel.metadata, "after_create", DDL(_statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
