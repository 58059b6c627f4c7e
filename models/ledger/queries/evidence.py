"""Evidence in SQL: leaves written where their facts are, and the sealer's rounds.

A leaf is JSON text built by PostgreSQL in the statement that writes the fact: its time is the
database's, and a fact without its leaf cannot be committed. What is hashed is the text's UTF-8 bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.domain.merkle import HASH_BYTES, Peaks
from models.ledger.bulk import Conn, arrays

_SEALER = 0x5347_0E01
_TIME = "'\"' || to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') || '\"'"
LEAF_TIME = """substring(l.leaf FROM '"at":"([0-9T:.-]+Z)"')"""
"""When a leaf ``l`` says it was written, as text that sorts; no leaf of another form stops a query."""
_NEXT_LEAF = "nextval('evidence_leaves_number_seq')"
# asked for after the transaction's first write, which gives it its xid: see EvidenceSeal

_INTENT_LEAF = (
    """'{"v":1,"kind":"intent","own_id":' || to_json(own_id)::text || ',"attempt":' || attempts"""
    """ || ',"channel":' || to_json(channel)::text || ',"target":' || to_json(target)::text"""
    """ || ',"via":' || coalesce(to_json(via)::text, 'null')"""
    """ || ',"at":' || """ + _TIME.format("at") + """ || ',"commitment":"' || encode(commitment, 'hex')"""
    """ || '","sealed":"' || encode(sealed, 'hex') || '"}'"""
)
INTENT_SAID = (
    "said AS (SELECT m.*, b.commitment, b.sealed, clock_timestamp() AS at, "
    + _NEXT_LEAF
    + " AS leaf FROM mine m JOIN unnest(%(ids)s::text[], %(commitments)s::bytea[], %(sealed)s::bytea[])"
    " b (own_id, commitment, sealed) USING (own_id)),"
    " leaves AS (INSERT INTO evidence_leaves (number, leaf) SELECT leaf, "
    + _INTENT_LEAF
    + " FROM said), tried AS ("
    " INSERT INTO effect_attempts (own_id, attempt, worker, started_at, via, leaf)"
    " SELECT own_id, attempts, %(worker)s, at, via, leaf FROM said)"
)
"""Over ``mine`` (own_id, attempts, channel, target, via): each try with its leaf."""

_ANSWER_LEAF = (
    """'{"v":1,"kind":"answer","own_id":' || to_json(own_id)::text || ',"attempt":' || attempts"""
    """ || ',"at":' || """ + _TIME.format("at") + """ || ',"outcome":' || to_json(attempt_outcome)::text"""
    """ || ',"answer":' || coalesce(to_json(answer)::text, 'null')"""
    """ || ',"receipt":' || coalesce(to_json(receipt_number)::text, 'null')"""
    """ || ',"receipt_at":' || coalesce(""" + _TIME.format("receipt_at") + """, 'null') || '}'"""
)
ANSWER_SAID = (
    "said AS (SELECT done.*, clock_timestamp() AS at, "
    + _NEXT_LEAF
    + " AS leaf FROM done), leaves AS (INSERT INTO evidence_leaves (number, leaf) SELECT leaf, "
    + _ANSWER_LEAF
    + " FROM said), tried AS ("
    " UPDATE effect_attempts a SET finished_at = d.at, outcome = d.attempt_outcome, answer = d.answer,"
    " answer_leaf = d.leaf FROM said d WHERE a.own_id = d.own_id AND a.attempt = d.attempts"
    " AND a.leaf = d.intent_leaf)"
)
"""Over ``done`` (own_id, attempts, intent_leaf, attempt_outcome, answer, the receipt's number and time)."""

_INWARD_LEAF = (
    """'{"v":1,"kind":"inward","own_id":"' || inbox_id || '","source":' || to_json(source)::text"""
    """ || ',"record":' || to_json(kind)::text || ',"key":' || to_json(record_key)::text || ',"version":'"""
    """ || coalesce(record_version::text, 'null') || ',"at":' || """
    + _TIME.format("at")
    + """ || ',"commitment":"' || encode(commitment, 'hex')"""
    """ || '","sealed":"' || encode(sha256(raw_sealed), 'hex') || '"}'"""
)


@dataclass(frozen=True, slots=True)
class Inward:
    """An inward message's sealed bytes, what its leaf names, and the commitment to its plain text."""

    inbox_id: UUID
    source: str
    kind: str
    record_key: str
    record_version: int | None
    raw_sealed: bytes
    commitment: bytes

    def __post_init__(self) -> None:
        if len(self.commitment) != HASH_BYTES:
            raise ValueError("a message without a commitment is no evidence")


async def keep_inward(conn: Conn, rows: Sequence[Inward]) -> None:
    """Write the messages' sealed bytes with their leaves. The transaction has written before."""
    if not rows:
        return
    sql = (
        "WITH m AS (SELECT r.*, "
        + _NEXT_LEAF
        + " AS leaf, clock_timestamp() AS at FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[],"
        " %s::integer[], %s::bytea[], %s::bytea[])"
        " r (inbox_id, source, kind, record_key, record_version, raw_sealed, commitment)),"
        " leaves AS (INSERT INTO evidence_leaves (number, leaf) SELECT leaf, " + _INWARD_LEAF + " FROM m)"
        " INSERT INTO inbox_raw (inbox_id, raw_sealed, leaf) SELECT inbox_id, raw_sealed, leaf FROM m"
    )
    fields = ("inbox_id", "source", "kind", "record_key", "record_version", "raw_sealed", "commitment")
    columns = arrays(([getattr(row, name) for name in fields] for row in rows), len(fields))
    await conn.execute(sql.encode(), columns)


_LOOK_UP_LEAF = (
    """'{"v":1,"kind":"lookup","own_id":"' || case_id || '","number":' || to_json(number)::text"""
    """ || ',"at":' || """ + _TIME.format("at") + """ || ',"commitment":"' || encode(commitment, 'hex')"""
    """ || '","sealed":"' || encode(sha256(body_sealed), 'hex') || '"}'"""
)
LOOK_UP = (
    "case_id",
    "number",
    "checked_at",
    "grade",
    "advice",
    "basis",
    "records",
    "body_sealed",
    "commitment",
)
"""The columns of a look-up of ours, and the commitment that goes into its leaf."""


async def keep_look_ups(conn: Conn, rows: Sequence[Sequence[Any]]) -> None:
    """Keep the answers to our credit look-ups (``LOOK_UP``) with their leaves; a case's first one stays."""
    if not rows:
        return
    await conn.execute("SELECT pg_current_xact_id()")  # a transaction's first write, and nothing written
    await conn.execute(
        (
            "WITH m AS (SELECT r.*, "
            + _NEXT_LEAF
            + " AS leaf, clock_timestamp() AS at FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[],"
            " %s::text[], %s::text[], %s::text[], %s::integer[], %s::bytea[], %s::bytea[])"
            f" r ({', '.join(LOOK_UP)})), kept AS (INSERT INTO credit_checks (case_id, source, number,"
            " checked_at, grade, advice, basis, records, body_sealed, leaf) SELECT case_id, 'us', number,"
            " checked_at, grade, advice, basis, records, body_sealed, leaf FROM m"
            " ON CONFLICT (case_id) DO NOTHING RETURNING leaf)"
            " INSERT INTO evidence_leaves (number, leaf) SELECT leaf, "
            + _LOOK_UP_LEAF
            + " FROM m JOIN kept USING (leaf)"
        ).encode(),
        arrays(rows, len(LOOK_UP)),
    )


async def say_forgotten(
    conn: Conn, identity: UUID, *, keys: Sequence[UUID], asked_by: str, confirmed_by: str
) -> dict[str, Any]:
    """Write the leaf of destroyed data keys; its ``number`` and time ``at``."""
    cursor = await conn.execute(
        (
            "INSERT INTO evidence_leaves (leaf) SELECT "
            """'{"v":1,"kind":"forgotten","own_id":"' || own_id || '","keys":' || to_json(keys)::text"""
            """ || ',"asked_by":' || to_json(asked_by)::text"""
            """ || ',"confirmed_by":' || to_json(confirmed_by)::text || ',"at":' || """
            + _TIME.format("clock_timestamp()")
            + """ || '}' FROM (SELECT %s::uuid AS own_id, %s::uuid[] AS keys, %s::text AS asked_by,"""
            " %s::text AS confirmed_by) f RETURNING number, clock_timestamp() AS at"
        ).encode(),
        (identity, list(keys), asked_by, confirmed_by),
    )
    row = await cursor.fetchone()
    assert row is not None
    return row


async def say_resumed(
    conn: Conn, identity: UUID, *, lost_heads: int, lost_leaves: int, lost_head: bytes, by: str, note: str
) -> None:
    """Write the leaf of a log that goes on after a restore, behind heads that it has lost."""
    await conn.execute(
        (
            "INSERT INTO evidence_leaves (leaf) SELECT "
            """'{"v":1,"kind":"resumed","own_id":"' || own_id || '","lost_heads":' || heads"""
            """ || ',"lost_leaves":' || leaves || ',"lost_head":"' || encode(head, 'hex')"""
            """ || '","by":' || to_json(by)::text || ',"note":' || to_json(note)::text || ',"at":' || """
            + _TIME.format("clock_timestamp()")
            + """ || '}' FROM (SELECT %s::uuid AS own_id, %s::int AS heads, %s::bigint AS leaves,"""
            " %s::bytea AS head, %s::text AS by, %s::text AS note) r"
        ).encode(),
        (identity, lost_heads, lost_leaves, lost_head, by, note),
    )


@dataclass(frozen=True, slots=True)
class Seal:
    """The tree after one round of the sealer; ``previous_head`` is the SHA-256 of the head before."""

    size: int
    root: bytes
    peaks: bytes
    high: int
    previous_head: bytes
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """What one round gave positions to: how many, their hashes in order, one behind the other."""

    count: int
    hashes: bytes
    high: int
    after_xid: int
    scanned_xid: int


async def begin_month(conn: Conn) -> bool:
    """Let numbers go on from the month's first one; whether that was still to be done."""
    cursor = await conn.execute("SELECT begin_month() AS begun")
    row = await cursor.fetchone()
    return bool(row and row["begun"])


async def try_sealer_lock(conn: Conn) -> bool:
    """Whether this transaction is the only sealer until it ends."""
    cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s) AS mine", (_SEALER,))
    row = await cursor.fetchone()
    return bool(row and row["mine"])


async def last_seal(conn: Conn) -> Seal | None:
    """The newest round of the sealer."""
    cursor = await conn.execute(
        "SELECT size, root, peaks, high, previous_head, sealed_at FROM evidence_seals"
        " ORDER BY size DESC LIMIT 1"
    )
    row = await cursor.fetchone()
    return Seal(**row) if row else None


_ALL_SEALED = (
    "coalesce((SELECT s.high FROM evidence_seals s"
    " WHERE s.after_xid <= (SELECT scanned_xid FROM evidence_seals ORDER BY size DESC LIMIT 1)"
    " ORDER BY s.size DESC LIMIT 1), 0)"
)
_UNSEALED = (
    f" FROM evidence_leaves l WHERE l.number > {_ALL_SEALED}"
    f" AND NOT EXISTS (SELECT FROM evidence_positions p WHERE p.leaf = l.number AND p.leaf > {_ALL_SEALED})"
)
"""Committed leaves without a position. Below the number, all are sealed or were never committed."""


async def place(conn: Conn, size: int, limit: int) -> Placed:
    """Give the oldest unsealed leaves the positions from ``size`` on."""
    cursor = await conn.execute(
        (
            "WITH fresh AS (SELECT l.number, sha256('\\x00'::bytea || convert_to(l.leaf, 'UTF8')) AS hash"
            + _UNSEALED
            + " ORDER BY l.number LIMIT %(limit)s),"
            " placed AS (INSERT INTO evidence_positions (position, leaf, leaf_hash)"
            " SELECT %(size)s + row_number() OVER (ORDER BY number) - 1, number, hash FROM fresh"
            " RETURNING position, leaf, leaf_hash)"
            " SELECT count(*) AS count, coalesce(string_agg(leaf_hash, ''::bytea ORDER BY position), '')"
            " AS hashes, coalesce(max(leaf), 0) AS high,"
            " pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS after_xid,"
            # a round that stopped at its limit has not seen all that was there
            " CASE WHEN count(*) < %(limit)s THEN pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            " ELSE 0 END AS scanned_xid FROM placed"
        ).encode(),
        {"size": size, "limit": limit},
    )
    row = await cursor.fetchone()
    assert row is not None
    return Placed(**row)


async def add_seal(
    conn: Conn, tree: Peaks, *, high: int, after_xid: int, scanned_xid: int, previous_head: bytes
) -> Seal:
    """Write what the tree is now, and after which head."""
    cursor = await conn.execute(
        "INSERT INTO evidence_seals (size, root, peaks, high, after_xid, scanned_xid, previous_head)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING size, root, peaks, high, previous_head, sealed_at",
        (tree.size, tree.root(), tree.to_bytes(), high, after_xid, scanned_xid, previous_head),
    )
    row = await cursor.fetchone()
    assert row is not None
    return Seal(**row)


async def hashes(conn: Conn, begin: int, end: int) -> bytes:
    """The leaf hashes at the positions from ``begin`` up to ``end``, one behind the other."""
    cursor = await conn.execute(
        "SELECT coalesce(string_agg(leaf_hash, ''::bytea ORDER BY position), '') AS hashes"
        " FROM evidence_positions WHERE position >= %s AND position < %s",
        (begin, end),
    )
    row = await cursor.fetchone()
    assert row is not None
    return bytes(row["hashes"])


async def backlog(conn: Conn) -> dict[str, Any]:
    """How many leaves are ``sealed`` and ``unsealed``, and when the sealer last did something.

    ``waits_s`` is how long the oldest unsealed one waits; ``sealed_at`` and ``age_s`` are of the last
    round, None before the first.
    """
    cursor = await conn.execute(
        (
            "SELECT coalesce(s.size, 0) AS sealed, s.sealed_at,"
            " extract(epoch FROM clock_timestamp() - s.sealed_at)::float AS age_s, u.unsealed,"
            " coalesce(extract(epoch FROM clock_timestamp() - u.since::timestamptz), 0)::float AS waits_s"
            " FROM (SELECT count(*) AS unsealed, min(" + LEAF_TIME + ") AS since" + _UNSEALED + ") u"
            " LEFT JOIN (SELECT size, sealed_at FROM evidence_seals ORDER BY size DESC LIMIT 1) s ON true"
        ).encode()
    )
    row = await cursor.fetchone()
    assert row is not None
    return row
