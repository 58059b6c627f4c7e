"""A city's own PostgreSQL made ready and brought up to date, with the driver's errors told as ours."""

from collections.abc import Mapping

import psycopg
from sqlalchemy.exc import DBAPIError

from models.ledger import migrate
from models.ledger.connection import LedgerUnavailable
from models.ledger.provision import Role, assert_durable, provision


def give(superuser_url: str, passwords: Mapping[Role, str]) -> None:
    """Roles and databases as :func:`models.ledger.provision.provision` gives them, on a durable server.

    Raises:
        NotDurable: a setting without which a commit may be lost is off; nothing was given.
        LedgerUnavailable: the server did not answer, or said no.
    """
    try:
        assert_durable(superuser_url)
        provision(superuser_url, passwords)
    except psycopg.Error as failure:
        raise LedgerUnavailable(type(failure).__name__, failure.sqlstate) from failure


def bring_up(owner_url: str) -> tuple[str | None, str]:
    """The revision before and after; both the newest where there was nothing to do.

    Raises:
        RoleMissing: the roles are not provisioned.
        LedgerUnavailable: the server did not answer, or said no; nothing was changed.
    """
    try:
        before = migrate.current(owner_url)
        return before, migrate.upgrade(owner_url)
    except DBAPIError as failure:
        raise LedgerUnavailable(
            type(failure.orig).__name__, getattr(failure.orig, "sqlstate", None)
        ) from None


def is_schema_unfit(error: BaseException) -> bool:
    """Whether PostgreSQL missed a table or column: the schema is not the one this program needs."""
    return isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn)
