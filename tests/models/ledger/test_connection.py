import asyncio
import contextlib
import pickle
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from models.ledger.connection import CommitUnknown, Ledger, LedgerBusy, LedgerUnavailable

INSERT = "INSERT INTO watermarks (source, feed, cursor) VALUES (%s, 'f', 'c')"
COUNT = "SELECT count(*) AS n FROM watermarks WHERE source = %s"


async def count(ledger, source):
    async with ledger.reading() as conn:
        return (await (await conn.execute(COUNT, (source,))).fetchone())["n"]


async def test_a_writing_transaction_is_committed_at_its_end(ledger):
    async with ledger.writing() as conn:
        await conn.execute(INSERT, ("committed",))
        assert await count(ledger, "committed") == 0
    assert await count(ledger, "committed") == 1


async def test_any_exception_rolls_back(ledger):
    async def write_and_fail():
        async with ledger.writing() as conn:
            await conn.execute(INSERT, ("excepted",))
            raise KeyError

    with pytest.raises(KeyError):
        await write_and_fail()
    assert await count(ledger, "excepted") == 0


async def test_nobody_else_commits(ledger):
    async def write_and_commit():
        async with ledger.writing() as conn:
            await conn.execute(INSERT, ("early",))
            await conn.commit()

    with pytest.raises(psycopg.ProgrammingError):
        await write_and_commit()
    assert await count(ledger, "early") == 0


async def test_an_inner_transaction_is_a_savepoint(ledger):
    with contextlib.suppress(KeyError):
        async with ledger.writing() as conn:
            async with conn.transaction():
                await conn.execute(INSERT, ("inner",))
            raise KeyError
    assert await count(ledger, "inner") == 0


async def test_a_failure_that_was_passed_over_is_no_commit(ledger):
    async def write_and_pass_over():
        async with ledger.writing() as conn:
            await conn.execute(INSERT, ("passed over",))
            with contextlib.suppress(errors.UniqueViolation):
                await conn.execute(INSERT, ("passed over",))

    with pytest.raises(errors.InFailedSqlTransaction):
        await write_and_pass_over()
    assert await count(ledger, "passed over") == 0


async def test_a_failure_in_a_savepoint_leaves_the_rest(ledger):
    async with ledger.writing() as conn:
        await conn.execute(INSERT, ("saved",))
        with contextlib.suppress(errors.UniqueViolation):
            async with conn.transaction():
                await conn.execute(INSERT, ("saved",))
    assert await count(ledger, "saved") == 1


async def test_reading_cannot_write_and_writing_afterwards_can(ledger):
    with pytest.raises(errors.ReadOnlySqlTransaction):
        async with ledger.reading() as conn:
            await conn.execute(INSERT, ("read",))
    for _ in range(6):  # more than the pool has connections: none was kept read-only
        async with ledger.writing() as conn:
            await conn.execute("SELECT set_config('transaction_read_only', 'off', true)")


async def test_a_snapshot_sees_one_moment(ledger):
    async with ledger.reading(snapshot=True) as conn:
        assert (await (await conn.execute(COUNT, ("later",))).fetchone())["n"] == 0
        async with ledger.writing() as other:
            await other.execute(INSERT, ("later",))
        assert (await (await conn.execute(COUNT, ("later",))).fetchone())["n"] == 0
    assert await count(ledger, "later") == 1


async def test_rows_are_dicts_times_are_utc_and_json_keeps_chinese(ledger):
    async with ledger.reading() as conn:
        row = await (
            await conn.execute(
                "SELECT %s::jsonb AS body, current_setting('timezone') AS zone,"
                " current_setting('application_name') AS who, now() AS at",
                (psycopg.types.json.Jsonb({"事项": ["餐饮", 1, None]}),),
            )
        ).fetchone()
    assert row["body"] == {"事项": ["餐饮", 1, None]}
    assert (row["zone"], row["who"]) == ("UTC", "shenguan")
    assert row["at"].utcoffset().total_seconds() == 0


async def test_a_lock_that_others_hold_is_busy_not_lost(cluster, database):
    async with (
        Ledger.open(cluster.url("app", database), lock_timeout_s=0.05) as ledger,
        ledger.writing() as holder,
    ):
        await holder.execute(INSERT, ("locked",))
        with pytest.raises(LedgerBusy) as busy:
            async with ledger.writing() as waiter:
                await waiter.execute(INSERT, ("locked",))
        assert busy.value.sqlstate == "55P03"
        assert isinstance(busy.value.__cause__, psycopg.OperationalError)


async def test_a_statement_past_its_time_is_busy(cluster, database):
    async with Ledger.open(cluster.url("app", database), statement_timeout_s=0.05) as ledger:
        with pytest.raises(LedgerBusy):
            async with ledger.reading() as conn:
                await conn.execute("SELECT pg_sleep(5)")


async def test_a_session_idle_in_its_transaction_is_ended(cluster, database, ledger):
    async def write_and_sleep(impatient):
        async with impatient.writing() as conn:
            await conn.execute(INSERT, ("idle",))
            await asyncio.sleep(0.3)
            await conn.execute("SELECT 1")

    async with Ledger.open(cluster.url("app", database), idle_in_transaction_s=0.05) as impatient:
        with pytest.raises(LedgerUnavailable):
            await write_and_sleep(impatient)
    # Asked over a patient session: a busy machine may pause longer than the other one bears.
    assert await count(ledger, "idle") == 0


async def test_more_work_than_connections_waits_and_then_says_so(cluster, database):
    async with (
        Ledger.open(cluster.url("app", database), max_size=1, patience_s=0.1) as ledger,
        ledger.reading(),
    ):
        with pytest.raises(LedgerUnavailable, match="PoolTimeout"):
            async with ledger.reading():
                pass


@pytest.mark.parametrize("wrong", ["password", "database", "server"])
async def test_a_wrong_address_says_so_at_once_without_the_password(cluster, database, wrong):
    url = {
        "password": cluster.url("app", database).replace(cluster.password("app"), "wrong"),
        "database": cluster.url("app", "nowhere"),
        "server": f"postgresql://app:{cluster.password('app')}@127.0.0.1:1/x",
    }[wrong]
    with pytest.raises(LedgerUnavailable) as unavailable:
        async with Ledger.open(url):
            pass
    assert cluster.password("app") not in str(unavailable.value)


@pytest.mark.parametrize(
    ("cut", "committed"), [("after", 1), ("before", 0)], ids=["commit arrived", "commit never arrived"]
)
async def test_a_commit_without_an_answer_is_unknown(cluster, database, cut, committed):
    source = f"cut {cut}"
    async with (
        _proxy(cluster, cut_at=b"COMMIT", when=cut) as socket_folder,
        Ledger.open(_through(cluster, database, socket_folder)) as ledger,
    ):
        with pytest.raises(CommitUnknown):
            async with ledger.writing() as conn:
                await conn.execute(INSERT, (source,))
        for _ in range(20):  # the server may still be at it
            if await count(ledger, source) == committed:
                break
            await asyncio.sleep(0.05)
        assert await count(ledger, source) == committed


async def test_a_statement_without_an_answer_is_no_unknown_commit(cluster, database):
    async with (
        _proxy(cluster, cut_at=b"watermarks", when="after") as socket_folder,
        Ledger.open(_through(cluster, database, socket_folder)) as ledger,
    ):
        with pytest.raises(LedgerUnavailable) as lost:
            async with ledger.writing() as conn:
                await conn.execute(INSERT, ("statement cut",))
        assert not isinstance(lost.value, CommitUnknown)


def test_errors_survive_pickling():
    for error in (LedgerUnavailable("X", "08006"), LedgerBusy("Y"), CommitUnknown("Z", None)):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.args) == (type(error), str(error), error.args)


def _through(cluster, database, socket_folder):
    return f"postgresql://shenguan_app:{cluster.password('app')}@/{database}?host={socket_folder}&port=5432"


@contextlib.asynccontextmanager
async def _proxy(cluster, *, cut_at, when):
    """A socket before PostgreSQL's that cuts once, before or after it forwards what holds ``cut_at``."""
    armed = [True]
    target = cluster.socket_folder / f".s.PGSQL.{cluster.port}"
    served = set()

    async def serve(reader, writer):
        served.add(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_unix_connection(target)
        answers = asyncio.create_task(forward(up_reader, writer))
        while data := await reader.read(65536):
            if armed[0] and cut_at in data:
                armed[0] = False
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
                if when == "after":
                    up_writer.write(data)
                    await up_reader.read(1)  # done over there; the answer is dropped
                break
            up_writer.write(data)
        answers.cancel()
        for each in (up_writer, writer):
            each.close()
        await asyncio.gather(answers, up_writer.wait_closed(), writer.wait_closed(), return_exceptions=True)

    async def forward(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)

    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        server = await asyncio.start_unix_server(serve, Path(folder) / ".s.PGSQL.5432")
        try:
            yield folder
        finally:
            server.close()
            await asyncio.gather(*served)
