"""The ledger's schema brought to what this version of the program needs.

Alembic is configured in code: no path and no address stands in a file. There is no way down: a ledger
is evidence, and an older program runs on a newer schema or not at all.
"""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from models.domain.errors import ShenguanError
from models.ledger.months import make_ahead
from models.ledger.provision import ROLE_NAMES

# Two programs that start at once migrate one after the other.
_LOCK = 0x5347_0001


class RoleMissing(ShenguanError):  # noqa: N818 - named as the finding it is
    """The server has no role of this name, and the migration grants to it."""

    def __init__(self, role: str) -> None:
        super().__init__(role)
        self.role = role

    def __str__(self) -> str:
        return f"数据库中没有角色 {self.role}，请先由管理员建立角色再迁移"


def upgrade(owner_url: str) -> str:
    """The revision the database has afterwards: the newest; nothing happens when it is there.

    The months ahead are made, too. All of it is one transaction.

    Args:
        owner_url: a libpq URL, as the role that owns the tables.

    Raises:
        RoleMissing: the roles are not provisioned.
        sqlalchemy.exc.DBAPIError: PostgreSQL said no; nothing was changed.
    """
    config = _config()
    with _engine(owner_url).begin() as conn:
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _assert_roles(conn)
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
        make_ahead(conn.connection.driver_connection)  # type: ignore[arg-type]
        revision = MigrationContext.configure(conn).get_current_revision()
    return revision or ""


def current(url: str) -> str | None:
    """The revision the database has; None before the first migration. Any role may ask."""
    with _engine(url).connect() as conn:
        return MigrationContext.configure(conn).get_current_revision()


def head() -> str:
    """The revision this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "models.ledger:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _engine(url: str) -> Engine:
    scheme, rest = url.split("://", 1)
    if scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise ValueError(f"not a PostgreSQL URL: {scheme}")
    return create_engine(f"postgresql+psycopg://{rest}", poolclass=NullPool)


def _assert_roles(conn: Connection) -> None:
    for role in ("app", "audit"):
        name = ROLE_NAMES[role]
        if (
            conn.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}).scalar()
            is None
        ):
            raise RoleMissing(name)
