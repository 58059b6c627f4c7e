"""Which effects go next: oldest first within a target, target by target in turn.

A backlog of one target delays no other, and a target that is left alone costs one step of an index,
however much waits for it. Who has been leased what is told by the token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.domain.lifecycles.effect import TRANSITIONS, EffectEvent
from models.ledger.bulk import Conn

_TAKEABLE = """e.state IN ('planned', 'unknown') AND e.state = ANY(%(states)s) AND e.send_after <= %(now)s
    AND (SELECT true FROM effects o WHERE o.channel = e.channel AND o.target = e.target
        AND o.business_key = e.business_key AND o.own_id <> e.own_id
        AND o.state IN ('leased', 'intent', 'unknown') LIMIT 1) IS NULL"""
"""Nothing of its key is in anybody's hands: looked up by its key, not joined with all that is."""

_TIME = "(SELECT clock_timestamp())"
"""In brackets it is read once, and can bound the search in an index."""

_STANDS = "e.attempts, e.deaths, e.doubtful OR e.state = 'unknown' AS doubtful"
"""As the locked row has it: the statement's own view may be older than the lock."""

_BY_TARGET = f"""
    WITH RECURSIVE hops AS (
        (SELECT e.target, e.not_before FROM effects e
         WHERE e.channel = %(channel)s AND e.state IN ('planned', 'unknown')
         ORDER BY e.target, e.not_before LIMIT 1)
        UNION ALL
        SELECT n.target, n.not_before FROM hops h CROSS JOIN LATERAL (
            SELECT e.target, e.not_before FROM effects e
            WHERE e.channel = %(channel)s AND e.state IN ('planned', 'unknown') AND e.target > h.target
            ORDER BY e.target, e.not_before LIMIT 1) n),
    targets AS (
        SELECT target FROM hops
        WHERE (not_before <= {_TIME} OR %(probe)s) AND target <> ALL(%(blocked)s)
          AND (%(only)s::text IS NULL OR target = %(only)s)),
    share AS (
        SELECT least(%(limit)s, ceil(2.0 * %(limit)s / greatest(1, count(*))))::integer AS n FROM targets),
    turns AS (
        SELECT d.own_id, d.not_before, d.attempts, d.deaths, d.doubtful,
               row_number() OVER (PARTITION BY t.target ORDER BY d.not_before, d.own_id) AS turn
        FROM targets t CROSS JOIN LATERAL (
            SELECT e.own_id, e.not_before, {_STANDS} FROM effects e
            WHERE e.channel = %(channel)s AND e.target = t.target
              AND (%(probe)s OR e.not_before <= {_TIME}) AND {_TAKEABLE}
            ORDER BY e.not_before, e.own_id LIMIT (SELECT n FROM share) FOR UPDATE OF e SKIP LOCKED) d),
    due AS (
        SELECT own_id, turn, attempts, deaths, doubtful FROM turns
        ORDER BY turn, not_before, own_id LIMIT %(limit)s)"""

_OF_CASES = f"""
    WITH due AS (
        SELECT e.own_id, 1::bigint AS turn, {_STANDS} FROM effects e
        WHERE e.case_id = ANY(%(cases)s) AND e.channel = %(channel)s AND e.target <> ALL(%(blocked)s)
          AND {_TAKEABLE}
        ORDER BY e.not_before, e.own_id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED)"""

_TEXTS = f"""
    WITH due AS (
        SELECT e.own_id, 1::bigint AS turn FROM effects e
        WHERE e.channel = %(channel)s AND e.not_before <= {_TIME} AND {_TAKEABLE}
          AND (%(gateways)s::text[] IS NULL OR coalesce(e.via, '') = ANY(%(gateways)s))
          AND NOT EXISTS (
              SELECT FROM effects o WHERE o.channel = 'sms' AND o.target = e.target
              AND o.own_id <> e.own_id AND o.state IN ('leased', 'intent', 'unknown'))
          AND NOT EXISTS (
              SELECT FROM effects o WHERE o.channel = 'sms' AND o.target = e.target AND o.state = 'planned'
              AND o.not_before <= {_TIME} AND (o.not_before, o.own_id) < (e.not_before, e.own_id))
        ORDER BY e.not_before, e.own_id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED)"""

IN_HAND = """doubtful = e.doubtful OR e.state = 'unknown', attempts = e.attempts + 1,
        lease_token = %(token)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)"""
"""What a lease writes beside the state: whose it is and until when; the try is counted."""

_ROW = """e.own_id, e.channel, e.target, e.business_key, e.stage, e.content_version,
        e.content_sha256, b.body_sealed, e.case_id, e.handover_id, e.planned_at, e.reason,
        e.not_before, due.turn"""

_FIND = f"""
    SELECT {_ROW}, due.deaths, due.attempts + 1 AS attempts, due.doubtful
    FROM due JOIN effects e ON e.own_id = due.own_id JOIN effect_bodies b ON b.own_id = due.own_id"""

_LEASE = f"""
    UPDATE effects e SET state = 'leased', {IN_HAND}
    FROM due JOIN effect_bodies b ON b.own_id = due.own_id WHERE e.own_id = due.own_id
    RETURNING {_ROW}, e.deaths, e.attempts, e.doubtful"""


@dataclass(frozen=True, slots=True)
class Hold:
    """Whose hands an effect is in, and for how many seconds of the database's clock."""

    token: UUID
    seconds: float


async def take(
    conn: Conn,
    *,
    channel: str,
    repeat: bool,
    limit: int,
    hold: Hold | None,
    business_now: datetime,
    case_ids: Sequence[UUID] | None = None,
    blocked: Sequence[str] = (),
    only: str | None = None,
    probe: bool = False,
    gateways: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Take the effects whose time has come, in the order to go in: rows as they are once they are leased.

    With a ``hold`` they are leased; without one they are locked until the transaction ends, in which
    ``lease`` or ``effects.intend_found`` leases them. ``repeat`` also takes those whose outcome is
    unknown: only for receivers that know our ids.
    None is taken while another of its business key is unresolved, and of texts one a phone. The try
    is counted with the lease.

    ``case_ids`` takes only those of these cases, whatever delay they are under. ``blocked`` targets are
    left alone; ``only`` takes one target's; ``probe`` whatever delay they are under. ``gateways`` takes
    the texts that go by these next ('' those that are bound to none).
    """
    due = _BY_TARGET if case_ids is None else _OF_CASES
    cursor = await conn.execute(
        ((_TEXTS if channel == "sms" else due) + (_LEASE if hold is not None else _FIND)).encode(),
        {
            "channel": channel,
            "states": leasable(repeat=repeat),
            "limit": limit,
            "token": hold.token if hold is not None else None,
            "seconds": hold.seconds if hold is not None else None,
            "now": business_now,
            "cases": list(case_ids) if case_ids is not None else None,
            "blocked": list(blocked),
            "only": only,
            "probe": probe,
            "gateways": list(gateways) if gateways is not None else None,
        },
    )
    rows = await cursor.fetchall()
    return sorted(rows, key=lambda row: (row["turn"], row["not_before"], row["own_id"]))


async def lease(conn: Conn, own_ids: Sequence[str], hold: Hold) -> None:
    """Lease what ``take`` has found in this transaction."""
    await conn.execute(
        f"UPDATE effects e SET state = 'leased', {IN_HAND} WHERE own_id = ANY(%(ids)s)".encode(),
        {"ids": list(own_ids), "token": hold.token, "seconds": hold.seconds},
    )


def leasable(*, repeat: bool) -> list[str]:
    """The states an effect may be leased from; ``repeat`` those of an unknown outcome as well."""
    events = {EffectEvent.LEASED} | ({EffectEvent.LEASED_TO_REPEAT} if repeat else set())
    return sorted({state.value for state, event in TRANSITIONS if event in events})
