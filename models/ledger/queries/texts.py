"""Texts to liaisons: the news they are owed, the text that carries it, the gateway's receipt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn, arrays, insert
from models.ledger.queries.bell import NEWS, ring
from models.ledger.tables.effects import SmsNews, SmsText


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNews:
    """One accepted push that a section's liaison should hear of."""

    push_own_id: str
    case_id: UUID
    handover_id: UUID
    stage: str
    section_id: str
    urgent: bool
    business_at: datetime
    state: str = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewText:
    """What is known of a text beyond its effect."""

    own_id: str
    phone_index: bytes
    reference: str
    business_day: str
    planned_business: datetime
    news_count: int
    text_sha256: str


async def add_news(conn: Conn, rows: Sequence[NewNews]) -> None:
    """Remember the news; the same push is news once."""
    await insert(conn, SmsNews, rows, conflict="(push_own_id) DO NOTHING")
    if rows:
        ring(conn, [NEWS])


async def waiting_sections(conn: Conn) -> dict[str, bool]:
    """The sections for which news waits, and whether any of it is urgent; costs a step of an index each."""
    cursor = await conn.execute(
        """
        WITH RECURSIVE hops AS (
            (SELECT section_id FROM sms_news WHERE state <> 'folded' ORDER BY section_id LIMIT 1)
            UNION ALL
            SELECT n.section_id FROM hops h CROSS JOIN LATERAL (
                SELECT section_id FROM sms_news WHERE state <> 'folded' AND section_id > h.section_id
                ORDER BY section_id LIMIT 1) n)
        SELECT section_id, EXISTS (SELECT FROM sms_news n WHERE n.section_id = hops.section_id
            AND n.state <> 'folded' AND n.urgent) AS urgent FROM hops
        """
    )
    return {row["section_id"]: row["urgent"] for row in await cursor.fetchall()}


async def waiting_news(
    conn: Conn, limit: int, reached: Sequence[str], unreached: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """News of these sections that no text carries yet, with the item's name. Locked; others skip them.

    The oldest first, and what waited for a phone last. Of ``unreached`` sections only what does not
    wait for a phone already.
    """
    cursor = await conn.execute(
        "SELECT n.push_own_id, n.section_id, n.stage, n.urgent, n.state, n.business_at, c.item_name,"
        " c.approval_department FROM sms_news n JOIN cases c ON c.id = n.case_id"
        " WHERE n.state <> 'folded' AND (n.section_id = ANY(%s)"
        " OR n.section_id = ANY(%s) AND n.state = 'waiting')"
        " ORDER BY n.state = 'no_phone', n.business_at, n.push_own_id LIMIT %s FOR UPDATE OF n SKIP LOCKED",
        (list(reached), list(unreached), limit),
    )
    return await cursor.fetchall()


async def liaisons_of(conn: Conn, section_ids: Sequence[str], today: date) -> dict[str, list[dict[str, Any]]]:
    """The liaisons in office today of each section, the main one first."""
    cursor = await conn.execute(
        "SELECT l.*, s.name AS section_name FROM liaisons l JOIN sections s ON s.id = l.section_id"
        " WHERE l.section_id = ANY(%(ids)s) AND l.valid_from <= %(today)s"
        " AND (l.valid_to IS NULL OR l.valid_to >= %(today)s)"
        " ORDER BY l.section_id, l.rank, l.valid_from DESC",
        {"ids": list(section_ids), "today": today},
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row["section_id"], []).append(row)
    return found


async def last_texts(conn: Conn, phones: Sequence[bytes], day: str) -> dict[bytes, dict[str, Any]]:
    """For each phone its last text's planned_business, how many texts it got on this day, and two claims.

    ``open``: the last one has not left yet or is of unknown outcome. ``refused``: the gateway takes
    none for this phone.
    """
    cursor = await conn.execute(
        "SELECT p.phone_index, last.planned_business, last.open, last.refused,"
        " today.n AS today FROM"
        " (SELECT unnest(%(phones)s::bytea[]) AS phone_index) p"
        " CROSS JOIN LATERAL (SELECT count(*) AS n FROM sms_texts t"
        "  WHERE t.phone_index = p.phone_index AND t.business_day = %(day)s) today"
        " LEFT JOIN LATERAL (SELECT t.planned_business,"
        "  e.state IN ('planned', 'leased', 'intent', 'unknown') AS open,"
        "  e.state = 'refused' AND e.decided_at IS NULL AS refused FROM sms_texts t"
        "  JOIN effects e ON e.own_id = t.own_id WHERE t.phone_index = p.phone_index"
        "  ORDER BY t.business_day DESC, t.planned_business DESC LIMIT 1) last ON true",
        {"phones": list(phones), "day": day},
    )
    return {row["phone_index"]: row for row in await cursor.fetchall()}


async def add_texts(conn: Conn, rows: Sequence[NewText]) -> None:
    """Write the texts; their effects are planned in the same transaction."""
    await insert(conn, SmsText, rows)


async def fold(conn: Conn, folded: Sequence[tuple[str, str, str]]) -> None:
    """Write (push own id, text's own id, liaison's number): this text carries that news to that person."""
    if folded:
        await conn.execute(
            "UPDATE sms_news n SET state = 'folded', sms_own_id = f.sms, liaison = f.liaison,"
            " owner = NULL, due_at = NULL FROM unnest(%s::text[], %s::text[], %s::text[])"
            " f (push, sms, liaison) WHERE n.push_own_id = f.push",
            arrays(folded, 3),
        )


async def without_phone(conn: Conn, rows: Sequence[tuple[str, str, datetime]]) -> None:
    """Write (push own id, owner, due): nobody can be told; the owner supplies a phone."""
    if rows:
        await conn.execute(
            "UPDATE sms_news n SET state = 'no_phone', owner = f.owner, due_at = f.due"
            " FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) f (push, owner, due)"
            " WHERE n.push_own_id = f.push AND n.state = 'waiting'",
            arrays(rows, 3),
        )


async def unfold(conn: Conn, sms_own_ids: Sequence[str]) -> int:
    """Give the news of held texts back: it joins the liaison's next digest.

    Which text had carried it is remembered, for a late proof or a release.
    """
    cursor = await conn.execute(
        "UPDATE sms_news SET state = 'waiting', carried_by = sms_own_id, sms_own_id = NULL"
        " WHERE sms_own_id = ANY(%s)",
        (list(sms_own_ids),),
    )
    return cursor.rowcount


async def take_back(conn: Conn, sms_own_id: str) -> int:
    """Give a text that goes once more the news back that it carried and that nobody was told since."""
    cursor = await conn.execute(
        "UPDATE sms_news SET state = 'folded', sms_own_id = carried_by, owner = NULL, due_at = NULL"
        " WHERE carried_by = %s AND state <> 'folded'",
        (sms_own_id,),
    )
    return cursor.rowcount


async def unfold_refused(conn: Conn) -> int:
    """Give the news of texts the gateway refused back: it waits for another phone."""
    cursor = await conn.execute(
        "UPDATE sms_news n SET state = 'waiting', sms_own_id = NULL FROM effects e"
        " WHERE e.own_id = n.sms_own_id AND e.channel = 'sms' AND e.state = 'refused'"
    )
    return cursor.rowcount


async def to_look_up(
    conn: Conn, gateways: Sequence[str], limit: int, *, again_after_s: float
) -> list[dict[str, Any]]:
    """Texts of unknown outcome at gateways that can be asked; each comes again only after a while."""
    cursor = await conn.execute(
        """
        WITH due AS (
            SELECT own_id FROM effects WHERE channel = 'sms' AND state = 'unknown' AND via = ANY(%s)
              AND not_before <= (SELECT clock_timestamp()) AND answered_business IS NOT NULL
            ORDER BY not_before LIMIT %s FOR UPDATE SKIP LOCKED),
        later AS (
            UPDATE effects e SET not_before = clock_timestamp() + make_interval(secs => %s)
            FROM due WHERE e.own_id = due.own_id RETURNING e.own_id, e.via, e.answered_business)
        SELECT l.*, t.reference, b.body_sealed FROM later l JOIN sms_texts t ON t.own_id = l.own_id
        JOIN effect_bodies b ON b.own_id = l.own_id
        """,
        (list(gateways), limit, again_after_s),
    )
    return await cursor.fetchall()


async def looked_up(conn: Conn, found: Sequence[tuple[str, str]]) -> set[str]:
    """Write (own id, state) of texts of unknown outcome that their gateway told of; the own ids written."""
    cursor = await conn.execute(
        "UPDATE effects e SET state = f.state FROM unnest(%s::text[], %s::text[]) f (own_id, state)"
        " WHERE e.own_id = f.own_id AND e.channel = 'sms' AND e.state = 'unknown' RETURNING e.own_id",
        arrays(found, 2),
    )
    return {row["own_id"] for row in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Reported:
    """A receipt as the ledger looks for its text: by their number, or by our reference where they told it."""

    id: UUID
    position: int
    """Its place among all that came."""
    number: str
    phone_index: bytes
    status: str
    reference: str = ""


async def report(conn: Conn, rows: Sequence[Reported]) -> tuple[set[UUID], list[dict[str, Any]]]:
    """Write receipts at their texts: the inbox ids that found one, and the late proofs among them.

    ``DELIVRD`` is delivered, all else is not. Of a text that left, the receipt that came first stands; a
    receipt also proves that the gateway took a text of unknown outcome. What is told of a text that has not
    left is believed of none. One that comes after the text was held is
    a late proof (own_id, from_state, to_state, case_id, one for each case it told of): what it said and
    nobody was told since counts as told, unless it is known not to have arrived.
    """
    if not rows:
        return set(), []
    cursor = await conn.execute(
        """
        WITH given AS (
            SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[], %s::text[], %s::text[])
                g (id, position, number, phone, status, reference)),
        r AS (
            SELECT g.id, g.position, g.status, e.own_id, e.state, e.confirmed_by FROM given g
            JOIN effects e ON e.receipt_number = g.number AND e.channel = 'sms'
            JOIN sms_texts t ON t.own_id = e.own_id AND t.phone_index = g.phone
            UNION
            SELECT g.id, g.position, g.status, e.own_id, e.state, e.confirmed_by FROM given g
            JOIN sms_texts t ON t.reference = g.reference AND t.phone_index = g.phone
            JOIN effects e ON e.own_id = t.own_id AND e.state NOT IN ('leased', 'intent')
            WHERE g.reference <> ''),
        first AS (
            SELECT DISTINCT ON (own_id) own_id, status, state FROM r
            WHERE state IN ('accepted', 'unknown', 'held', 'delivered', 'undelivered')
                OR state = 'planned' AND confirmed_by IS NOT NULL
            ORDER BY own_id, position),
        noted AS (
            UPDATE sms_texts t SET report_status = f.status, report_at = clock_timestamp() FROM first f
            WHERE t.own_id = f.own_id AND t.report_status IS NULL),
        moved AS (
            UPDATE effects e SET state = CASE WHEN f.status = 'DELIVRD' THEN 'delivered'
                ELSE 'undelivered' END
            FROM first f WHERE e.own_id = f.own_id AND (e.state IN ('accepted', 'unknown', 'held')
                OR e.state = 'planned' AND e.confirmed_by IS NOT NULL)
            RETURNING e.own_id, f.state AS from_state, e.state AS to_state),
        told AS (
            UPDATE sms_news n SET state = 'folded', sms_own_id = m.own_id, owner = NULL, due_at = NULL
            FROM moved m WHERE n.carried_by = m.own_id AND n.state <> 'folded' AND m.to_state = 'delivered')
        SELECT r.id, NULL AS own_id, NULL AS from_state, NULL AS to_state, NULL::uuid AS case_id FROM r
        UNION ALL
        SELECT DISTINCT NULL::uuid, m.own_id, m.from_state, m.to_state, n.case_id FROM moved m
            LEFT JOIN sms_news n ON n.carried_by = m.own_id OR n.sms_own_id = m.own_id
            WHERE m.from_state IN ('held', 'planned')
        """,
        arrays(((r.id, r.position, r.number, r.phone_index, r.status, r.reference) for r in rows), 6),
    )
    found = await cursor.fetchall()
    return {row["id"] for row in found if row["id"]}, [row for row in found if row["own_id"]]
