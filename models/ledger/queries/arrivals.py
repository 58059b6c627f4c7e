"""What others report to the credit system: what we expect to see there, and what did not come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn, arrays, insert
from models.ledger.tables.reconciling import ExpectedArrival


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExpected:
    """One record somebody else reports; ``due_on`` is the business day from which we look for it."""

    id: UUID
    kind: str
    document_number: str
    reporter: str
    department: str
    case_id: UUID
    due_on: date
    state: str = "waiting"


async def expect(conn: Conn, rows: Sequence[NewExpected]) -> None:
    """Remember what should arrive; one document is expected once, and again after it was withdrawn."""
    await insert(
        conn,
        ExpectedArrival,
        rows,
        conflict="(id) DO UPDATE SET state = EXCLUDED.state, due_on = EXCLUDED.due_on"
        " WHERE expected_arrivals.state = 'withdrawn'",
    )


FIRST = (date.min, UUID(int=0))
"""Before all that is due."""


async def due(conn: Conn, today: date, after: tuple[date, UUID], limit: int) -> list[dict[str, Any]]:
    """What should be there by today, the longest overdue first, and whether it is still owed.

    ``after`` are the due day and the id of the last one that was given.
    """
    cursor = await conn.execute(
        "SELECT a.id, a.due_on, a.kind, a.document_number, c.state IN ('completed', 'settled') AS owed"
        " FROM expected_arrivals a JOIN cases c ON c.id = a.case_id"
        " WHERE a.state IN ('waiting', 'missing') AND a.due_on <= %s AND (a.due_on, a.id) > (%s, %s)"
        " ORDER BY a.due_on, a.id LIMIT %s",
        (today, *after, limit),
    )
    return await cursor.fetchall()


async def looked(conn: Conn, rows: Sequence[tuple[UUID, str, datetime | None]], *, again_on: date) -> None:
    """Write (id, state, when it arrived); what is missing is looked for again on that day."""
    if rows:
        await conn.execute(
            "UPDATE expected_arrivals a SET state = f.state, arrived_at = f.at,"
            " checked_at = clock_timestamp(),"
            " due_on = CASE WHEN f.state = 'missing' THEN %s ELSE a.due_on END"
            " FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) f (id, state, at) WHERE a.id = f.id",
            (again_on, *arrays(rows, 3)),
        )


async def missing(conn: Conn) -> list[dict[str, Any]]:
    """How many records of each reporter and kind have not come (n), those that have all come too."""
    cursor = await conn.execute(
        "SELECT a.reporter, a.kind,"
        " CASE WHEN a.reporter = 'department' THEN a.department ELSE '' END AS code,"
        " max(CASE WHEN a.reporter = 'department' THEN d.name END) AS name,"
        " count(*) FILTER (WHERE a.state = 'missing') AS n"
        " FROM expected_arrivals a LEFT JOIN departments d ON d.code = a.department"
        " WHERE a.state <> 'waiting' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return await cursor.fetchall()
