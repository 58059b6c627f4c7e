"""A ledger with thousands of settled cases: those that are there, again and again under other names."""

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


def fill(url, numbers):
    """Each row of a case's tables once more for each number of the range; ids stay true to one another.

    No number twice for one ledger. ``url`` is the superuser's: triggers and foreign keys rest meanwhile.
    """
    series = f"generate_series({numbers.start}, {numbers.stop - 1}) n"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        for table in MANIFOLD:
            # its reading would be counted as ours
            for part in parts(conn, table):
                conn.execute(f"ALTER TABLE {part} SET (autovacuum_enabled = false)")
            columns = conn.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
                " AND table_schema = 'public' AND is_identity = 'NO' AND is_generated = 'NEVER'"
                " ORDER BY ordinal_position",
                (table,),
            ).fetchall()
            names = ", ".join(name for name, _ in columns)
            values = ", ".join(_again(name, kind) for name, kind in columns)
            conn.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}, {series}")
        conn.execute("VACUUM ANALYZE")


def parts(conn, table):
    """The table, or the months it lies in."""
    tree = "SELECT relid::regclass::text FROM pg_partition_tree(%s) WHERE isleaf"
    return [name for (name,) in conn.execute(tree, (table,)).fetchall()] or [table]


def _again(name, kind):
    if kind == "uuid":
        return f"md5({name}::text || '/' || n)::uuid"
    if name in _HASHED:
        return f"md5({name} || '/' || n)"
    if name in _NUMBERED:
        return f"{name} || '/' || n"
    if name in _INDEXED:
        return f"{name} || int4send(n)"
    return name
