"""What the database's server says of itself, asked once by whoever looks for what is off."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import dict_row

from models.ledger.connection import LedgerUnavailable
from models.ledger.provision import DURABLE_SETTINGS

OLDEST_MAJOR = 15
_DURABLE = frozenset({"on", "remote_apply", "remote_write"})


@dataclass(frozen=True, slots=True)
class Server:
    """``version`` as ``server_version_num`` has it, the clock, the role, and unsafe settings with values."""

    version: int
    now: datetime
    role: str
    superuser: bool
    unsafe: tuple[str, ...]

    @property
    def major(self) -> int:
        """The number before the dot, as 15 or 18."""
        return self.version // 10_000


def look(url: str) -> Server:
    """The server behind this URL.

    Raises:
        LedgerUnavailable: it did not answer, or said no.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5, row_factory=dict_row) as conn:
            row = conn.execute(
                "SELECT current_setting('server_version_num')::int AS version, clock_timestamp() AS now,"
                " current_user AS role,"
                " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser"
            ).fetchone()
            settings = conn.execute(
                "SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name",
                (list(DURABLE_SETTINGS),),
            ).fetchall()
    except psycopg.Error as failure:
        raise LedgerUnavailable(type(failure).__name__, failure.sqlstate) from failure
    assert row is not None
    unsafe = tuple(
        f"{each['name']}={each['setting']}" for each in settings if each["setting"] not in _DURABLE
    )
    return Server(row["version"], row["now"], row["role"], bool(row["superuser"]), unsafe)
