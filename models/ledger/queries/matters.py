"""Open matters behind which many may stand, and the run in Prefect that shows each."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.domain.lifecycles.effect import Channel
from models.ledger.bulk import Conn, arrays
from models.ledger.queries.by_month import last_answer

BREAKER = "breaker_open"
HELD_TEXTS = "held_texts"
NO_PHONE = "no_phone"
_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "platform": (Channel.PUSH, Channel.RECALL, Channel.RETURN),
    "credit": (Channel.CREDIT_REPORT,),
    "sms": (Channel.SMS,),
}


@dataclass(frozen=True, slots=True)
class MatterShown:
    """What a matter's run shows: ``shown`` its state and sentence, ``message`` the digest of its table."""

    key: str
    flow_run_id: UUID
    shown: str
    message: str


async def open_matters(conn: Conn, limit: int = 500) -> list[dict[str, Any]]:
    """Every open matter, the oldest first: key, kind, thing, count, message, owner, since, due_at.

    Incidents as they stand; sections without a phone; texts that are held. Times are business time.
    """
    cursor = await conn.execute(
        """
        SELECT 'incident:' || i.id AS key, i.kind, i.key AS thing, i.count, i.message, i.owner, i.since,
            i.due_at, d.name AS department, NULL AS section
        FROM incidents i LEFT JOIN departments d ON d.code = split_part(i.key, '/', 2)
        WHERE i.closed_at IS NULL
        UNION ALL
        SELECT 'no_phone:' || n.section_id, 'no_phone', n.section_id, count(*), NULL, min(n.owner),
            min(n.business_at), min(n.due_at), d.name, s.name
        FROM sms_news n LEFT JOIN sections s ON s.id = n.section_id
        LEFT JOIN departments d ON d.code = s.department_code
        WHERE n.state = 'no_phone' GROUP BY n.section_id, d.name, s.name
        UNION ALL
        SELECT 'held_texts', 'held_texts', '', count(*), NULL, min(owner), min(answered_business),
            min(due_at), NULL, NULL
        FROM effects WHERE channel = 'sms' AND state IN ('held', 'refused') AND decided_at IS NULL
        HAVING count(*) > 0
        ORDER BY since, key LIMIT %s
        """,
        (limit,),
    )
    return await cursor.fetchall()


async def behind_targets(conn: Conn, things: Collection[str], limit: int) -> dict[str, list[dict[str, Any]]]:
    """What waits for each target (``system`` or ``system/department``): the oldest few, with n and cases."""
    pairs = [(system, channel) for system, channels in _CHANNELS.items() for channel in channels]
    cursor = await conn.execute(
        """
        WITH t AS (SELECT thing, split_part(thing, '/', 1) AS system, split_part(thing, '/', 2) AS target
                   FROM unnest(%s::text[]) AS u (thing)),
        waits AS (
            SELECT t.thing, e.own_id, e.channel, e.stage, e.state, e.reason, e.planned_at, e.case_id
            FROM t JOIN unnest(%s::text[], %s::text[]) AS c (system, channel) ON c.system = t.system
            JOIN effects e ON e.channel = c.channel AND (t.target = '' OR e.target = t.target)
            WHERE e.state IN ('planned', 'unknown')),
        counted AS (
            SELECT thing, count(*) AS n, count(DISTINCT case_id) AS cases FROM waits GROUP BY thing)
        SELECT o.*, k.n, k.cases FROM counted k CROSS JOIN LATERAL (
            SELECT w.thing, w.channel, w.stage, w.state, w.reason, w.planned_at, a.case_no, a.item_name
            FROM waits w LEFT JOIN cases a ON a.id = w.case_id WHERE w.thing = k.thing
            ORDER BY w.planned_at, w.own_id LIMIT %s) o
        """,
        (list(things), *arrays(pairs, 2), limit),
    )
    return _by_thing(await cursor.fetchall())


async def behind_items(conn: Conn, codes: Collection[str], limit: int) -> dict[str, list[dict[str, Any]]]:
    """The records parked for each item nobody has listed: the oldest few, with n."""
    cursor = await conn.execute(
        "SELECT t.thing, b.* FROM unnest(%s::text[]) AS t (thing) CROSS JOIN LATERAL ("
        " SELECT record_key, record_version, received_at, count(*) OVER () AS n FROM inbox"
        " WHERE outcome = 'parked' AND reason = 'item:' || t.thing ORDER BY position LIMIT %s) b",
        (list(codes), limit),
    )
    return _by_thing(await cursor.fetchall())


async def behind_sections(conn: Conn, ids: Collection[str], limit: int) -> dict[str, list[dict[str, Any]]]:
    """The news nobody of each section could be told, the oldest few."""
    cursor = await conn.execute(
        "SELECT t.thing, b.* FROM unnest(%s::text[]) AS t (thing) CROSS JOIN LATERAL ("
        " SELECT c.case_no, c.item_name, n.stage, n.business_at FROM sms_news n"
        " JOIN cases c ON c.id = n.case_id WHERE n.section_id = t.thing AND n.state = 'no_phone'"
        " ORDER BY n.business_at, n.push_own_id LIMIT %s) b",
        (list(ids), limit),
    )
    return _by_thing(await cursor.fetchall())


def _by_thing(rows: Collection[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["thing"]].append(row)
    return found


async def held_texts(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """The texts that stand in front of a person, the oldest few; never a phone."""
    cursor = await conn.execute(
        "SELECT e.own_id, t.reference, e.state, e.reason, e.answered_business, e.owner, e.due_at,"
        f" {last_answer('e')} AS answer"
        " FROM effects e LEFT JOIN sms_texts t ON t.own_id = e.own_id WHERE e.channel = 'sms'"
        " AND e.state IN ('held', 'refused') AND e.decided_at IS NULL ORDER BY e.due_at, e.own_id LIMIT %s",
        (limit,),
    )
    return await cursor.fetchall()


async def remember(conn: Conn, keys: Collection[str]) -> dict[str, dict[str, Any]]:
    """What is known of these matters' runs, by key; one that is new, or open again, gets a new run."""
    await conn.execute(
        "INSERT INTO mirror_incidents (key) SELECT unnest(%s::text[]) ON CONFLICT (key) DO UPDATE"
        " SET opened_at = clock_timestamp(), closed_at = NULL, flow_run_id = NULL, shown = NULL,"
        " message = NULL WHERE mirror_incidents.closed_at IS NOT NULL",
        (sorted(keys),),
    )
    cursor = await conn.execute(
        "SELECT key, flow_run_id, shown, message, opened_at FROM mirror_incidents WHERE closed_at IS NULL"
    )
    return {row["key"]: row for row in await cursor.fetchall()}


async def mark_shown(conn: Conn, shown: Collection[MatterShown]) -> None:
    """These matters are shown so."""
    await conn.execute(
        "UPDATE mirror_incidents m SET flow_run_id = n.run, shown = n.shown, message = n.message"
        " FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::text[]) AS n (key, run, shown, message)"
        " WHERE m.key = n.key",
        arrays(((one.key, one.flow_run_id, one.shown, one.message) for one in shown), 4),
    )


async def mark_closed(conn: Conn, keys: Collection[str]) -> None:
    """The runs of these matters say that they are over."""
    await conn.execute(
        "UPDATE mirror_incidents SET closed_at = clock_timestamp() WHERE key = ANY(%s)", (list(keys),)
    )


async def forget_all(conn: Conn) -> None:
    """The runs of open matters are made or found again, with their tables."""
    await conn.execute(
        "UPDATE mirror_incidents SET flow_run_id = NULL, shown = NULL, message = NULL WHERE closed_at IS NULL"
    )
