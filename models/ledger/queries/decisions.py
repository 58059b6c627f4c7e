"""What a person decides: a refused effect that nobody will send again, a record let in once more."""

from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn

_EFFECT = (
    "SELECT own_id, channel, state, reason, case_id, decided_by, decided_at, asked_by, confirmed_by"
    " FROM effects WHERE own_id = %s"
)


async def effect_row(conn: Conn, own_id: str) -> dict[str, Any] | None:
    """The effect: what it is, where it stands, who asked, confirmed or decided."""
    return await (await conn.execute(_EFFECT, (own_id,))).fetchone()


async def lock_effect(conn: Conn, own_id: str) -> dict[str, Any] | None:
    """The same, locked until the transaction ends."""
    return await (await conn.execute(f"{_EFFECT} FOR UPDATE", (own_id,))).fetchone()


async def decide(conn: Conn, own_id: str, by: str) -> None:
    """Write who decided, and when by the database's clock; the effect's state stays what it is."""
    await conn.execute(
        "UPDATE effects SET decided_by = %s, decided_at = clock_timestamp() WHERE own_id = %s", (by, own_id)
    )


async def handover_at_its_end(conn: Conn, own_id: str) -> dict[str, Any] | None:
    """The handover that waits for this completion push and for no other, locked; None where there is none."""
    cursor = await conn.execute(
        """
        SELECT h.id, h.case_id, h.state, h.row_version
        FROM effects e JOIN handovers h ON h.id = e.handover_id
        WHERE e.own_id = %s AND e.channel = 'push' AND e.stage = 'completion'
          AND h.state IN ('planned', 'pushed', 'claimed')
          AND NOT EXISTS (SELECT FROM effects o WHERE o.case_id = e.case_id AND o.handover_id = h.id
                          AND o.channel = 'push' AND o.stage = 'completion' AND o.own_id <> e.own_id
                          AND o.decided_at IS NULL AND o.state <> 'superseded')
        FOR UPDATE OF h
        """,
        (own_id,),
    )
    return await cursor.fetchone()


async def quarantined(conn: Conn, quarantine_id: UUID) -> dict[str, Any] | None:
    """One record in front of a person, or one that was; the hash and size of its bytes, not the bytes."""
    cursor = await conn.execute(
        "SELECT q.id, q.kind, q.record_key, q.line_no, q.rule, q.message, q.owner, q.due_at, q.opened_at,"
        " q.released_at, q.released_by, i.source, i.record_version, i.sha256, i.outcome, i.attempts,"
        " i.received_at FROM quarantine q JOIN inbox i ON i.id = q.inbox_id WHERE q.id = %s",
        (quarantine_id,),
    )
    return await cursor.fetchone()


async def find_quarantined(conn: Conn, prefix: str) -> list[UUID]:
    """The open records whose id begins so, or whose number is exactly this; at most ten."""
    cursor = await conn.execute(
        "SELECT id FROM quarantine WHERE released_at IS NULL"
        " AND (starts_with(id::text, lower(%(said)s)) OR record_key = %(said)s) ORDER BY due_at, id LIMIT 10",
        {"said": prefix},
    )
    return [row["id"] for row in await cursor.fetchall()]
