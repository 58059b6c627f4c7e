"""The database of one run: a fresh copy of a migrated one, and what PostgreSQL says it did in it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg

from adapters.stack.postgres import Cluster
from adapters.stack.postmaster import find_postmaster
from models.ledger import migrate

_TEMPLATE = "bench_template"
_PREFECT_TEMPLATE = "bench_prefect_template"
_STATISTICS_S = 0.5  # a session reports its last figures when it ends; give them time to land


@dataclass(frozen=True, slots=True)
class Activity:
    """Totals of one database since it was made."""

    commits: int
    rollbacks: int


class Databases:
    """Fresh databases on one running cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
        self._execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE shenguan OWNER shenguan_owner")
        migrate.upgrade(cluster.url("owner", _TEMPLATE))

    @contextmanager
    def fresh(self, name: str) -> Iterator[str]:
        """The app's URL of an empty ledger; dropped when it is left."""
        with self._made(name, f"TEMPLATE {_TEMPLATE} OWNER shenguan_owner"):
            self._execute("CHECKPOINT")
            yield self._cluster.url("app", name)

    @contextmanager
    def fresh_home(self, name: str) -> Iterator[str]:
        """The owner's URL of a database without a table, for a system that keeps its own."""
        with self._made(name, "TEMPLATE shenguan OWNER shenguan_owner"):
            yield self._cluster.url("owner", name)

    @contextmanager
    def fresh_prefect(self, name: str) -> Iterator[str]:
        """The URL, as Prefect's server takes it, of its tables without a row."""
        with self._made(name, f"TEMPLATE {_PREFECT_TEMPLATE} OWNER prefect"):
            yield self._cluster.url("prefect", name, "asyncpg")

    @contextmanager
    def prefect_template(self) -> Iterator[str]:
        """The URL of an empty database; what is made in it is what ``fresh_prefect`` copies."""
        self._execute(f"DROP DATABASE IF EXISTS {_PREFECT_TEMPLATE} WITH (FORCE)")
        self._execute(f"CREATE DATABASE {_PREFECT_TEMPLATE} TEMPLATE prefect OWNER prefect")
        yield self._cluster.url("prefect", _PREFECT_TEMPLATE, "asyncpg")

    @contextmanager
    def _made(self, name: str, how: str) -> Iterator[None]:
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._execute(f"CREATE DATABASE {name} {how}")
        try:
            yield
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def activity(self, name: str) -> Activity:
        """What was done in the database so far, by sessions that have ended."""
        time.sleep(_STATISTICS_S)
        with self._connected() as conn:
            row = conn.execute(
                "SELECT xact_commit, xact_rollback FROM pg_stat_database WHERE datname = %s",
                (name,),
            ).fetchone()
        assert row is not None
        return Activity(int(row[0]), int(row[1]))

    def wal_position(self) -> int:
        """Bytes of log the server has written in its life."""
        with self._connected() as conn:
            row = conn.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return int(row[0])

    def tables(self, name: str) -> dict[str, dict[str, int]]:
        """Bytes of each table (rows, with what is stored aside) and of its indexes, the largest first."""
        with psycopg.connect(self._cluster.url("superuser", name)) as conn:
            rows = conn.execute(
                "SELECT w.relname, sum(pg_table_size(t.oid)), sum(pg_indexes_size(t.oid)) FROM pg_class t"
                " JOIN pg_class w ON w.oid = coalesce(pg_partition_root(t.oid), t.oid)"
                " WHERE t.relkind = 'r' AND t.relnamespace NOT IN"
                " ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
                " GROUP BY w.relname ORDER BY sum(pg_total_relation_size(t.oid)) DESC"
            ).fetchall()
        return {table: {"rows": int(heap), "indexes": int(indexes)} for table, heap, indexes in rows}

    def connected(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection to a database as the one who may do everything; each statement commits."""
        return psycopg.connect(self._cluster.url("superuser", name), autocommit=True)

    def cpu_s(self) -> float:
        """CPU seconds of the whole server, of sessions that have ended too."""
        postmaster = find_postmaster(self._cluster.data)
        if postmaster is None:
            return 0.0
        times = postmaster.cpu_times()
        total = float(times.user + times.system + times.children_user + times.children_system)
        for child in postmaster.children():
            try:
                mine = child.cpu_times()
            except psutil.NoSuchProcess:
                continue  # it has just ended; the postmaster counts it from now on
            total += mine.user + mine.system
        return total

    def _execute(self, statement: str) -> None:
        with self._connected() as conn:
            conn.execute(statement.encode())

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        return self.connected("postgres")
