import difflib
import re
import subprocess

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import create_engine

from models.ledger.migrate import RoleMissing, current, head, upgrade
from models.ledger.months import make_ahead
from models.ledger.tables import metadata


def test_migrated_schema_is_what_the_tables_say(cluster, migrated, empty_database):
    engine = create_engine(
        "postgresql+psycopg" + cluster.url("owner", empty_database).removeprefix("postgresql")
    )
    metadata.create_all(engine)
    engine.dispose()
    with psycopg.connect(cluster.url("owner", empty_database)) as conn:
        make_ahead(conn)
    by_migrations, by_tables = _dump(cluster, migrated), _dump(cluster, empty_database)
    assert "CREATE TABLE public.history (" in by_migrations
    assert by_migrations == by_tables, "\n".join(
        difflib.unified_diff(by_migrations, by_tables, "migrations", "tables", lineterm="", n=2)
    )


def test_an_upgrade_ends_at_head_and_repeats_without_effect(cluster, empty_database):
    url = cluster.url("owner", empty_database)
    assert current(url) is None
    assert upgrade(url) == head() == current(url)
    before = _dump(cluster, empty_database)
    assert upgrade(url) == head()
    assert _dump(cluster, empty_database) == before


def test_any_role_may_ask_for_the_revision(cluster, migrated):
    assert current(cluster.url("app", migrated)) == head()
    assert current(cluster.url("audit", migrated)) == head()


def test_a_missing_role_is_named_and_nothing_is_changed(cluster, empty_database, monkeypatch):
    monkeypatch.setattr("models.ledger.migrate.ROLE_NAMES", {"app": "nobody_app", "audit": "shenguan_audit"})
    with pytest.raises(RoleMissing, match="nobody_app"):
        upgrade(cluster.url("owner", empty_database))
    assert current(cluster.url("owner", empty_database)) is None


ONLY_ADDED_TO = {
    "key_marks",
    "evidence_leaves",
    "evidence_positions",
    "evidence_seals",
    "history",
    "catalog_versions",
    "catalog_items",
    "refused_secret",
    "inbox_raw",
    "effect_bodies",
    "operator_acts",
    "alerts",
}
WRITTEN_BY_THE_OWNER = {"archived_months"}
FORBIDDEN_TO_APP = [
    "INSERT INTO archived_months VALUES (202601, 'history', 1, '{}', '', '')",
    "DROP TABLE history_rest",
    "DELETE FROM history_rest",
    "SELECT FROM history_before",
    "SELECT setval('history_id_seq', 1)",
    "CREATE TABLE more (id int)",
    "ALTER TABLE history ADD COLUMN more int",
    "DROP TABLE mirror",
    "TRUNCATE inbox",
    "CREATE SCHEMA more",
    "CREATE TEMP TABLE more (id int)",
    "DELETE FROM history",
    "UPDATE history SET actor = 'x'",
    "DELETE FROM effects",
    "UPDATE effects SET content_sha256 = ''",
    "UPDATE effect_bodies SET body_sealed = ''",
    "UPDATE effects SET own_id = 'x'",
    "DELETE FROM effect_attempts",
    "UPDATE effect_attempts SET started_at = now()",
    "DELETE FROM inbox",
    "UPDATE inbox SET sha256 = ''",
    "UPDATE inbox_raw SET raw_sealed = ''",
    "UPDATE operators SET secret_sealed = ''",
    "DELETE FROM operators",
    "UPDATE operator_acts SET name = 'x'",
    "DELETE FROM operator_acts",
    "UPDATE evidence_leaves SET leaf = ''",
    "DELETE FROM evidence_leaves",
    "UPDATE evidence_positions SET leaf = 1",
    "DELETE FROM evidence_positions",
    "DELETE FROM evidence_seals",
    "UPDATE effect_attempts SET leaf = 0",
    "UPDATE inbox_raw SET leaf = 0",
    "UPDATE catalog_items SET body = '{}'",
    "UPDATE alembic_version SET version_num = 'x'",
    "SET ROLE shenguan_owner",
    "COPY history TO PROGRAM 'true'",
]


@pytest.mark.parametrize("statement", FORBIDDEN_TO_APP)
def test_the_app_cannot(cluster, database, statement):
    with (
        psycopg.connect(cluster.url("app", database)) as conn,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        conn.execute(statement)


@pytest.mark.parametrize("statement", ["DELETE FROM mirror", "INSERT INTO catalog_versions VALUES ('1', '')"])
def test_audit_only_reads(cluster, database, statement):
    with psycopg.connect(cluster.url("audit", database)) as conn:
        assert conn.execute("SELECT count(*) FROM history").fetchone() == (0,)
        conn.rollback()
        conn.execute("SET TRANSACTION READ WRITE")  # the role's default can be switched, its rights cannot
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute(statement)


def test_every_table_is_open_to_the_app_and_readable_for_audit(cluster, database):
    with psycopg.connect(cluster.url("superuser", database)) as conn:
        rows = conn.execute(
            """
            SELECT tablename,
                   has_table_privilege('shenguan_app', 'public.' || tablename, 'SELECT')
                   AND has_table_privilege('shenguan_app', 'public.' || tablename, 'INSERT'),
                   has_any_column_privilege('shenguan_app', 'public.' || tablename, 'UPDATE'),
                   has_table_privilege('shenguan_app', 'public.' || tablename, 'DELETE, TRUNCATE'),
                   has_table_privilege('shenguan_audit', 'public.' || tablename, 'SELECT'),
                   has_any_column_privilege('shenguan_audit', 'public.' || tablename, 'INSERT, UPDATE')
              FROM pg_tables JOIN pg_class ON oid = ('public.' || tablename)::regclass
             WHERE schemaname = 'public' AND tablename <> 'alembic_version' AND NOT relispartition
            """
        ).fetchall()
    assert {row[0] for row in rows} == set(metadata.tables)
    for table, writes, updates, deletes, read_by_audit, written_by_audit in rows:
        assert writes is (table not in WRITTEN_BY_THE_OWNER), table
        assert updates is (table not in ONLY_ADDED_TO | WRITTEN_BY_THE_OWNER), table
        assert not deletes, table
        assert read_by_audit, table
        assert not written_by_audit, table


def _dump(cluster, database):
    dumped = subprocess.run(
        [
            cluster.binaries / "pg_dump",
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--restrict-key=fixed",
            "--exclude-table=alembic_version",
            f"--dbname={cluster.url('superuser', database)}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    # PostgreSQL 18 names what is NOT NULL, after the table as it was called when the column was made
    return re.sub(r"CONSTRAINT \w+_not_null\d* NOT NULL", "NOT NULL", dumped.stdout).splitlines()
