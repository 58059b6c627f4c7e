"""A ledger with thousands of cases more: those that are there, again and again under other names.

Every row of a case is copied as the loop wrote it, sealed values and all; ids stay true to one another.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

MANIFOLD = (
    *("inbox", "inbox_raw", "cases", "licences", "handovers", "effects", "effect_bodies", "effect_attempts"),
    *("history", "sms_texts", "sms_news", "credit_checks", "credit_reports", "mirror"),
    *("feedback", "feedback_handovers", "credit_records"),
)
_HASHED = {"own_id", "push_own_id", "sms_own_id"}
_NUMBERED = {
    *("case_no", "business_key", "record_key", "number", "document_number", "receipt_number", "entity_id"),
    *("reference", "feedback_no", "record_no"),
}
_INDEXED = {"party_index", "phone_index"}
Conn = psycopg.Connection[Any]


def fill(
    url: str,
    numbers: range,
    *,
    tables: Iterable[str] = MANIFOLD,
    values: Mapping[str, str] | None = None,
    evidence: bool = False,
) -> None:
    """Each row of a case's tables once more for each number of the range.

    No number twice for one ledger. ``url`` is the superuser's: triggers and foreign keys rest meanwhile.
    ``values`` are other values (SQL) for columns of these names.
    """
    series = f"generate_series({numbers.start}, {numbers.stop - 1}) n"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("SET synchronous_commit = off")
        for table in tables:
            # its reading would be counted as ours
            for part in parts(conn, table):
                conn.execute(f"ALTER TABLE {part} SET (autovacuum_enabled = false)".encode())
            columns = conn.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
                " AND table_schema = 'public' AND is_identity = 'NO' AND is_generated = 'NEVER'"
                " ORDER BY ordinal_position",
                (table,),
            ).fetchall()
            names = ", ".join(name for name, _ in columns)
            again = ", ".join((values or {}).get(name) or _again(name, kind) for name, kind in columns)
            conn.execute(f"INSERT INTO {table} ({names}) SELECT {again} FROM {table}, {series}".encode())  # noqa: S608
        if evidence:
            _leaves(conn, len(numbers))
        conn.execute("VACUUM ANALYZE")


def parts(conn: Conn, table: str) -> list[str]:
    """The table, or the months it lies in."""
    tree = "SELECT relid::regclass::text FROM pg_partition_tree(%s) WHERE isleaf"
    return [name for (name,) in conn.execute(tree, (table,)).fetchall()] or [table]


def _leaves(conn: Conn, times: int) -> None:
    """The leaves so many times more, each with its position behind the last one."""
    conn.execute(
        "WITH l AS (INSERT INTO evidence_leaves (leaf) SELECT leaf FROM evidence_leaves,"
        " generate_series(1, %(times)s) RETURNING number, leaf)"
        " INSERT INTO evidence_positions (position, leaf, leaf_hash)"
        " SELECT (SELECT coalesce(max(position), -1) FROM evidence_positions)"
        " + row_number() OVER (ORDER BY number), number, sha256(convert_to(leaf, 'UTF8')) FROM l",
        {"times": times},
    )


def _again(name: str, kind: str) -> str:
    if kind == "uuid":
        return f"md5({name}::text || '/' || n)::uuid"
    if name in _HASHED:
        return f"md5({name} || '/' || n)"
    if name in _NUMBERED:
        return f"{name} || '/' || n"
    if name in _INDEXED:
        return f"{name} || int4send(n)"
    return name
