"""Rows of the three tables by binary COPY, no row read first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.ledger.bulk import Conn, column_type
from models.ledger.tables import metadata


@dataclass(frozen=True, slots=True)
class Shape:
    """A table and the columns that are written."""

    table: str
    columns: tuple[str, ...]

    @property
    def types(self) -> list[str]:
        """PostgreSQL's name of each column's type, without its length."""
        table = metadata.tables[self.table]
        return [
            _PLAIN.get(said, said) for said in (column_type(table, c).split("(")[0] for c in self.columns)
        ]


_PLAIN = {"timestamp with time zone": "timestamptz", "varchar": "text", "integer": "int4", "boolean": "bool"}

CASE = Shape(
    "cases",
    (
        *("id", "source", "case_no", "data_version", "inbox_id", "state", "item_code", "item_version"),
        *("item_name", "mode", "region", "place_region", "approval_department", "accepted_at"),
        *("party_index", "needs_credit_check", "row_version"),
    ),
)
HANDOVER = Shape(
    "handovers",
    (
        *("id", "case_id", "supervision_item", "section_key", "role", "department_code", "section_id"),
        *("state", "pushed_at", "claimed_at", "claimed_by", "row_version"),
    ),
)
EFFECT = Shape(
    "effects",
    (
        *("own_id", "channel", "target", "business_key", "stage", "content_version", "content_sha256"),
        *("state", "case_id", "handover_id", "attempts", "send_after", "answered_at"),
        *("answered_business", "receipt_number", "receipt_at", "receipt_account"),
    ),
)
BODY = Shape("effect_bodies", ("own_id", "body_sealed"))


async def copy(conn: Conn, shape: Shape, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows; names that are not the shape's are left out."""
    names = ", ".join(shape.columns)
    statement = f"COPY {shape.table} ({names}) FROM STDIN (FORMAT BINARY)"
    async with conn.cursor() as cursor, cursor.copy(statement.encode()) as stream:
        stream.set_types(shape.types)
        for row in rows:
            await stream.write_row([row[name] for name in shape.columns])
