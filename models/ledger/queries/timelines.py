"""Which lines of a case's history do not stand on its run's log page yet."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn, arrays
from models.ledger.queries.by_month import last_answer, since


async def take(conn: Conn, *, limit: int, seconds: float) -> list[dict[str, Any]]:
    """Cases with lines to tell, the longest waiting first, ours for ``seconds``.

    Each with case_id, flow_run_id, told_id (what surely stands there), telling_id (the last line to tell
    now) and ``unsure``: somebody began to write more than ``told_id`` and never said how it ended.
    """
    cursor = await conn.execute(
        """
        WITH due AS (
            SELECT case_id, telling_id IS NOT NULL AS unsure FROM mirror
            WHERE told_due IS NOT NULL AND flow_run_id IS NOT NULL
              AND (telling_until IS NULL OR telling_until < clock_timestamp())
            ORDER BY told_due LIMIT %s FOR UPDATE SKIP LOCKED)
        UPDATE mirror m SET telling_until = clock_timestamp() + make_interval(secs => %s),
            telling_id = COALESCE((SELECT max(h.id) FROM history h
                WHERE h.case_id = m.case_id AND h.id >= m.told_id AND """
        + since("h.id", "c.first_seen_at")
        + """), 0)
        FROM due JOIN cases c ON c.id = due.case_id WHERE m.case_id = due.case_id
        RETURNING m.case_id, m.flow_run_id, m.told_id, m.telling_id, due.unsure
        """,
        (limit, seconds),
    )
    return await cursor.fetchall()


async def lines(conn: Conn, taken: Sequence[tuple[UUID, int, int]]) -> list[dict[str, Any]]:
    """The history of these cases, each from (but without) one number to another, as it is to be told.

    With the names of what moved and of whoever has it; nothing of a party.
    """
    cursor = await conn.execute(
        """
        SELECT h.id, h.case_id, c.case_no, c.item_name, c.mode, h.entity, h.event, h.from_state, h.to_state,
            h.reason, h.at, h.business_at,
            COALESCE(ad.name, c.approval_department) AS approval,
            o.department_code IS NULL AS nowhere, COALESCE(hd.name, o.department_code) AS department,
            s.name AS section, o.owner AS handover_owner, o.due_at AS handover_due, o.observe_until,
            e.own_id, e.channel, e.stage, COALESCE(td.name, e.target) AS target, e.state AS effect_state,
            e.receipt_number, COALESCE(eo.name, e.owner) AS effect_owner, e.due_at AS effect_due,
            """
        + last_answer("e")
        + """ AS answer
        FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS t (case_id, told_id, telling_id)
        JOIN cases c ON c.id = t.case_id
        JOIN history h ON h.case_id = t.case_id AND h.id > t.told_id AND h.id <= t.telling_id
            AND """
        + since("h.id", "c.first_seen_at")
        + """
        LEFT JOIN departments ad ON ad.code = c.approval_department
        LEFT JOIN handovers o ON o.id = CASE WHEN h.entity = 'handover' THEN h.entity_id::uuid END
        LEFT JOIN departments hd ON hd.code = o.department_code
        LEFT JOIN sections s ON s.id = o.section_id
        LEFT JOIN effects e ON e.own_id = CASE WHEN h.entity = 'effect' THEN h.entity_id END
        LEFT JOIN departments td ON td.code = e.target
        LEFT JOIN departments eo ON eo.code = e.owner
        ORDER BY h.id
        """,
        arrays(taken, 3),
    )
    return await cursor.fetchall()


async def mark_told(conn: Conn, told: Sequence[tuple[UUID, UUID, int]]) -> None:
    """The lines of these cases up to this number stand on the page of this run, and nowhere twice.

    One whose run has changed meanwhile is told anew there.
    """
    await conn.execute(
        "WITH t AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[]) AS t (case_id, run, upto)),"
        " locked AS (SELECT m.case_id FROM mirror m JOIN t USING (case_id)"
        "  ORDER BY m.case_id FOR UPDATE OF m)"
        " UPDATE mirror m SET told_id = t.upto, telling_id = NULL, telling_until = NULL,"
        " told_due = CASE WHEN EXISTS (SELECT FROM history h WHERE h.case_id = m.case_id AND h.id > t.upto)"
        "  THEN m.told_due END"
        " FROM t JOIN locked USING (case_id) WHERE m.case_id = t.case_id AND m.flow_run_id = t.run",
        arrays(told, 3),
    )
