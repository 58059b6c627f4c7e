"""What a round costs does not grow with the ledger: read from plans, and counted in buffers."""

import re
import time
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg import AsyncConnection

from models.domain.workdays import business_day
from tasks.reconciliation.reconciled import reconcile
from tests.tasks.filled import MANIFOLD, fill, parts
from tests.tasks.records import LABOUR, NOW, case, credit_record, feedback, granted, serial
from tests.tasks.running import running

BORN = 10
SMALL, LARGE = 199, 9
"""2,000 settled cases while the first job runs, 20,100 while the second one does."""
MAY_GROW = 1.2
"""All tables together: ten times the rows are one level more in some of the trees."""
ONE_MAY_GROW = 2
"""One table alone, beyond a few pages of its own."""


@pytest.fixture
def ledger_of(cluster, shared_database):
    return cluster.url("superuser", shared_database)


async def job(world, at):
    """Ten cases from their acceptance to their loop's end, inspected once and with a credit record each."""
    numbers = [serial() for _ in range(BORN)]
    city = world.services.city
    labour = city.route(city.item(LABOUR).duties[0], "430903").code
    await world.at(at)
    await world.arrive(*(case(number, at=at) for number in numbers))
    await world.run()
    await world.arrive(*(granted(number, at=at) for number in numbers))
    await world.run()
    await world.report(*(feedback(number, labour, happened_on=at.date().isoformat()) for number in numbers))
    await world.enter(*(credit_record(number) for number in numbers))
    for minutes in (0, 40, 80):
        await world.at(at + timedelta(minutes=minutes))
        await world.run()
    await world.at(at + timedelta(days=55))
    await world.run()
    await world.run()


async def test_a_round_costs_as_much_in_a_large_ledger_as_in_a_small_one(world, outside, ledger_of):
    async with running(outside, world.settings) as first:
        await job(first, NOW)
    assert await world.value("SELECT count(*) FROM cases WHERE state = 'settled'") == BORN
    touched, said = [], []
    for number, numbers in enumerate((range(SMALL), range(SMALL, SMALL + LARGE)), start=1):
        fill(ledger_of, numbers)
        others, before = _sessions(ledger_of), _touched(ledger_of)
        async with running(outside, world.settings) as worker:
            with _heard() as said:
                await job(worker, NOW + timedelta(days=60 * number))
        _wait_for_the_end(ledger_of, others)
        touched.append({table: count - before[table] for table, count in _touched(ledger_of).items()})
    settled = await world.value("SELECT count(*) FROM cases WHERE state = 'settled'")
    assert settled == (BORN * (SMALL + 1) + BORN) * (LARGE + 1) + BORN
    small, large = (sum(each.values()) for each in touched)
    assert large <= small * MAY_GROW, touched
    before, after = touched
    assert {
        table: (before[table], count)
        for table, count in after.items()
        if count > ONE_MAY_GROW * before[table] + BORN * 10
    } == {}
    assert len(said) > 60
    empty = [name for name in MANIFOLD if not await world.value(f"SELECT count(*) FROM {name}")]
    assert empty == []
    assert _whole(ledger_of, said) == {}


YEARS = """
INSERT INTO effects (own_id, channel, target, business_key, stage, content_version, content_sha256, state,
    send_after, answered_at, answered_business, receipt_number, receipt_at)
SELECT left(channel, 2) || 'Y' || n, channel, 'T', 'Y' || n, 'acceptance', 1, repeat('0', 64), 'accepted',
    at, at, at, 'R', at
FROM generate_series(1, 20000) n, unnest(ARRAY['push', 'credit_report', 'sms']) channel,
    LATERAL (SELECT %s::timestamptz - n * interval '1 hour' AS at) moment;
INSERT INTO sms_texts (own_id, phone_index, reference, business_day, planned_business, news_count,
    text_sha256)
SELECT own_id, 'p', own_id, ((send_after AT TIME ZONE 'Asia/Shanghai')::date)::text, send_after, 1,
    repeat('0', 64)
FROM effects WHERE channel = 'sms' AND target = 'T'
"""


async def test_a_day_is_compared_without_a_look_at_all_the_others(world, ledger_of):
    with psycopg.connect(ledger_of, autocommit=True) as conn:
        conn.cursor().execute(YEARS.replace("%s", f"'{NOW.isoformat()}'"))
        conn.execute("ANALYZE effects, sms_texts")
    # Of one day the receivers know nothing of ours: it goes through every question there is.
    with _heard() as said:
        found = await reconcile(world.services, day=business_day(NOW) - timedelta(days=2))
    assert {line.system: (line.ours, line.sent_again) for line in found.lines} == {
        "platform": (24, 24),
        "credit": (24, 24),
        "sms": (24, 0),
    }
    assert sum("reconciled_days" in statement for statement in said) > 1
    assert _whole(ledger_of, said) == {}


@contextmanager
def _heard():
    """Every statement that is sent meanwhile."""
    said = set()
    execute = AsyncConnection.execute

    async def listened(self, query, params=None, **more):
        said.add(query.decode() if isinstance(query, bytes) else query)
        return await execute(self, query, params, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncConnection, "execute", listened)
        yield said


def _sessions(url):
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in found}


def _wait_for_the_end(url, others):
    """A session tells what it has touched when it ends."""
    end = time.monotonic() + 30
    while _sessions(url) - others:
        assert time.monotonic() < end, "the worker's sessions have not ended"
        time.sleep(0.05)


def _touched(url):
    """Buffers of each table and its indexes that were looked at so far, by sessions that have ended."""
    with psycopg.connect(url, autocommit=True) as conn:
        return dict(
            conn.execute(
                "SELECT coalesce(pg_partition_root(relid), relid)::regclass::text, sum(heap_blks_read"
                " + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)"
                " + coalesce(toast_blks_read + toast_blks_hit + tidx_blks_read + tidx_blks_hit, 0))::bigint"
                " FROM pg_statio_user_tables GROUP BY 1"
            ).fetchall()
        )


def _whole(url, said):
    """Statement → the table of cases that its generic plan reads from end to end."""
    found = {}
    with psycopg.connect(url) as conn:
        filled = {name for (name,) in conn.execute("SELECT relname FROM pg_class WHERE relpages > 0")}
        many = {part for table in MANIFOLD for part in parts(conn, table)} & filled
        for statement in sorted(said):
            if not re.match(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", statement):
                continue
            plan = conn.execute(
                f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {_numbered(statement)}".encode()
            ).fetchone()[0]
            tables = {
                node["Relation Name"]
                for node in _nodes(plan[0]["Plan"])
                if node["Node Type"] == "Seq Scan" and node["Relation Name"] in many
            }
            if tables:
                found[" ".join(statement.split())] = tables
    return found


def _nodes(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _numbered(statement):
    """psycopg's placeholders as PostgreSQL's."""
    names = {}

    def number(found):
        if found[0] == "%%":
            return "%"
        return f"${names.setdefault(found[1] or object(), len(names) + 1)}"

    return re.sub(r"%%|%\((\w+)\)s|%s", number, statement)
