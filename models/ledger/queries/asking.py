"""What somebody may ask for once more under the same id, and what asking is no answer to."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn
from models.ledger.queries.bell import ring
from models.ledger.queries.effects import OVERTAKEN

_STOPPED = (
    "e.channel <> 'sms' AND e.state IN ('refused', 'held') AND e.decided_at IS NULL AND NOT " + OVERTAKEN
)
_IN_VAIN = "COALESCE(e.reason, '') IN ('content_conflict', 'seal_broken')"
NOT_TO_ASK = f"{_STOPPED} AND {_IN_VAIN}"
"""Of ``effects e``: what stands in front of a person, and asking again is no answer to it.

They hold another content under our id, or ours does not open.
"""
MAY_BE_ASKED = f"{_STOPPED} AND NOT {_IN_VAIN}"
"""Of ``effects e``: what somebody may ask for once more under the same id. Never a held text."""
_ASK_AGAIN = (
    "UPDATE effects e SET state = CASE WHEN doubtful THEN 'unknown' ELSE 'planned' END,"
    " reason = 'asked_again', owner = NULL, due_at = NULL, deaths = 0, not_before = clock_timestamp()"
    " WHERE "
)
_ASKED = "RETURNING own_id, case_id, state"


async def ask_again(
    conn: Conn, case_ids: Sequence[UUID], *, opened: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Plan what was refused of these cases once more, and what was held where the receiver knows our ids.

    They stored nothing under these ids, or will know them again, so the same id goes. Never a held text.
    ``opened`` are own ids whose content was tried, and opens.
    """
    opens = f"{_STOPPED} AND e.reason = 'seal_broken' AND own_id = ANY(%s)"
    sql = f"{_ASK_AGAIN} (({MAY_BE_ASKED}) OR ({opens})) AND case_id = ANY(%s) {_ASKED}"
    cursor = await conn.execute(sql.encode(), (list(opened), list(case_ids)))
    ring(conn)
    return await cursor.fetchall()


async def stopped_states(conn: Conn, case_ids: Sequence[UUID]) -> dict[str, str]:
    """The state of each effect of these cases that stands in front of a person, locked."""
    cursor = await conn.execute(
        "SELECT own_id, state FROM effects WHERE case_id = ANY(%s) AND state IN ('refused', 'held')"
        " ORDER BY own_id FOR UPDATE",
        (list(case_ids),),
    )
    return {row["own_id"]: row["state"] for row in await cursor.fetchall()}


async def not_to_ask(conn: Conn, case_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """What of these cases is not to be asked again: own_id, channel, state, reason, body_sealed."""
    cursor = await conn.execute(
        "SELECT e.own_id, e.channel, e.state, e.reason, b.body_sealed FROM effects e"
        f" JOIN effect_bodies b USING (own_id) WHERE {NOT_TO_ASK} AND e.case_id = ANY(%s)"
        " ORDER BY e.own_id".encode(),
        (list(case_ids),),
    )
    return await cursor.fetchall()


async def ask_these_again(conn: Conn, own_ids: Sequence[str]) -> list[dict[str, Any]]:
    """As ``ask_again``, for these effects only."""
    sql = f"{_ASK_AGAIN} {MAY_BE_ASKED} AND own_id = ANY(%s) {_ASKED}"
    cursor = await conn.execute(sql.encode(), (list(own_ids),))
    ring(conn)
    return await cursor.fetchall()
