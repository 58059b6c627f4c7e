"""Hearing the bell, and being the only one: one direct connection of a process that works all day.

A pooler between two transactions would break both LISTEN and session locks, so this connection
never goes through one. The server ends it when its owner has said nothing for a while: a process
that was stopped or whose machine is gone holds nothing for longer than that.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Self

import psycopg
from psycopg import AsyncConnection

from models.ledger.connection import LedgerUnavailable
from models.ledger.queries.bell import CHANNEL

_SILENCE_S = 20
"""After how long a silent owner's session is ended by the server."""
_TOGETHER_S = 0.02
_SPACE = 0x5347
"""The first half of our advisory locks' keys: nobody else of this database uses it."""


class Bell:
    """A connection that listens; what it leads, no other listener leads."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn
        self.leads: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def listen(cls, url: str) -> AsyncIterator[Self]:
        """The bell for the time of the ``async with``; what rang before is not heard.

        Raises:
            LedgerUnavailable: PostgreSQL does not answer, now or while it is listened to.
        """
        conn: AsyncConnection | None = None
        try:
            conn = await AsyncConnection.connect(
                url,
                autocommit=True,
                prepare_threshold=None,
                application_name="shenguan bell",
                connect_timeout=5,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                options=f"-c idle_session_timeout={_SILENCE_S * 1000} -c statement_timeout=5000",
            )
            await conn.execute(f"LISTEN {CHANNEL}".encode())
            yield cls(conn)
        except psycopg.Error as failure:
            raise LedgerUnavailable(type(failure).__name__, failure.sqlstate) from failure
        finally:
            if conn is not None:
                await conn.close()

    async def lead(self, works: Iterable[str]) -> None:
        """Take what of these works nobody leads; ``leads`` says which are ours. Also a sign of life."""
        wanted = [work for work in works if work not in self.leads]
        cursor = await self._conn.execute(
            "SELECT w.name FROM unnest(%s::text[]) w (name) WHERE pg_try_advisory_lock(%s, hashtext(w.name))",
            (wanted, _SPACE),
        )
        self.leads |= {row[0] for row in await cursor.fetchall()}

    async def heard(self, seconds: float) -> set[str]:
        """What rang, as soon as something does; nothing after ``seconds`` of silence.

        What rings close together is told together: many workers ring often.
        """
        found = {notice.payload async for notice in self._conn.notifies(timeout=seconds, stop_after=1)}
        if found:
            found |= {notice.payload async for notice in self._conn.notifies(timeout=_TOGETHER_S)}
        return found
