"""After a restore: versions that the outside holds are written down as what they are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn, arrays
from models.ledger.tables.effects import KEY

TAKEN_OVER = "taken_over"
"""The reason of an accepted effect whose exact bytes this ledger does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A version of a business key that the receiver holds, with its receipt."""

    own_id: str
    channel: str
    target: str
    business_key: str
    stage: str | None
    content_version: int
    content_sha256: str
    receipt_number: str
    receipt_at: datetime
    receipt_account: str | None
    case_id: UUID | None
    handover_id: UUID | None


async def of_keys(
    conn: Conn, channel: str, keys: Sequence[str], *, hold: bool = False
) -> list[dict[str, Any]]:
    """Every version the ledger knows of these business keys, oldest first; ``hold`` until the end."""
    cursor = await conn.execute(
        "SELECT e.own_id, e.channel, e.target, e.business_key, e.stage, e.content_version, e.content_sha256,"
        " e.state, e.attempts, e.case_id, e.handover_id, e.send_after, b.body_sealed"
        " FROM unnest(%s::text[]) n (business_key)"
        f" JOIN effects e ON {KEY.format('e.')} = {KEY.format('n.')} AND e.business_key = n.business_key"
        " LEFT JOIN effect_bodies b ON b.own_id = e.own_id"
        " WHERE e.channel = %s ORDER BY e.business_key, e.content_version"
        + (" FOR UPDATE OF e" if hold else ""),
        (sorted(set(keys)), channel),
    )
    return await cursor.fetchall()


async def write_theirs(conn: Conn, rows: Sequence[Theirs], *, business_now: datetime) -> set[str]:
    """Write down what they hold and the ledger does not know, or knows with content that never left.

    The own ids written.
    """
    if not rows:
        return set()
    # The app may not change a content's hash: the ledger's own function does, of what never left.
    await conn.execute(
        "SELECT take_over_content(%s::text[], %s::text[])",
        arrays(((row.own_id, row.content_sha256) for row in rows), 2),
    )
    names = list(Theirs.__slots__)
    columns = ", ".join(names)
    types = ["text[]"] * 5 + ["integer[]"] + ["text[]"] * 2 + ["timestamptz[]", "text[]", "uuid[]", "uuid[]"]
    given = ", ".join(f"%s::{each}" for each in types)
    cursor = await conn.execute(
        (
            f"INSERT INTO effects AS e ({columns}, state, reason, send_after, answered_at, answered_business)"
            f" SELECT t.*, 'accepted', '{TAKEN_OVER}', %s, clock_timestamp(), %s FROM unnest({given}) t"
            " ON CONFLICT (own_id) DO UPDATE SET receipt_number = EXCLUDED.receipt_number,"
            " receipt_at = EXCLUDED.receipt_at, receipt_account = EXCLUDED.receipt_account,"
            " answered_at = EXCLUDED.answered_at, answered_business = EXCLUDED.answered_business"
            f" WHERE e.reason = '{TAKEN_OVER}' AND e.content_sha256 = EXCLUDED.content_sha256"
            " AND e.receipt_number IS NULL RETURNING own_id"
        ).encode(),
        (
            business_now,
            business_now,
            *arrays(([getattr(row, name) for name in names] for row in rows), len(names)),
        ),
    )
    return {row["own_id"] for row in await cursor.fetchall()}


async def supersede(conn: Conn, own_ids: Sequence[str]) -> None:
    """These were planned anew of what the outside has under a later version: nothing is owed by them."""
    await conn.execute(
        "UPDATE effects SET state = 'superseded', reason = 'newer_version'"
        " WHERE own_id = ANY(%s) AND state = 'planned' AND attempts = 0",
        (list(own_ids),),
    )
