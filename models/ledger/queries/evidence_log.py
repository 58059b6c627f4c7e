"""What the verifier and the export read of the evidence; nothing here writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn
from models.ledger.queries.evidence import LEAF_TIME
from models.ledger.tables.months import A_MONTH, ARCHIVED

_PLACED = (
    "SELECT p.position, p.leaf AS number, p.leaf_hash, l.leaf FROM evidence_positions p"
    " LEFT JOIN evidence_leaves l ON l.number = p.leaf"
)


async def placed(conn: Conn, after: int, limit: int) -> list[dict[str, Any]]:
    """Positions above ``after`` in order, with the leaf's number, the stored hash and the leaf (or None)."""
    cursor = await conn.execute(
        (_PLACED + " WHERE p.position > %s ORDER BY p.position LIMIT %s").encode(), (after, limit)
    )
    return await cursor.fetchall()


async def seals(conn: Conn) -> list[dict[str, Any]]:
    """Every round of the sealer: size, root, the head before and its age, the smallest first."""
    cursor = await conn.execute(
        "SELECT size, root, previous_head,"
        " extract(epoch FROM clock_timestamp() - sealed_at)::float AS age_s FROM evidence_seals ORDER BY size"
    )
    return await cursor.fetchall()


async def archived(conn: Conn) -> list[dict[str, Any]]:
    """The months of evidence that the ledger says lie in files: month, positions (a multirange), sha256."""
    cursor = await conn.execute(
        "SELECT month, positions, sha256 FROM archived_months WHERE kind = 'evidence' ORDER BY month"
    )
    return await cursor.fetchall()


async def archived_leaves(conn: Conn) -> list[dict[str, Any]]:
    """The leaves that say which months went into files, with their positions, in order."""
    cursor = await conn.execute(
        "SELECT p.position, l.leaf FROM evidence_leaves l JOIN evidence_positions p ON p.leaf = l.number"
        " WHERE starts_with(l.leaf, %s) ORDER BY p.position",
        (ARCHIVED,),
    )
    return await cursor.fetchall()


async def archived_since(conn: Conn, moment: datetime) -> list[int]:
    """The months of evidence in files in which something of this moment or later may lie."""
    cursor = await conn.execute(
        f"SELECT month FROM archived_months WHERE kind = 'evidence' AND month >= month_floor(%s) / {A_MONTH}"
        " ORDER BY month",
        (moment,),
    )
    return [row["month"] for row in await cursor.fetchall()]


async def never_sealed(conn: Conn, older_than_s: float) -> dict[str, Any]:
    """How many leaves have no position although they are old enough (``n``), and the first's number."""
    cursor = await conn.execute(
        "SELECT count(*) AS n, min(l.number) AS number, min(l.leaf) AS leaf FROM evidence_leaves l"
        " WHERE NOT EXISTS (SELECT FROM evidence_positions p WHERE p.leaf = l.number)"
        " AND coalesce(" + LEAF_TIME + ", '') < to_char((clock_timestamp() - make_interval(secs => %s))"
        " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')",
        (older_than_s,),
    )
    row = await cursor.fetchone()
    assert row is not None
    return row


async def without_leaf(conn: Conn, limit: int, gone: Sequence[int]) -> list[dict[str, Any]]:
    """Tries, answers and messages whose leaf is gone: its number and the own id, the oldest first.

    ``gone`` are months (202307) whose leaves lie in a file.
    """
    cursor = await conn.execute(
        "SELECT r.number, r.own_id FROM ("
        " SELECT leaf AS number, own_id::text AS own_id FROM effect_attempts WHERE leaf > 0"
        " UNION ALL SELECT answer_leaf, own_id::text FROM effect_attempts WHERE answer_leaf IS NOT NULL"
        " UNION ALL SELECT leaf, inbox_id::text FROM inbox_raw WHERE leaf > 0"
        " UNION ALL SELECT leaf, case_id::text FROM credit_checks WHERE leaf > 0) r"
        " WHERE NOT EXISTS (SELECT FROM evidence_leaves l WHERE l.number = r.number)"
        f" AND r.number / {A_MONTH} <> ALL(%s::bigint[]) ORDER BY r.number LIMIT %s",
        (list(gone), limit),
    )
    return await cursor.fetchall()


async def whose(conn: Conn, numbers: Sequence[int]) -> dict[int, str]:
    """The own ids that say these leaf numbers are theirs."""
    cursor = await conn.execute(
        "SELECT leaf AS number, own_id::text AS own_id FROM effect_attempts WHERE leaf = ANY(%(n)s)"
        " UNION ALL SELECT answer_leaf, own_id::text FROM effect_attempts WHERE answer_leaf = ANY(%(n)s)"
        " UNION ALL SELECT leaf, inbox_id::text FROM inbox_raw WHERE leaf = ANY(%(n)s)"
        " UNION ALL SELECT leaf, case_id::text FROM credit_checks WHERE leaf = ANY(%(n)s)",
        {"n": list(numbers)},
    )
    return {row["number"]: row["own_id"] for row in await cursor.fetchall()}


async def other_bytes(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Leaves whose sealed bytes are not those that lie in the ledger, or lie there no more."""
    cursor = await conn.execute(
        'WITH j AS (SELECT l.number, substring(l.leaf FROM \'"kind":"([a-z]+)"\') AS kind,'
        ' substring(l.leaf FROM \'"own_id":"([^"]+)"\') AS own_id,'
        ' substring(l.leaf FROM \'"sealed":"([0-9a-f]+)"\') AS sealed FROM evidence_leaves l)'
        " SELECT p.position, s.own_id, s.lies IS NULL AS gone FROM ("
        " SELECT j.*, sha256(b.body_sealed) AS lies FROM j"
        " LEFT JOIN effect_bodies b ON b.own_id = j.own_id WHERE j.kind = 'intent'"
        " UNION ALL SELECT j.*, sha256(r.raw_sealed) FROM j"
        " LEFT JOIN inbox_raw r ON r.inbox_id::text = j.own_id AND r.leaf = j.number"
        " WHERE j.kind = 'inward'"
        " UNION ALL SELECT j.*, sha256(k.body_sealed) FROM j"
        " LEFT JOIN credit_checks k ON k.case_id::text = j.own_id AND k.leaf = j.number"
        " WHERE j.kind = 'lookup') s LEFT JOIN evidence_positions p ON p.leaf = s.number"
        " WHERE encode(s.lies, 'hex') IS DISTINCT FROM s.sealed ORDER BY p.position LIMIT %s",
        (limit,),
    )
    return await cursor.fetchall()


async def of_case(conn: Conn, case_id: UUID, case_no: str) -> list[dict[str, Any]]:
    """Every leaf of a case in the order of the log, with the sealed bytes it speaks of.

    Its effects with every try and answer, the texts that carry its news, its records and feedback.
    """
    cursor = await conn.execute(
        """
        WITH own AS (
            SELECT own_id FROM effects WHERE case_id = %(case)s
            UNION SELECT sms_own_id FROM sms_news WHERE case_id = %(case)s AND sms_own_id IS NOT NULL),
        messages AS (
            SELECT id FROM inbox WHERE kind = 'case' AND record_key = %(case_no)s
            UNION SELECT i.id FROM inbox i JOIN feedback f ON i.kind = 'feedback'
                AND i.record_key = f.feedback_no WHERE f.case_id = %(case)s),
        said AS (
            SELECT a.leaf AS number, a.own_id, b.body_sealed AS sealed FROM effect_attempts a
                JOIN own USING (own_id) JOIN effect_bodies b USING (own_id) WHERE a.leaf > 0
            UNION ALL SELECT a.answer_leaf, a.own_id, NULL FROM effect_attempts a
                JOIN own USING (own_id) WHERE a.answer_leaf IS NOT NULL
            UNION ALL SELECT r.leaf, r.inbox_id::text, r.raw_sealed FROM inbox_raw r
                JOIN messages m ON m.id = r.inbox_id WHERE r.leaf > 0
            UNION ALL SELECT leaf, case_id::text, body_sealed FROM credit_checks
                WHERE case_id = %(case)s AND leaf > 0)
        SELECT p.position, s.number, l.leaf, s.own_id, s.sealed, e.channel, e.business_key,
            e.content_version
        FROM said s LEFT JOIN evidence_leaves l ON l.number = s.number
        LEFT JOIN evidence_positions p ON p.leaf = s.number
        LEFT JOIN effects e ON e.own_id = s.own_id ORDER BY p.position, s.number
        """,
        {"case": case_id, "case_no": case_no},
    )
    return await cursor.fetchall()
