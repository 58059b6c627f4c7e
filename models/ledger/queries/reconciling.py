"""Reconciliation in SQL: our account of a day, what theirs changes in it, and how far both agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from models.domain.lifecycles.effect import TRANSITIONS, EffectEvent
from models.ledger.bulk import Conn, arrays, insert
from models.ledger.queries.effects import OVERTAKEN
from models.ledger.queries.taking_over import TAKEN_OVER
from models.ledger.tables.effects import STORED_ON
from models.ledger.tables.reconciling import ReconciledDay

_KIND = "CASE WHEN e.channel = 'credit_report' THEN e.stage ELSE e.channel END"
_DEPARTMENT = "CASE WHEN e.channel = 'credit_report' THEN '' ELSE e.target END"
_STAGE = "CASE WHEN e.channel = 'push' THEN COALESCE(e.stage, '') ELSE '' END"
_STORED_ON = STORED_ON.format("e.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One row of the account; see ``ReconciledDay``."""

    system: str
    day: date
    kind: str
    department: str
    stage: str
    ours: int
    theirs: int
    agreed: int
    adopted: int
    sent_again: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Their receipt for an effect of ours that they hold with our content."""

    own_id: str
    content_sha256: str
    receipt_number: str
    receipt_at: datetime
    receipt_account: str | None


def _from(event: EffectEvent) -> list[str]:
    return sorted({state.value for state, its in TRANSITIONS if its is event})


async def our_counts(conn: Conn, channels: Sequence[str], day: date) -> list[dict[str, Any]]:
    """What we say was accepted on a day by kind, department and stage: count and digest as theirs."""
    cursor = await conn.execute(
        (
            f"SELECT {_KIND} AS kind, {_DEPARTMENT} AS department, {_STAGE} AS stage, count(*) AS count,"
            " encode(sha256(convert_to(string_agg(e.own_id || ' ' || e.content_sha256 || E'\\n', ''"
            " ORDER BY e.own_id COLLATE \"C\"), 'UTF8')), 'hex') AS digest"
            f" FROM effects e WHERE e.channel = ANY(%s) AND e.state = 'accepted' AND {_STORED_ON} = %s"
            " GROUP BY 1, 2, 3"
        ).encode(),
        (list(channels), day),
    )
    return await cursor.fetchall()


async def our_effects(
    conn: Conn, channels: Sequence[str], day: date, group: tuple[str, str, str]
) -> dict[str, str]:
    """The accepted effects behind one of our counts: own id → content hash."""
    cursor = await conn.execute(
        (
            "SELECT e.own_id, e.content_sha256 FROM effects e"
            f" WHERE e.channel = ANY(%s) AND e.state = 'accepted' AND {_STORED_ON} = %s"
            f" AND {_KIND} = %s AND {_DEPARTMENT} = %s AND {_STAGE} = %s"
        ).encode(),
        (list(channels), day, *group),
    )
    return {row["own_id"]: row["content_sha256"] for row in await cursor.fetchall()}


async def by_own_id(conn: Conn, own_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """These effects as the ledger knows them."""
    cursor = await conn.execute(
        "SELECT own_id, channel, target, business_key, stage, content_version, content_sha256, state,"
        " reason, case_id, handover_id FROM effects WHERE own_id = ANY(%s)",
        (list(own_ids),),
    )
    return {row["own_id"]: row for row in await cursor.fetchall()}


async def adopt(conn: Conn, proofs: Sequence[Proof], *, business_now: datetime) -> list[dict[str, Any]]:
    """What they hold with our content is accepted, by their receipt; the effects that were not before."""
    if not proofs:
        return []
    cursor = await conn.execute(
        "UPDATE effects e SET state = 'accepted', reason = 'adopted', doubtful = false, owner = NULL,"
        " due_at = NULL, receipt_number = p.number, receipt_at = p.at, receipt_account = p.account,"
        " answered_at = clock_timestamp(), answered_business = %s"
        " FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])"
        " p (own_id, sha256, number, at, account), effects before"
        " WHERE e.own_id = p.own_id AND e.content_sha256 = p.sha256 AND e.state = ANY(%s)"
        " AND before.own_id = e.own_id AND before.state = e.state"
        " RETURNING e.own_id, e.case_id, e.handover_id, e.stage, e.channel, before.state AS before",
        (
            business_now,
            *arrays(
                (
                    (p.own_id, p.content_sha256, p.receipt_number, p.receipt_at, p.receipt_account)
                    for p in proofs
                ),
                5,
            ),
            _from(EffectEvent.ADOPTED),
        ),
    )
    return await cursor.fetchall()


async def send_again(conn: Conn, own_ids: Sequence[str]) -> list[dict[str, Any]]:
    """What they lost after their receipt goes again under its own id: own_id, case_id, state.

    What a newer content has overtaken is superseded instead: an older one never goes after a newer.
    Nothing goes of what was taken over after a restore: its exact bytes are not here.
    """
    cursor = await conn.execute(
        (
            f"UPDATE effects e SET state = CASE WHEN {OVERTAKEN} THEN 'superseded' ELSE 'planned' END,"
            " reason = 'lost_there', deaths = 0, not_before = clock_timestamp()"
            " WHERE e.own_id = ANY(%s) AND e.state = ANY(%s) AND e.channel <> 'sms'"
            f" AND (e.reason IS DISTINCT FROM '{TAKEN_OVER}' OR {OVERTAKEN})"
            " RETURNING e.own_id, e.case_id, e.state"
        ).encode(),
        (list(own_ids), _from(EffectEvent.LOST_THERE)),
    )
    return await cursor.fetchall()


async def text_counts(conn: Conn, day: date) -> tuple[int, int]:
    """The texts a day that the gateway took, and of how many a receipt came."""
    cursor = await conn.execute(
        "SELECT count(*) AS sent, count(t.report_status) AS told FROM sms_texts t"
        " JOIN effects e ON e.own_id = t.own_id WHERE t.business_day = %s"
        " AND e.state IN ('accepted', 'delivered', 'undelivered')",
        (day.isoformat(),),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["sent"]), int(row["told"])


async def write_day(conn: Conn, system: str, day: date, rows: Sequence[Day]) -> None:
    """Write a system's account of a day; a row of an earlier run that no longer has anything says so."""
    await conn.execute(
        "UPDATE reconciled_days SET ours = 0, theirs = 0, agreed = 0, adopted = 0, sent_again = 0,"
        " unexplained = 0, checked_at = now() WHERE system = %s AND day = %s",
        (system, day),
    )
    names = ("ours", "theirs", "agreed", "adopted", "sent_again", "unexplained")
    sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in names)
    await insert(
        conn,
        ReconciledDay,
        rows,
        conflict=f"(system, day, kind, department, stage) DO UPDATE SET {sets}, checked_at = now()",
    )


async def unexplained(conn: Conn, system: str) -> dict[tuple[str, str], int]:
    """How many differences nobody has explained, by kind and department, all days together."""
    cursor = await conn.execute(
        "SELECT kind, department, least(sum(unexplained), 2147483647)::int AS n FROM reconciled_days"
        " WHERE system = %s GROUP BY kind, department",
        (system,),
    )
    return {(row["kind"], row["department"]): row["n"] for row in await cursor.fetchall()}


async def account(conn: Conn, first: date, last: date) -> list[dict[str, Any]]:
    """The account of these days by system, kind, department and stage; ``days`` of them were checked."""
    cursor = await conn.execute(
        "SELECT r.system, r.kind, r.department, d.name, r.stage, sum(ours) AS ours,"
        " sum(theirs) AS theirs, sum(agreed) AS agreed, sum(adopted) AS adopted,"
        " sum(sent_again) AS sent_again, sum(unexplained) AS unexplained"
        " FROM reconciled_days r LEFT JOIN departments d ON d.code = r.department"
        " WHERE r.day BETWEEN %s AND %s AND (ours > 0 OR theirs > 0 OR unexplained > 0)"
        " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 5",
        (first, last),
    )
    return await cursor.fetchall()


async def last_days(conn: Conn) -> list[dict[str, Any]]:
    """The newest day that was checked of each system, with its sums."""
    cursor = await conn.execute(
        "SELECT r.system, r.day, sum(ours) AS ours, sum(agreed) AS agreed,"
        " sum(unexplained) AS unexplained FROM reconciled_days r"
        " JOIN (SELECT system, max(day) AS day FROM reconciled_days GROUP BY system) n USING (system, day)"
        " GROUP BY r.system, r.day ORDER BY r.system"
    )
    return await cursor.fetchall()


async def last_business(conn: Conn, before: datetime) -> datetime | None:
    """The business time of the newest answer that the ledger wrote down before this moment."""
    cursor = await conn.execute(
        "SELECT max(answered_business) AS at FROM effects WHERE answered_at < %s", (before,)
    )
    row = await cursor.fetchone()
    assert row is not None
    at: datetime | None = row["at"]
    return at
