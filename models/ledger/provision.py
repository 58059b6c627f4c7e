"""What a superuser gives once: roles, databases, and the proof that commits are durable.

Four roles: *owner* creates and changes tables, *app* reads and writes rows, *audit* reads, and
*prefect* owns Prefect's own database. The app never holds the owner's password.
"""

from collections.abc import Mapping
from typing import Literal

import psycopg
from psycopg import sql

from models.domain.errors import ShenguanError

Role = Literal["superuser", "owner", "app", "audit", "prefect"]
Database = Literal["shenguan", "prefect"]

ROLE_NAMES: Mapping[Role, str] = {
    "superuser": "postgres",
    "owner": "shenguan_owner",
    "app": "shenguan_app",
    "audit": "shenguan_audit",
    "prefect": "prefect",
}
LEDGER_DATABASE: Database = "shenguan"
PREFECT_DATABASE: Database = "prefect"
DURABLE_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")


class NotDurable(ShenguanError):  # noqa: N818 - named as the finding it is
    """A setting without which a commit may be lost is off."""

    def __init__(self, setting: str, value: str) -> None:
        super().__init__(setting, value)
        self.setting = setting
        self.value = value

    def __str__(self) -> str:
        return f"PostgreSQL 的 {self.setting} 为 {self.value}，提交后的数据可能丢失，拒绝启动"


def provision(superuser_url: str, passwords: Mapping[Role, str]) -> None:
    """The roles with these passwords, and both databases; whatever is there already stays.

    Args:
        superuser_url: any database of the server, as a superuser.
        passwords: one for each role but the superuser.

    Raises:
        psycopg.Error: the server refused.
    """
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        for role, name in ROLE_NAMES.items():
            if role != "superuser":
                _create_role(conn, name, passwords[role])
        _create_database(conn, LEDGER_DATABASE, ROLE_NAMES["owner"])
        _create_database(conn, PREFECT_DATABASE, ROLE_NAMES["prefect"])
        for reader in ("app", "audit"):
            conn.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                    sql.Identifier(LEDGER_DATABASE), sql.Identifier(ROLE_NAMES[reader])
                )
            )
        # A report must not write by accident; the role's rights say the same once more.
        conn.execute(
            sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(
                sql.Identifier(ROLE_NAMES["audit"])
            )
        )
    for database, owner in ((LEDGER_DATABASE, "owner"), (PREFECT_DATABASE, "prefect")):
        with psycopg.connect(superuser_url, dbname=database, autocommit=True) as conn:
            conn.execute(
                sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(ROLE_NAMES[owner]))  # type: ignore[index]
            )
            conn.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            if database == PREFECT_DATABASE:
                conn.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")  # Prefect's server needs it
            else:
                conn.execute(
                    sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(
                        sql.Identifier(ROLE_NAMES["app"]), sql.Identifier(ROLE_NAMES["audit"])
                    )
                )


def assert_durable(url: str) -> None:
    """Returns when what is committed stays committed.

    Raises:
        NotDurable: fsync, synchronous_commit or full_page_writes is off.
        psycopg.Error: the server did not answer.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        for setting in DURABLE_SETTINGS:
            row = conn.execute("SELECT current_setting(%s)", (setting,)).fetchone()
            value = str(row[0]) if row else ""
            if value not in {"on", "remote_apply", "remote_write"}:
                raise NotDurable(setting, value)


def _create_role(conn: psycopg.Connection, name: str, password: str) -> None:
    known = conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    verb = "ALTER" if known else "CREATE"
    conn.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            sql.SQL(verb), sql.Identifier(name), sql.Literal(password)
        )
    )


def _create_database(conn: psycopg.Connection, name: str, owner: str) -> None:
    if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
        conn.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
        )
    conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
