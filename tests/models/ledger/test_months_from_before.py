"""A ledger of before there were months, with rows in it, is brought up to date; not one row is lost."""

import psycopg
import pytest
from alembic import command

from models.ledger import migrate

_FILLED = """
INSERT INTO history (entity, entity_id, case_id, event, to_state, actor, business_at)
    SELECT 'case', n::text, md5(n::text)::uuid, 'first_seen', 'accepted', 'w', now()
    FROM generate_series(1, 500) n;
INSERT INTO evidence_leaves (leaf) SELECT '{"n":' || n || '}' FROM generate_series(1, 500) n;
INSERT INTO evidence_positions (position, leaf, leaf_hash)
    SELECT number - 1, number, sha256(leaf::bytea) FROM evidence_leaves WHERE number <= 400;
INSERT INTO effect_attempts (own_id, attempt, worker, leaf, answer_leaf)
    SELECT 'PS' || n, 1, 'w', 2 * n - 1, 2 * n FROM generate_series(1, 200) n;
INSERT INTO effect_attempts (own_id, attempt, worker, leaf) VALUES ('PSOLD', 1, 'w', 0), ('PSOLD', 2, 'w', 0);
SELECT nextval('evidence_leaves_number_seq')
"""
_KEYS = {
    "history": "id",
    "evidence_leaves": "number",
    "evidence_positions": "position",
    "effect_attempts": "own_id, attempt",
}


@pytest.fixture
def old(cluster, empty_database):
    url = cluster.url("owner", empty_database)
    config = migrate._config()
    with migrate._engine(url).begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0017")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(_FILLED)
    return empty_database


def _rows(url):
    with psycopg.connect(url) as conn:
        return {
            table: conn.execute(f"SELECT row_to_json(t)::text FROM {table} t ORDER BY {key}").fetchall()
            for table, key in _KEYS.items()
        }


def test_every_row_is_there_afterwards_and_what_is_new_goes_into_its_month(cluster, old):
    url, app = cluster.url("owner", old), cluster.url("app", old)
    before = _rows(url)
    assert {table: len(rows) for table, rows in before.items()} == {
        "history": 500,
        "evidence_leaves": 500,
        "evidence_positions": 400,
        "effect_attempts": 202,
    }
    assert migrate.upgrade(url) == migrate.head()
    assert _rows(app) == before
    with psycopg.connect(app) as conn:
        ((number, where, month),) = conn.execute(
            "INSERT INTO evidence_leaves (leaf) VALUES ('new')"
            " RETURNING number, tableoid::regclass::text, month_floor(clock_timestamp())"
        ).fetchall()
        assert (number, where) == (month + 1, f"evidence_leaves_{month // 10**10}")
        ((number, where),) = conn.execute(
            "INSERT INTO history (entity, entity_id, event, to_state, actor, business_at)"
            " VALUES ('case', 'x', 'first_seen', 'accepted', 'w', now())"
            " RETURNING id, tableoid::regclass::text"
        ).fetchall()
        assert (number, where) == (month + 1, f"history_{month // 10**10}")
        conn.execute("UPDATE effect_attempts SET finished_at = now(), outcome = 'x' WHERE own_id = 'PS7'")
        conn.execute("INSERT INTO evidence_positions (position, leaf, leaf_hash) VALUES (400, 401, 'h')")


@pytest.mark.parametrize("table", ["evidence_leaves", "evidence_leaves_before", "evidence_positions_before"])
def test_what_was_there_is_only_added_to_as_before(cluster, old, table):
    url = cluster.url("owner", old)
    migrate.upgrade(url)
    for verb in ("DELETE FROM", "TRUNCATE"):
        with psycopg.connect(url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"{verb} {table}")


def test_a_leaf_of_before_is_sealed_once(cluster, old):
    url = cluster.url("owner", old)
    migrate.upgrade(url)
    with (
        psycopg.connect(cluster.url("app", old)) as conn,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        conn.execute("INSERT INTO evidence_positions (position, leaf, leaf_hash) VALUES (1000, 7, 'h')")
