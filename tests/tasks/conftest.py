"""The small world (`world`), the same with a whole city's months behind it (`lived`)."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import psycopg
import pytest
import pytest_asyncio
import uvicorn

from adapters.listener.app import make_listener
from adapters.sandbox.world.identity import mobile
from config.city import load_city
from tasks.city_loading import load_city_into
from tasks.receipts import keep_receipt
from tests.tasks.desk import Desk
from tests.tasks.records import ARRIVES, ARRIVING, NOW
from tests.tasks.running import PATH_SECRET, SYSTEMS, Outside, running


@pytest.fixture(scope="session")
def city():
    return load_city()


@pytest.fixture(scope="session")
def people(city):
    """One liaison with a phone in every section."""
    sections = [(each.code, section.id) for each in city.departments.values() for section in each.sections]
    return [
        {
            "id": f"LZ{number:04d}",
            "department": department,
            "section": section,
            "name": "赵拟宁",
            "phone": mobile(80_000_000 + number),
            "rank": 1,
            "valid_from": "2025-01-01",
            "valid_to": None,
        }
        for number, (department, section) in enumerate(sections)
    ]


class Mailbox:
    """The listener's address; whoever owns a ledger says that receipts go there now."""

    def __init__(self):
        self.services = None
        self.received = 0

    async def receive(self, raw, receipt):
        if self.services is not None:
            await keep_receipt(self.services.ledger, self.services.sealing, raw, receipt)
            self.received += 1


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mailbox():
    """A running listener; ``url`` is where the gateway posts."""
    box = Mailbox()
    app = make_listener(path_secret=PATH_SECRET, receive=box.receive)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        box.url = f"http://127.0.0.1:{port}/receipts/yunmas/{PATH_SECRET}"
        yield box
        server.should_exit = True
        await serving


@pytest.fixture(scope="session")
def outside(tmp_path_factory, mailbox, people):
    """The three systems with nothing to say of their own, for all tests of the steps."""
    folder = tmp_path_factory.mktemp("outside")
    world = folder / "world"
    world.mkdir()
    (world / "world.json").write_text(json.dumps({"seed": 7, "disorder": 0, "sms_undelivered": 0}))
    arrival = {"at": f"{ARRIVES}T09:00:00+08:00", "kind": "XK", "reporter": "department"}
    (world / "credit_arrivals.jsonl").write_text(
        "".join(json.dumps(arrival | {"document_number": f"拟许〔2026〕{n}号"}) + "\n" for n in ARRIVING)
    )
    (world / "liaisons.json").write_text(json.dumps(people))
    systems = Outside(folder, listener=mailbox.url).start()
    yield systems
    systems.stop()


@pytest.fixture(scope="session")
def shared_database(cluster, migrated):
    """The name of the database that one small world after the other uses, and a way to empty it."""
    superuser = cluster.url("superuser", "postgres")
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE steps TEMPLATE {migrated} OWNER shenguan_owner")
        conn.execute("GRANT CONNECT ON DATABASE steps TO shenguan_app, shenguan_audit")
    return "steps"


@pytest_asyncio.fixture(loop_scope="session")
async def world(cluster, shared_database, outside, mailbox, keyring_file, people, tmp_path):
    """A running world of this test's own: a Tuesday morning, and nothing has happened yet."""
    # Beside the loop: a receipt of the test before may be in the middle of its transaction.
    await asyncio.to_thread(_empty, cluster.url("superuser", shared_database))
    settings = outside.settings(
        cluster.url("app", shared_database), keyring_file, journal_dir=tmp_path / "journal"
    )
    async with running(outside, settings) as opened:
        services = opened.services
        await load_city_into(services.ledger, services.sealing, services.city, people)
        mailbox.services = services
        for kind in SYSTEMS:
            await opened.faults(kind)
        await opened.at(NOW)
        yield opened
        mailbox.services = None


@pytest.fixture
def desk(world):
    """``await desk("王五")`` makes the account; ``desk.code`` is what its authenticator shows."""
    return Desk(world)


@pytest.fixture
def superuser(cluster, shared_database):
    """`await superuser(sql)`: what the application may not do."""

    def execute(sql):
        with psycopg.connect(cluster.url("superuser", shared_database), autocommit=True) as conn:
            conn.execute(sql)

    return lambda sql: asyncio.to_thread(execute, sql)


@pytest.fixture
def table_away(superuser):
    """`async with table_away(name):` it is not there, as after an upgrade that was left half done."""

    @asynccontextmanager
    async def run(name):
        await superuser(f"ALTER TABLE {name} RENAME TO away")
        try:
            yield
        finally:
            await superuser(f"ALTER TABLE away RENAME TO {name}")

    return run


def _empty(url):
    # Dropping a database waits for a checkpoint, half a second a test.
    with psycopg.connect(url, autocommit=True) as conn:
        tables = conn.execute(
            "SELECT string_agg(quote_ident(relname), ', ') FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND relname <> 'alembic_version'"
        ).fetchone()[0]
        # Evidence refuses everybody's TRUNCATE; a superuser's maintenance may.
        conn.execute("SET session_replication_role = replica")
        conn.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        conn.execute("SELECT begin_month()")


@pytest.fixture
async def clean(world):
    """A world in which the outside holds nothing of this day that is not ours."""
    for kind in ("platform", "credit"):
        there = [line["own_id"] for line in world.outside.stored(kind)]
        await asyncio.to_thread(world.outside.control, kind, "lose", {"own_ids": there})
    world._before = {kind: len(world.outside.stored(kind)) for kind in world._before}
    return world
