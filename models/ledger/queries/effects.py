"""The effect protocol in SQL: plan, intend, record, give back; which go next is in ``leasing``.

Every write after a lease says ``WHERE lease_token = mine``; a worker that slept past its lease
changes nothing. The states each statement starts from come from the lifecycle's own table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.domain.lifecycles.effect import TRANSITIONS, EffectEvent, EffectState
from models.ledger.bulk import Conn, arrays, insert
from models.ledger.queries.bell import ring
from models.ledger.queries.by_month import since
from models.ledger.queries.evidence import ANSWER_SAID, INTENT_SAID
from models.ledger.queries.leasing import IN_HAND, Hold, leasable
from models.ledger.tables.effects import KEY, Effect, EffectBody


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEffect:
    """Something owed to the outside, with the exact bytes it will carry, sealed."""

    own_id: str
    channel: str
    target: str
    business_key: str
    stage: str | None
    content_version: int
    content_sha256: str
    body_sealed: bytes
    case_id: UUID | None
    handover_id: UUID | None
    send_after: datetime
    state: str = "planned"


_BODY = ("own_id", "body_sealed")
_ROW = tuple(name for name in NewEffect.__slots__ if name != "body_sealed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one call. ``wait_s`` delays the next try; a person's case has owner and due_at.

    What is refused is its approving department's; ``owner`` is for what belongs to no case.
    """

    own_id: str
    state: EffectState
    attempt_outcome: str
    answer: str | None = None
    reason: str | None = None
    wait_s: float = 0
    receipt_number: str | None = None
    receipt_at: datetime | None = None
    receipt_account: str | None = None
    owner: str | None = None
    due_at: datetime | None = None
    via: str | None = None
    """The gateway a text goes by next, where that changes."""


_APPROVED_BY = (
    "(SELECT d.name FROM cases c JOIN departments d ON d.code = c.approval_department WHERE c.id = e.case_id)"
)
"""Who approved the case: what is refused is for them to put right."""
_SAME_KEY = f"{KEY.format('n.')} = {KEY.format('e.')} AND n.business_key = e.business_key"
OVERTAKEN = f"""(
    EXISTS (SELECT FROM effects n WHERE {_SAME_KEY} AND n.channel = e.channel AND n.target = e.target
        AND n.content_version > e.content_version)
    OR e.channel IN ('push', 'credit_report')
        AND EXISTS (SELECT FROM cases c WHERE c.id = e.case_id AND (c.state = 'voided'
            OR c.state = 'accepted' AND e.stage IN ('completion', 'XK'))))"""
"""What was in somebody's hands and never left has nothing to do any more: a newer content of its key
was planned meanwhile, or its case was withdrawn, or the result it tells."""


def _from(*events: EffectEvent) -> list[str]:
    return sorted({state.value for state, event in TRANSITIONS if event in events})


async def latest(conn: Conn, channel: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The newest content version known for each business key: version, hash and state."""
    cursor = await conn.execute(
        "SELECT DISTINCT ON (e.business_key) e.business_key, e.content_version, e.content_sha256, e.state,"
        f" e.own_id FROM unnest(%s::text[]) n (business_key) JOIN effects e ON {_SAME_KEY}"
        " WHERE e.channel = %s ORDER BY e.business_key, e.content_version DESC",
        (list(keys), channel),
    )
    return {row["business_key"]: row for row in await cursor.fetchall()}


async def plan(conn: Conn, rows: Sequence[NewEffect]) -> set[str]:
    """Write what is owed; the own ids that are new.

    An older content of the same business key that has not left, or that stands in front of a
    person, is superseded: an older version never goes after a newer one.
    """
    if not rows:
        return set()
    await conn.execute(
        "UPDATE effects e SET state = 'superseded', reason = 'newer_version'"
        " FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[])"
        " n (channel, target, business_key, version)"
        f" WHERE {_SAME_KEY} AND e.channel = n.channel AND e.target = n.target"
        " AND e.content_version < n.version AND e.state = ANY(%s)",
        (
            *arrays(((r.channel, r.target, r.business_key, r.content_version) for r in rows), 4),
            _from(EffectEvent.SUPERSEDED),
        ),
    )
    written = await insert(conn, Effect, rows, conflict="(own_id) DO NOTHING", returning="own_id", only=_ROW)
    new = {row["own_id"] for row in written}
    await insert(conn, EffectBody, [row for row in rows if row.own_id in new], only=_BODY)
    if new:
        ring(conn, {row.channel for row in rows if row.own_id in new})
    return new


async def intend(
    conn: Conn,
    bodies: Sequence[tuple[str, bytes, bytes]],
    *,
    token: UUID,
    worker: str,
    via: str | None = None,
) -> dict[str, int]:
    """Write the intent of calling, with its attempt and its leaf: the leaf's number by own id.

    Of those only that are still ours to call: an expired lease is nobody's. To be committed before the
    call: a worker that the call kills is counted already. ``bodies`` are own id, commitment to the exact
    bytes, SHA-256 of the sealed ones; ``via`` the gateway a text goes by.
    """
    mine = """
            UPDATE effects SET state = 'intent', deaths = deaths + 1, via = %(via)s
            WHERE own_id = ANY(%(ids)s) AND lease_token = %(token)s AND state = ANY(%(states)s)
              AND lease_until > clock_timestamp()"""
    hold: dict[str, Any] = {"token": token, "via": via, "states": _from(EffectEvent.INTENDED)}
    return await _intended(conn, mine, bodies, worker, hold)


async def intend_found(
    conn: Conn, bodies: Sequence[tuple[str, bytes, bytes]], hold: Hold, *, worker: str
) -> dict[str, int]:
    """Lease what ``leasing.take`` has found in this transaction and write its intent, in one statement.

    For receivers that know our ids again: where a worker dies before the call, the repeat is theirs to
    recognise. Otherwise as ``intend``.
    """
    mine = f"""
            UPDATE effects e SET state = 'intent', deaths = deaths + 1, via = NULL, {IN_HAND}
            WHERE own_id = ANY(%(ids)s) AND state = ANY(%(states)s)"""
    leased = {"token": hold.token, "seconds": hold.seconds, "states": leasable(repeat=True)}
    return await _intended(conn, mine, bodies, worker, leased)


async def _intended(
    conn: Conn, mine: str, bodies: Sequence[tuple[str, bytes, bytes]], worker: str, said: dict[str, Any]
) -> dict[str, int]:
    sql = (
        f"""
        WITH mine AS ({mine}
            RETURNING own_id, attempts, channel, target, via), """
        + INTENT_SAID
        + """
        SELECT own_id, leaf FROM said
        """
    )
    own_ids, commitments, sealed = arrays(bodies, 3)
    bound = {"ids": own_ids, "commitments": commitments, "sealed": sealed, "worker": worker}
    cursor = await conn.execute(sql.encode(), bound | said)
    return {row["own_id"]: row["leaf"] for row in await cursor.fetchall()}


async def record(
    conn: Conn,
    outcomes: Sequence[Outcome],
    *,
    intents: Mapping[str, int],
    token: UUID,
    business_now: datetime,
) -> set[str]:
    """Write what came of the calls, with its leaf, where the lease is still ours; the own ids written.

    ``intents`` are the intents' leaves by own id, as ``intend`` said them.
    """
    if not outcomes:
        return set()
    sql = (
        """
        WITH o AS (
            SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                %s::double precision[], %s::text[], %s::timestamptz[], %s::text[], %s::text[],
                %s::timestamptz[], %s::text[], %s::bigint[])
            AS o (own_id, state, attempt_outcome, answer, reason, wait_s, receipt_number, receipt_at,
                  receipt_account, owner, due_at, via, intent_leaf)),
        done AS (
            UPDATE effects e SET reason = o.reason, deaths = 0,
                state = CASE WHEN o.state = 'planned' AND """
        + OVERTAKEN
        + """ THEN 'superseded' ELSE o.state END,
                lease_token = NULL, lease_until = NULL,
                not_before = clock_timestamp() + make_interval(secs => o.wait_s),
                answered_at = clock_timestamp(), answered_business = %s,
                receipt_number = o.receipt_number, receipt_at = o.receipt_at,
                receipt_account = o.receipt_account, due_at = o.due_at,
                owner = CASE WHEN o.state = 'refused' THEN COALESCE("""
        + _APPROVED_BY
        + """, o.owner) ELSE o.owner END,
                via = COALESCE(o.via, e.via)
            FROM o WHERE e.own_id = o.own_id
              -- in a CASE it is tried on what the ids found; else all that is in hand is tried with each id
              AND CASE WHEN e.state = 'intent' THEN e.lease_token = %s ELSE false END
            RETURNING e.own_id, e.attempts, e.receipt_number, e.receipt_at, o.attempt_outcome, o.answer,
                o.intent_leaf),
        """
        + ANSWER_SAID
        + """
        SELECT own_id FROM said
        """
    )
    cursor = await conn.execute(
        sql.encode(),
        (
            *arrays(
                (
                    (
                        o.own_id,
                        o.state.value,
                        o.attempt_outcome,
                        o.answer,
                        o.reason,
                        float(o.wait_s),
                        o.receipt_number,
                        o.receipt_at,
                        o.receipt_account,
                        o.owner,
                        o.due_at,
                        o.via,
                        intents[o.own_id],
                    )
                    for o in outcomes
                ),
                13,
            ),
            business_now,
            token,
        ),
    )
    return {row["own_id"] for row in await cursor.fetchall()}


async def give_back(conn: Conn, *, token: UUID) -> int:
    """Return what was leased and never called; it was no try."""
    sql = (
        "UPDATE effects e SET state = CASE WHEN doubtful THEN 'unknown' WHEN "
        + OVERTAKEN
        + " THEN 'superseded' ELSE 'planned' END,"
        " lease_token = NULL, lease_until = NULL, attempts = attempts - 1"
        " WHERE lease_token = %s AND state = ANY(%s)"
    )
    cursor = await conn.execute(
        sql.encode(),
        (token, _from(EffectEvent.LEASE_GIVEN_BACK)),
    )
    return cursor.rowcount


async def recover_expired(conn: Conn, *, business_now: datetime) -> list[dict[str, Any]]:
    """Take up what dead workers left: leased goes back, an intent's outcome is unknown.

    A lease without an intent proves that no call was made. Returns own_id, state, channel, deaths.
    """
    sql = (
        """
        WITH dead AS (
            SELECT own_id FROM effects WHERE lease_token IS NOT NULL AND lease_until < clock_timestamp()
            FOR UPDATE SKIP LOCKED),
        back AS (
            UPDATE effects e SET
                state = CASE WHEN e.state <> 'leased' OR e.doubtful THEN 'unknown' WHEN """
        + OVERTAKEN
        + """ THEN 'superseded' ELSE 'planned' END,
                reason = CASE WHEN e.state = 'intent' THEN 'worker_lost' ELSE e.reason END,
                not_before = clock_timestamp() + make_interval(secs => least(300, power(2, e.deaths))),
                answered_business = %s, lease_token = NULL, lease_until = NULL
            FROM dead WHERE e.own_id = dead.own_id
            RETURNING e.own_id, e.state, e.channel, e.attempts, e.deaths, e.planned_at),
        tried AS (
            UPDATE effect_attempts a SET finished_at = clock_timestamp(), outcome = 'worker_lost'
            FROM back b WHERE a.own_id = b.own_id AND a.finished_at IS NULL AND """
        + since("a.leaf", "b.planned_at")
        + """)
        SELECT own_id, state, channel, deaths FROM back
        """
    )
    cursor = await conn.execute(sql.encode(), (business_now,))
    return await cursor.fetchall()


async def hold(
    conn: Conn, own_ids: Sequence[str], *, reason: str, owner: str, due_at: datetime
) -> list[dict[str, Any]]:
    """Put effects in front of a person: a machine does not touch them again."""
    cursor = await conn.execute(
        "UPDATE effects SET state = 'held', reason = %s, owner = %s, due_at = %s"
        " WHERE own_id = ANY(%s) AND state = ANY(%s) RETURNING own_id, case_id",
        (reason, owner, due_at, list(own_ids), _from(EffectEvent.HELD)),
    )
    return await cursor.fetchall()


async def unknown_texts(conn: Conn, before: datetime) -> list[str]:
    """Texts whose outcome has been unknown since before this business time."""
    cursor = await conn.execute(
        "SELECT own_id FROM effects WHERE channel = 'sms' AND state = 'unknown' AND answered_business <= %s",
        (before,),
    )
    return [row["own_id"] for row in await cursor.fetchall()]


async def withdraw_planned(
    conn: Conn,
    case_ids: Sequence[UUID],
    reason: str,
    *,
    channels: Sequence[str] = ("push", "credit_report"),
    stages: Sequence[str] | None = None,
) -> None:
    """Nothing of these cases' pushes and reports that has not left will leave.

    Only of these channels, and of these stages where they are named.
    """
    await conn.execute(
        "UPDATE effects SET state = 'superseded', reason = %s WHERE case_id = ANY(%s)"
        " AND channel = ANY(%s) AND (%s::text[] IS NULL OR stage = ANY(%s)) AND state = 'planned'",
        (reason, list(case_ids), list(channels), stages, stages),
    )


async def ask_release(conn: Conn, own_id: str, by: str) -> None:
    """Note who asks that a held text goes once more; whoever confirms is another person."""
    await conn.execute(
        "UPDATE effects SET asked_by = %s, confirmed_by = NULL WHERE own_id = %s AND channel = 'sms'"
        " AND state = 'held' AND decided_at IS NULL",
        (by, own_id),
    )


async def release_held(conn: Conn, own_id: str, *, confirmed_by: str, send_after: datetime) -> bool:
    """Plan a held text once more, where another person asked for it; False where it is not so any more."""
    cursor = await conn.execute(
        "UPDATE effects SET state = 'planned', reason = 'released', confirmed_by = %(by)s, owner = NULL,"
        " due_at = NULL, deaths = 0, doubtful = false, not_before = clock_timestamp(),"
        " send_after = %(after)s WHERE own_id = %(id)s AND channel = 'sms' AND state = ANY(%(states)s)"
        " AND decided_at IS NULL AND asked_by <> %(by)s",
        {"by": confirmed_by, "after": send_after, "id": own_id, "states": _from(EffectEvent.RELEASED)},
    )
    ring(conn)
    return cursor.rowcount == 1


async def stopped_count(conn: Conn) -> int:
    """How many effects stand in front of a person."""
    cursor = await conn.execute(
        "SELECT count(*) AS n FROM effects WHERE state IN ('held', 'refused') AND decided_at IS NULL"
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["n"])


async def due_count(conn: Conn, business_now: datetime) -> int:
    """How many effects could go now or are on their way."""
    cursor = await conn.execute(
        "SELECT count(*) AS n FROM effects WHERE state IN ('leased', 'intent')"
        " OR (state IN ('planned', 'unknown') AND send_after <= %s)",
        (business_now,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["n"])
