"""Handovers: what each step finds to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHandover:
    """A duty of one case; without a department the dispatching queue's owner has it."""

    id: UUID
    case_id: UUID
    supervision_item: str
    section_key: str
    role: str
    department_code: str | None
    section_id: str | None
    state: str
    reason: str | None
    owner: str | None
    due_at: datetime | None
    row_version: int = 1


async def of_cases(conn: Conn, case_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """The handovers of each case."""
    cursor = await conn.execute(
        "SELECT * FROM handovers WHERE case_id = ANY(%s) ORDER BY case_id, supervision_item, section_key",
        (list(case_ids),),
    )
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row["case_id"], []).append(row)
    return found


async def pushed(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Handovers whose push is proven and whose claim is not noted yet, as older versions left them."""
    cursor = await conn.execute(
        "SELECT id, case_id, state, row_version, department_code, pushed_at FROM handovers"
        " WHERE state = 'pushed' ORDER BY pushed_at, id LIMIT %s FOR UPDATE SKIP LOCKED",
        (limit,),
    )
    return await cursor.fetchall()


async def to_observe(conn: Conn, limit: int, among: Sequence[UUID] | None = None) -> list[dict[str, Any]]:
    """Claimed handovers (``among`` these) whose case is completed and whose completion push is proven."""
    chosen = "AND h.id = ANY(%(ids)s::uuid[])" if among is not None else ""
    cursor = await conn.execute(
        f"""
        SELECT h.id, h.case_id, h.state, h.row_version, c.result, c.observe_until
        FROM handovers h JOIN cases c ON c.id = h.case_id
        WHERE h.state = 'claimed' {chosen} AND c.state IN ('completed', 'settled')
          AND EXISTS (SELECT FROM effects e WHERE e.case_id = c.id AND e.handover_id = h.id
                      AND e.channel = 'push' AND e.stage = 'completion' AND e.state = 'accepted')
        ORDER BY h.claimed_at, h.id LIMIT %(limit)s FOR UPDATE OF h SKIP LOCKED
        """.encode(),
        {"limit": limit} | ({"ids": list(among)} if among is not None else {}),
    )
    return await cursor.fetchall()


async def to_close(conn: Conn, today: date, limit: int) -> list[dict[str, Any]]:
    """Handovers whose observation is over, or whose case is granted no more.

    ``abnormal`` counts the abnormal results that came back meanwhile. One that asks for a
    rectification still due keeps its handover open.
    """
    cursor = await conn.execute(
        """
        SELECT h.id, h.case_id, h.state, h.row_version, c.result, f.abnormal
        FROM handovers h JOIN cases c ON c.id = h.case_id
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE f.abnormal) AS abnormal, max(f.rectification_due) AS mend_by
            FROM feedback_handovers fh JOIN feedback f ON f.id = fh.feedback_id
            WHERE fh.handover_id = h.id AND f.case_id = h.case_id AND NOT f.withdrawn) f
        WHERE h.state = 'observing' AND c.state <> 'accepted'
          AND (h.observe_until <= %(today)s OR c.result <> 'granted')
          AND (f.mend_by IS NULL OR f.mend_by <= %(today)s)
        ORDER BY h.observe_until, h.id LIMIT %(limit)s FOR UPDATE OF h SKIP LOCKED
        """,
        {"today": today, "limit": limit},
    )
    return await cursor.fetchall()


async def to_recall(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Recalled handovers whose department still believes in a push: no recall was planned after it."""
    cursor = await conn.execute(
        """
        SELECT h.id, h.case_id, h.supervision_item, h.department_code, h.section_id, h.reason,
               h.row_version, h.state, c.case_no, c.approval_department,
               count(*) FILTER (WHERE e.channel = 'push' AND e.state IN ('leased', 'intent', 'unknown'))
                   AS unresolved,
               array_agg(e.own_id ORDER BY e.own_id)
                   FILTER (WHERE e.channel = 'push' AND e.state = 'accepted') AS pushed
        FROM handovers h JOIN cases c ON c.id = h.case_id
        LEFT JOIN effects e ON e.case_id = h.case_id AND e.handover_id = h.id
        WHERE h.state = 'recalled' AND h.reason = 'recall_due'
        GROUP BY h.id, c.case_no, c.approval_department ORDER BY h.id LIMIT %s
        """,
        (limit,),
    )
    return await cursor.fetchall()


async def withdraw_planned(conn: Conn, ids: Sequence[UUID], reason: str) -> None:
    """No push of these handovers that has not left will leave."""
    await conn.execute(
        "UPDATE effects SET state = 'superseded', reason = %s WHERE handover_id = ANY(%s)"
        " AND channel = 'push' AND state = 'planned'",
        (reason, list(ids)),
    )


async def dispatching(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Handovers that no department was found for, with their case's sealed record."""
    cursor = await conn.execute(
        "SELECT h.*, c.case_no, c.item_code, c.item_version, c.place_region, c.result, c.mode,"
        " c.state AS case_state, c.inbox_id, i.raw_sealed FROM handovers h JOIN cases c ON c.id = h.case_id"
        " JOIN inbox_raw i ON i.inbox_id = c.inbox_id"
        " WHERE h.department_code IS NULL AND h.state = 'planned' ORDER BY h.case_id LIMIT %s",
        (limit,),
    )
    return await cursor.fetchall()


async def lock(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """The handovers, locked in one order until the transaction ends."""
    cursor = await conn.execute(
        "SELECT id, case_id, state, row_version FROM handovers WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
        (sorted(ids),),
    )
    return {row["id"]: row for row in await cursor.fetchall()}


async def lock_with_item(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """The handovers with their case's item, mode and result, locked in one order."""
    cursor = await conn.execute(
        "SELECT h.id, h.case_id, h.state, h.reason, h.row_version, h.department_code, h.section_id,"
        " c.item_code, c.mode,"
        " c.state AS case_state, c.result, c.observe_until"
        " FROM handovers h JOIN cases c ON c.id = h.case_id WHERE h.id = ANY(%s) ORDER BY h.id"
        " FOR UPDATE OF h",
        (sorted(set(ids)),),
    )
    return {row["id"]: row for row in await cursor.fetchall()}


async def by_receipt(conn: Conn, receipts: Sequence[str]) -> dict[str, UUID]:
    """Which handover each push receipt belongs to."""
    cursor = await conn.execute(
        "SELECT receipt_number, handover_id FROM effects WHERE channel = 'push' AND receipt_number = ANY(%s)",
        (list(receipts),),
    )
    return {row["receipt_number"]: row["handover_id"] for row in await cursor.fetchall()}


async def mark_read(conn: Conn, reads: Sequence[tuple[UUID, datetime]]) -> int:
    """Write when each handover was first read (已阅); read is not claimed, and changes no state."""
    cursor = await conn.execute(
        "UPDATE handovers h SET read_at = r.at FROM (SELECT id, min(at) AS at FROM"
        " unnest(%s::uuid[], %s::timestamptz[]) r (id, at) GROUP BY id) r"
        " WHERE h.id = r.id AND h.read_at IS NULL",
        ([handover for handover, _ in reads], [at for _, at in reads]),
    )
    return cursor.rowcount
