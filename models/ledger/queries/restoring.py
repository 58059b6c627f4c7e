"""After a restore: what the journal knows and the ledger does not is written back, and never sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.domain.lifecycles.effect import TRANSITIONS, EffectEvent
from models.ledger.bulk import Conn, arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class LostText:
    """A text that left before the restore, as the journal remembers it; its words are gone."""

    own_id: str
    target: str
    business_key: str
    content_sha256: str
    attempts: int
    reference: str
    business_day: str
    news: int


async def hold_lost_texts(
    conn: Conn, rows: Sequence[LostText], *, owner: str, due_at: datetime, business_now: datetime
) -> int:
    """Write back, as held, texts the ledger does not know: whether they arrived nobody can say; how many."""
    if not rows:
        return 0
    cursor = await conn.execute(
        """
        WITH lost AS (
            SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::text[],
                %s::text[], %s::integer[])
            t (own_id, target, business_key, sha256, attempts, reference, day, news)),
        written AS (
            INSERT INTO effects (own_id, channel, target, business_key, content_version, content_sha256,
                state, reason, attempts, send_after, owner, due_at)
            SELECT own_id, 'sms', target, business_key, 1, sha256, 'held', 'restored', attempts, %s, %s, %s
            FROM lost ON CONFLICT DO NOTHING RETURNING own_id)
        INSERT INTO sms_texts (own_id, phone_index, reference, business_day, planned_business, news_count,
            text_sha256)
        SELECT l.own_id, decode(l.target, 'hex'), l.reference, l.day, %s, l.news, l.sha256
        FROM lost l JOIN written w USING (own_id) ON CONFLICT DO NOTHING
        """,
        (
            *arrays(
                (
                    (
                        r.own_id,
                        r.target,
                        r.business_key,
                        r.content_sha256,
                        r.attempts,
                        r.reference,
                        r.business_day,
                        r.news,
                    )
                    for r in rows
                ),
                8,
            ),
            business_now,
            owner,
            due_at,
            business_now,
        ),
    )
    return cursor.rowcount


async def hold_known_texts(
    conn: Conn, own_ids: Sequence[str] | None, *, owner: str, due_at: datetime
) -> list[str]:
    """Hold these texts, or all that have not come to an end: a machine never sends them again.

    Those that were held in the backup too: two people may have let them go since. What they asked for
    before is asked for no more. The own ids that were not held for this before.
    """
    cursor = await conn.execute(
        "UPDATE effects SET state = 'held', reason = 'restored', owner = %s, due_at = %s,"
        " asked_by = CASE WHEN confirmed_by IS NOT NULL THEN asked_by END"
        " WHERE channel = 'sms' AND (state = ANY(%s) OR (state = 'held' AND decided_at IS NULL"
        " AND reason IS DISTINCT FROM 'restored')) AND (%s::text[] IS NULL OR own_id = ANY(%s))"
        " RETURNING own_id",
        (owner, due_at, _held_from(), _list(own_ids), _list(own_ids)),
    )
    return [row["own_id"] for row in await cursor.fetchall()]


async def leases(conn: Conn) -> int:
    """How many effects are in a worker's hands, or were when the backup was made."""
    cursor = await conn.execute("SELECT count(*) AS n FROM effects WHERE lease_token IS NOT NULL")
    row = await cursor.fetchone()
    assert row is not None
    return int(row["n"])


async def hold_unprovable(
    conn: Conn, own_id: str, *, owner: str, due_at: datetime, business_now: datetime
) -> None:
    """One held effect that stands for news of which nobody knows whether it was told."""
    await conn.execute(
        "INSERT INTO effects (own_id, channel, target, business_key, content_version, content_sha256, state,"
        " reason, send_after, owner, due_at) VALUES (%s, 'sms', 'restored', %s, 1, %s, 'held', 'restored',"
        " %s, %s, %s) ON CONFLICT DO NOTHING",
        (own_id, f"restored|{own_id}", "0" * 64, business_now, owner, due_at),
    )


async def fold_waiting(conn: Conn, own_id: str) -> int:
    """All news that waits for a text is folded into that held one; how much."""
    cursor = await conn.execute(
        "UPDATE sms_news SET state = 'folded', sms_own_id = %s, owner = NULL, due_at = NULL"
        " WHERE state <> 'folded'",
        (own_id,),
    )
    return cursor.rowcount


async def not_accepted(conn: Conn, own_ids: Sequence[str]) -> list[str]:
    """Those of these own ids that the ledger does not know as accepted."""
    cursor = await conn.execute(
        "SELECT t.own_id FROM unnest(%s::text[]) t (own_id) WHERE NOT EXISTS"
        " (SELECT FROM effects e WHERE e.own_id = t.own_id AND e.state = 'accepted')",
        (list(own_ids),),
    )
    return [row["own_id"] for row in await cursor.fetchall()]


def _held_from() -> list[str]:
    return sorted({state.value for state, event in TRANSITIONS if event is EffectEvent.HELD})


def _list(own_ids: Sequence[str] | None) -> list[str] | None:
    return None if own_ids is None else list(own_ids)
