"""The way to the ledger: a pool of connections, reading transactions, writing transactions.

The only place of COMMIT. Queries get a connection and never commit: inside :meth:`Ledger.writing`
psycopg itself refuses an explicit ``commit()``, and ``conn.transaction()`` is a savepoint.
"""

import asyncio
import select
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

import orjson
import psycopg
from psycopg import AsyncConnection, IsolationLevel, errors
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from models.domain.errors import ShenguanError

Last = Callable[["LedgerConnection", list[Any]], Awaitable[None]]
"""Writes what was gathered in one transaction, just before its COMMIT."""


class LedgerConnection(AsyncConnection[DictRow]):
    """A connection that gathers what a transaction writes last of all.

    What every transaction of a kind touches is locked shortest, and in one order everywhere, when it is
    written at the end: one statement for all that was gathered, and no two transactions wait for each other
    in a circle.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gathered: dict[Last, list[Any]] = {}

    def at_the_end(self, write: Last, rows: Iterable[Any]) -> None:
        """Hand the rows to ``write`` just before the COMMIT, together with all others it got."""
        self._gathered.setdefault(write, []).extend(rows)

    def forget_gathered(self) -> None:
        """A new transaction begins with nothing."""
        self._gathered.clear()

    async def write_gathered(self) -> None:
        """What was gathered is written, in the order in which the writers were first called."""
        while self._gathered:
            write, rows = next(iter(self._gathered.items()))
            del self._gathered[write]
            await write(self, rows)


class LedgerUnavailable(ShenguanError):  # noqa: N818 - named as the finding it is
    """PostgreSQL did not do it: out of reach, restarting, or too long. Nothing was committed.

    ``reason`` is the error's name, ``sqlstate`` PostgreSQL's five characters or None.
    """

    def __init__(self, reason: str, sqlstate: str | None = None) -> None:
        super().__init__(reason, sqlstate)
        self.reason = reason
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        named = f"，{self.sqlstate}" if self.sqlstate else ""
        return f"台账数据库不可用（{self.reason}{named}）"


class LedgerBusy(LedgerUnavailable):
    """PostgreSQL is there, but others were first: a lock, a deadlock, a statement past its time.

    Nothing was committed; the transaction may go again at once.
    """

    def __str__(self) -> str:
        return f"台账数据库繁忙（{self.reason}）"


class CommitUnknown(LedgerUnavailable):
    """The COMMIT left and its answer never came: it may have happened.

    The exception to what the base class says. Read again before doing anything twice.
    """

    def __str__(self) -> str:
        return f"提交后未收到数据库答复，结果未知（{self.reason}）"


class LedgerSaidNo(ShenguanError):  # noqa: N818
    """A constraint said no; nothing was committed. The rejected row's values are left behind.

    ``constraint`` is its name or None, ``sqlstate`` PostgreSQL's five characters.
    """

    def __init__(self, constraint: str | None, sqlstate: str | None) -> None:
        super().__init__(constraint, sqlstate)
        self.constraint = constraint
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        return f"台账约束不允许这样写入（{self.constraint or '未命名'}，{self.sqlstate}）"


_ALONE_PATIENCE_S = 2.0
_ALONE_LOOK_S = 0.01
ALONE_SPACE = 0x5348
"""The first half of these advisory locks' keys: nobody else of this database uses it."""

_BUSY = (
    errors.LockNotAvailable,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.QueryCanceled,
)


class Ledger:
    """A pool of connections to one database, bound to the event loop that opened it."""

    def __init__(self, pool: AsyncConnectionPool[LedgerConnection]) -> None:
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        min_size: int = 1,
        max_size: int = 8,
        application_name: str = "shenguan",
        statement_timeout_s: float = 30,
        lock_timeout_s: float = 10,
        idle_in_transaction_s: float = 60,
        patience_s: float = 30,
    ) -> AsyncIterator[Self]:
        """The ledger for the time of the ``async with``.

        Args:
            url: a libpq URL, usually of the role *app*.
            min_size: connections that are always open.
            max_size: connections at most.
            application_name: how ``pg_stat_activity`` names us.
            statement_timeout_s: PostgreSQL stops a statement after this.
            lock_timeout_s: PostgreSQL stops waiting for a lock after this.
            idle_in_transaction_s: PostgreSQL ends a session that does nothing in a transaction.
            patience_s: how long a transaction waits for a connection: while all are in use, and
                while PostgreSQL restarts.

        Raises:
            LedgerUnavailable: nothing answers at the URL, or it says no.
        """
        kwargs: dict[str, Any] = {
            "row_factory": dict_row,
            "application_name": application_name,
            "connect_timeout": 10,
            "prepare_threshold": 3,
            "options": (
                f"-c statement_timeout={int(statement_timeout_s * 1000)}"
                f" -c lock_timeout={int(lock_timeout_s * 1000)}"
                f" -c idle_in_transaction_session_timeout={int(idle_in_transaction_s * 1000)}"
                " -c timezone=UTC"
            ),
        }
        try:
            # The pool would try for long and say only that it waited; one direct try says why.
            await (await AsyncConnection.connect(url, **kwargs)).close()
        except psycopg.OperationalError as failure:
            raise _unavailable(failure) from failure
        pool: AsyncConnectionPool[LedgerConnection] = AsyncConnectionPool(
            url,
            connection_class=LedgerConnection,
            kwargs=kwargs,
            min_size=min_size,
            max_size=max_size,
            timeout=patience_s,
            open=False,
            configure=_configure,
            name=application_name,
        )
        async with pool:
            yield cls(pool)

    @asynccontextmanager
    async def reading(self, *, snapshot: bool = False) -> AsyncIterator[LedgerConnection]:
        """A connection in a transaction that cannot write and is rolled back.

        Args:
            snapshot: every statement sees the same moment (REPEATABLE READ).

        Raises:
            LedgerUnavailable: PostgreSQL did not answer.
        """
        async with self._borrowed() as conn:
            await conn.set_read_only(True)
            await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ if snapshot else None)
            try:
                yield conn
            finally:
                if not conn.closed:
                    await conn.rollback()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[LedgerConnection]:
        """A connection in one transaction, committed at the end, rolled back on any exception.

        Raises:
            LedgerUnavailable: PostgreSQL did not do it; nothing was committed.
            LedgerBusy: as above, and it may go again at once.
            CommitUnknown: the COMMIT left, its answer never came.
            LedgerSaidNo: a constraint says no, at the latest at the end.
            psycopg.errors.InFailedSqlTransaction: a statement failed and the body went on.
        """
        async with self._borrowed() as conn, _writing(conn):
            yield conn

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator["Alone"]:
        """One connection for several transactions, and meanwhile nobody else is here under this name.

        Whoever dies here is gone with its connection. Who cannot get in within two seconds, because the
        other one is stopped, goes in beside it: the name spares work, what must not happen twice it does
        not guard.

        Raises:
            LedgerUnavailable: PostgreSQL did not answer.
        """
        async with self._borrowed() as conn:
            alone = Alone(conn, name)
            await alone.enter()
            try:
                yield alone
            finally:
                await alone.leave()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[LedgerConnection]:
        # Not the pool's connection(): that one would commit.
        try:
            conn = await self._living()
        except psycopg.OperationalError as failure:
            raise _unavailable(failure) from failure
        try:
            yield conn
        except psycopg.Error as failure:
            # A session that PostgreSQL ends is not always an OperationalError.
            if isinstance(failure, psycopg.OperationalError) or _is_lost(conn):
                raise _unavailable(failure) from failure
            if isinstance(failure, psycopg.IntegrityError):
                # Its text holds the row that was turned away, and must reach no log.
                raise LedgerSaidNo(failure.diag.constraint_name, failure.sqlstate) from None
            raise
        finally:
            await self._pool.putconn(conn)

    async def _living(self) -> LedgerConnection:
        """A connection that has not died while it lay in the pool.

        The pool's own check would wait a second, then two, for each dead one: after a restart of
        PostgreSQL all of them are.
        """
        until = time.monotonic() + self._pool.timeout
        while True:
            conn = await self._pool.getconn(max(until - time.monotonic(), 0.001))
            if not _has_died(conn):
                return conn
            await conn.close()
            await self._pool.putconn(conn)  # the pool drops it and opens another


class Alone:
    """A connection whose transactions follow one another while a name is held."""

    def __init__(self, conn: LedgerConnection, name: str) -> None:
        self._conn = conn
        self._name = name
        self._holds = False

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[LedgerConnection]:
        """As :meth:`Ledger.writing`, on this connection."""
        async with _writing(self._conn):
            yield self._conn

    async def enter(self) -> None:
        """Hold the name, after two seconds at the latest without it."""
        until = time.monotonic() + _ALONE_PATIENCE_S
        await self._conn.set_read_only(False)
        await self._conn.set_isolation_level(None)
        while not self._holds:
            cursor = await self._conn.execute(
                "SELECT pg_try_advisory_lock(%s, hashtext(%s)) AS held", (ALONE_SPACE, self._name)
            )
            row = await cursor.fetchone()
            await self._conn.rollback()  # a session's lock outlives it
            self._holds = bool(row and row["held"])
            if not self._holds:
                if time.monotonic() > until:
                    return
                await asyncio.sleep(_ALONE_LOOK_S)

    async def leave(self) -> None:
        """Let others in; at once, also in the middle of a transaction."""
        if not self._holds or self._conn.closed:
            return
        self._holds = False
        in_transaction = self._conn.info.transaction_status == TransactionStatus.INTRANS
        await self._conn.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", (ALONE_SPACE, self._name))
        if not in_transaction:
            await self._conn.rollback()


@asynccontextmanager
async def _writing(conn: LedgerConnection) -> AsyncIterator[None]:
    await conn.set_read_only(False)
    await conn.set_isolation_level(None)
    conn.forget_gathered()
    committing = False
    try:
        async with conn.transaction():
            yield
            if conn.info.transaction_status != TransactionStatus.INERROR:
                await conn.write_gathered()
            if conn.info.transaction_status == TransactionStatus.INERROR:
                # COMMIT would roll back without a word.
                raise errors.InFailedSqlTransaction("a failed statement was passed over")
            committing = True
    except psycopg.Error as failure:
        if committing and _is_lost(conn):
            raise CommitUnknown(type(failure).__name__, failure.sqlstate) from failure
        raise


def _is_lost(conn: LedgerConnection) -> bool:
    return bool(conn.closed) or conn.info.transaction_status == TransactionStatus.UNKNOWN


def _unavailable(failure: psycopg.Error) -> LedgerUnavailable:
    kind = LedgerBusy if isinstance(failure, _BUSY) else LedgerUnavailable
    return kind(type(failure).__name__, failure.sqlstate)


def _has_died(conn: LedgerConnection) -> bool:
    """Whether the server has gone from an idle connection; costs no round trip.

    A server says nothing unasked to an idle connection, except that it goes.
    """
    if conn.closed:
        return True
    idle = select.poll()
    idle.register(conn.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(idle.poll(0))


async def _configure(conn: LedgerConnection) -> None:
    set_json_dumps(orjson.dumps, conn)
    set_json_loads(orjson.loads, conn)
