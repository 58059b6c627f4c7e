"""What tests stand on: one PostgreSQL for all, a fresh database for each module, no network."""

import ipaddress
import itertools
import socket

import pytest
import pytest_asyncio

_numbers = itertools.count(1)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only():
    """No test speaks to the world beyond this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(sock, address):
        _refuse_beyond_loopback(sock, address)
        return connect(sock, address)

    def guarded_ex(sock, address):
        _refuse_beyond_loopback(sock, address)
        return connect_ex(sock, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded_ex)
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A running PostgreSQL with roles and databases, for the whole session."""
    from adapters.stack.postgres import Cluster

    with Cluster.create_or_open(tmp_path_factory.mktemp("pg"), shared_buffers="64MB") as running:
        yield running


@pytest.fixture(scope="session")
def migrated(cluster):
    """The name of a migrated database that is copied, never used."""
    from models.ledger.migrate import upgrade

    _copy(cluster, "shenguan", "migrated")
    upgrade(cluster.url("owner", "migrated"))
    return "migrated"


@pytest.fixture(scope="module")
def database(cluster, migrated):
    """The name of this module's own migrated database: ``cluster.url(role, database)``."""
    name = f"ledger_{next(_numbers)}"
    _copy(cluster, migrated, name)
    yield name
    _as_superuser(cluster, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(cluster):
    """The name of a database without a table, for this test."""
    name = f"empty_{next(_numbers)}"
    _copy(cluster, "shenguan", name)
    yield name
    _as_superuser(cluster, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ledger(cluster, database):
    """The open ledger of this module's database, as the role *app*."""
    from models.ledger.connection import Ledger

    async with Ledger.open(cluster.url("app", database), max_size=4) as opened:
        yield opened


@pytest.fixture(scope="session")
def keyring_file(tmp_path_factory):
    """The path of a key file."""
    from models.ledger.keyring import create_keyring

    path = tmp_path_factory.mktemp("keys") / "keys.json"
    create_keyring(path)
    return path


@pytest.fixture(scope="session")
def keyring(keyring_file):
    """The keys of :func:`keyring_file`."""
    from models.ledger.keyring import Keyring

    return Keyring.load(keyring_file)


@pytest.fixture(scope="session")
def sealing(keyring):
    """Seals and opens with :func:`keyring`."""
    from models.ledger.sealing import Sealing

    return Sealing(keyring)


def _copy(cluster, source, name):
    _as_superuser(
        cluster,
        f"CREATE DATABASE {name} TEMPLATE {source} OWNER shenguan_owner",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO shenguan_app, shenguan_audit",
    )


def _as_superuser(cluster, *statements):
    import psycopg

    with psycopg.connect(cluster.url("superuser", "postgres"), autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def _refuse_beyond_loopback(sock, address):
    if sock.family not in {socket.AF_INET, socket.AF_INET6} or address[0] == "localhost":
        return
    try:
        allowed = ipaddress.ip_address(address[0]).is_loopback
    except ValueError:  # a name: it would be resolved somewhere
        allowed = False
    if not allowed:
        raise PermissionError(f"a test may not connect to {address[0]}")
