import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import errors

from adapters.stack import postgres_account, postmaster
from adapters.stack.postgres import Cluster, ClusterFailed
from models.ledger.connection import Ledger, LedgerUnavailable
from models.ledger.migrate import head, upgrade
from models.ledger.provision import NotDurable, assert_durable

SMALL = {"shared_buffers": "16MB", "max_connections": 20}
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a cluster with roles and databases, stopped."""
    with Cluster.create_or_open(tmp_path_factory.mktemp("made") / "pg", **SMALL) as cluster:
        return cluster.folder


@pytest.fixture
def own(made, tmp_path):
    """A cluster of this test's own, not started; nothing of it is left afterwards."""
    shutil.copytree(made, tmp_path / "pg")
    cluster = Cluster.create_or_open(tmp_path / "pg", **SMALL)
    yield cluster
    cluster.stop("immediate")
    assert postmaster.remains(cluster.data) == []


def ask(cluster, statement, role="owner", database="shenguan"):
    with psycopg.connect(cluster.url(role, database)) as conn:
        cursor = conn.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


@pytest.mark.parametrize(
    ("role", "database", "user"),
    [
        ("superuser", "postgres", "postgres"),
        ("owner", "shenguan", "shenguan_owner"),
        ("app", "shenguan", "shenguan_app"),
        ("audit", "shenguan", "shenguan_audit"),
        ("prefect", "prefect", "prefect"),
    ],
)
def test_each_role_has_its_database(cluster, role, database, user):
    assert ask(cluster, "SELECT current_user", role, database) == user


@pytest.mark.parametrize(
    ("role", "database"), [("app", "prefect"), ("prefect", "shenguan"), ("audit", "prefect")]
)
def test_no_role_has_anothers_database(cluster, role, database):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        ask(cluster, "SELECT 1", role, database)


def test_nobody_gets_in_without_a_password(cluster):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"host={cluster.socket_folder} user=postgres dbname=postgres passfile=/dev/null")
    assert "trust" not in [
        line.split()[-1]
        for line in (cluster.data / "pg_hba.conf").read_text().splitlines()
        if line[:1] != "#" and line.strip()
    ]


def test_secrets_and_socket_are_their_owners_only(cluster):
    for path in (cluster.folder, cluster.folder / "passwords", cluster.socket_folder, cluster.data):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (cluster.folder / "passwords").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert len({cluster.password(role) for role in ("superuser", "owner", "app", "audit", "prefect")}) == 5


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("timezone", "UTC"),
        ("jit", "off"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("log_error_verbosity", "terse"),
    ],
)
def test_settings(cluster, setting, value):
    assert ask(cluster, f"SELECT current_setting('{setting}')", "app") == value


def test_settings_that_may_lose_a_commit_are_refused(cluster):
    ask(cluster, "ALTER ROLE shenguan_audit SET synchronous_commit = off", "superuser")
    try:
        with pytest.raises(NotDurable, match="synchronous_commit"):
            assert_durable(cluster.url("audit", "shenguan"))
    finally:
        ask(cluster, "ALTER ROLE shenguan_audit RESET synchronous_commit", "superuser")
    assert_durable(cluster.url("audit", "shenguan"))


def test_prefects_trigrams_see_chinese(cluster):
    assert ask(cluster, "SELECT similarity('审管联动', '审管')", "prefect", "prefect") > 0.3


async def test_the_url_for_sqlalchemy_connects(cluster):
    import sqlalchemy
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(cluster.url("prefect", "prefect", "asyncpg"))
    async with engine.connect() as conn:
        assert (await conn.execute(sqlalchemy.text("SELECT current_user"))).scalar() == "prefect"
    await engine.dispose()


@pytest.mark.parametrize("end", ["fast", "immediate", "kill"])
def test_what_was_committed_is_there_after_any_end(own, end):
    own.start()
    ask(own, "CREATE TABLE kept AS SELECT 7 AS n")
    own.kill() if end == "kill" else own.stop(end)
    assert not own.is_running()
    assert postmaster.remains(own.data) == []
    own.start()
    assert ask(own, "SELECT n FROM kept") == 7


def test_stopping_and_starting_twice_is_no_harm(own):
    own.stop()
    own.start()
    own.start()
    assert own.is_running()
    own.stop()
    own.stop()
    assert not own.is_running()


def test_a_postmaster_whose_owner_was_killed_is_found_and_replaced(own):
    script = (
        "import sys, time; from pathlib import Path; from adapters.stack.postgres import Cluster;"
        f"Cluster.create_or_open(Path({str(own.folder)!r}), shared_buffers='16MB').start();"
        "print('up', flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path.cwd())
    try:
        assert owner.stdout.readline() == b"up\n"
        with pytest.raises(ClusterFailed, match="另一个进程"):
            own.start()
        assert own.is_running()
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    orphan = postmaster.find_postmaster(own.data)
    assert orphan is not None
    own.start()
    assert not postmaster.works_in(orphan, own.data)
    assert ask(own, "SELECT 1") == 1


def test_backends_whose_postmaster_died_alone_are_cleared_away(own):
    own.start()
    with psycopg.connect(own.url("superuser", "postgres")) as conn:
        backend = psutil.Process(conn.info.backend_pid)
        backend.send_signal(signal.SIGSTOP)  # it cannot notice that its postmaster dies
        dying = postmaster.find_postmaster(own.data)
        dying.kill()
        while postmaster.works_in(dying, own.data):
            time.sleep(0.01)
        own.start()
    assert not postmaster.works_in(backend, own.data)
    assert ask(own, "SELECT 1") == 1


def test_a_stale_pid_file_that_names_a_stranger_hurts_nobody(own):
    own.start()
    said = (own.data / "postmaster.pid").read_text().splitlines()
    own.kill()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (own.data / "postmaster.pid").write_text("\n".join([str(stranger.pid), *said[1:]]) + "\n")
        assert not own.is_running()
        own.start()
        assert ask(own, "SELECT 1") == 1
        own.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_initialisation_that_was_cut_off_is_done_again(tmp_path):
    half = tmp_path / "pg" / "data.unfinished"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    (half / "base").mkdir()
    cluster = Cluster.create_or_open(tmp_path / "pg", **SMALL)
    assert (cluster.data / "postgresql.conf").exists()
    assert not half.exists()


def test_a_folder_deep_down_gets_a_short_socket(made, tmp_path):
    deep = tmp_path.joinpath(*["a-rather-long-name"] * 6)
    shutil.copytree(made, deep)
    with Cluster.create_or_open(deep, **SMALL) as cluster:
        short = cluster.socket_folder
        assert len(str(short)) < 60
        assert stat.S_IMODE(short.stat().st_mode) == 0o700
        assert ask(cluster, "SELECT 1") == 1
    with Cluster.create_or_open(deep, **SMALL) as again:
        assert again.socket_folder == short
        assert ask(again, "SELECT 1") == 1
    for left in short.iterdir():
        left.unlink()
    short.rmdir()


def test_tcp_is_loopback_only_and_keeps_its_port(made, tmp_path):
    shutil.copytree(made, tmp_path / "pg")
    with Cluster.create_or_open(tmp_path / "pg", tcp=True, **SMALL) as cluster:
        url = cluster.url("app", "shenguan", over="tcp")
        with psycopg.connect(url) as conn:
            assert conn.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert ask(cluster, "SELECT 1") == 1
        cluster.stop()
        cluster.start()
        assert cluster.url("app", "shenguan", over="tcp") == url


def test_a_refusing_postgres_says_why(own):
    with (own.data / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = 1\n")
    with pytest.raises(ClusterFailed, match="no_such_setting"):
        own.start()
    assert not own.is_running()


def test_data_of_another_version_is_not_opened(own):
    (own.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(ClusterFailed, match="PostgreSQL 14 建立"):
        Cluster.create_or_open(own.folder)


def test_a_folder_without_programs_is_named(tmp_path):
    with pytest.raises(ClusterFailed, match="没有 PostgreSQL 程序"):
        Cluster.create_or_open(tmp_path / "pg", binaries=tmp_path)


@pytest.mark.skipif(not DEBIAN_15.is_dir(), reason="PostgreSQL 15 is not installed")
def test_postgresql_15_serves_too(tmp_path):
    with Cluster.create_or_open(tmp_path / "pg", binaries=DEBIAN_15, **SMALL) as cluster:
        assert ask(cluster, "SHOW server_version").startswith("15.")
        assert upgrade(cluster.url("owner", "shenguan")) == head()
        assert ask(cluster, "SELECT count(*) FROM effects", "app") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its account")
def test_without_namespaces_an_existing_user_runs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(postgres_account, "namespaces_work", lambda: False)
    modes = {parent: parent.stat().st_mode for parent in tmp_path.parents}
    with Cluster.create_or_open(tmp_path / "pg", **SMALL) as cluster:
        assert ask(cluster, "SELECT 1") == 1
        process = postmaster.find_postmaster(cluster.data)
        assert process.uids().real != 0
        cluster.kill()
        cluster.start()
        assert ask(cluster, "SELECT 1") == 1
    assert {parent: parent.stat().st_mode for parent in tmp_path.parents} == modes
    place = Path((tmp_path / "pg" / "place").read_text().strip())
    subprocess.run(["rm", "-r", str(place)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its account")
def test_programs_out_of_reach_are_copied(tmp_path):
    hidden = tmp_path / "hidden"
    (hidden / "site" / "pginstall" / "bin").mkdir(parents=True)
    (hidden / "site" / "pginstall" / "lib").mkdir()
    (hidden / "site" / "pginstall" / "share").mkdir()
    (hidden / "site.libs").mkdir()
    (hidden / "site" / "pginstall" / "bin" / "postgres").write_text("")
    (hidden / "site.libs" / "libpq.so").write_text("")
    hidden.chmod(0o700)
    account = postgres_account.Account((), 65534, 65534, foreign=True)
    place = tmp_path / "place"
    place.mkdir()
    copied = postgres_account.reachable_binaries(hidden / "site" / "pginstall" / "bin", account, place)
    assert (copied / "postgres").exists()
    assert (copied.parent.parent.parent / "site.libs" / "libpq.so").exists()
    assert not account.can_reach(hidden / "site")


async def test_the_ledger_comes_back_by_itself_after_a_restart(own):
    own.start()
    async with Ledger.open(own.url("app", "shenguan"), min_size=2, patience_s=20) as ledger:
        for mode in ("fast", "immediate"):
            async with ledger.reading() as one, ledger.reading() as two:
                for conn in (one, two):
                    await conn.execute("SELECT 1")
            own.stop(mode)
            own.start()
            async with ledger.reading() as conn:  # the pool's connections had died
                assert (await (await conn.execute("SELECT 1 AS n")).fetchone()) == {"n": 1}


async def test_a_ledger_whose_database_is_away_says_so_and_recovers(own):
    own.start()
    async with Ledger.open(own.url("app", "shenguan"), patience_s=0.3) as ledger:
        own.stop()
        with pytest.raises(LedgerUnavailable):
            await _select_one(ledger)
        own.start()
        until = time.monotonic() + 15
        while time.monotonic() < until:
            try:
                await _select_one(ledger)
                break
            except LedgerUnavailable:
                await asyncio.sleep(0.2)
        await _select_one(ledger)


async def test_a_transaction_that_a_restart_ends_is_unavailable(own):
    own.start()

    async def write_through_a_restart(ledger):
        async with ledger.writing() as conn:
            await conn.execute("SELECT 1")
            own.stop("immediate")
            await conn.execute("SELECT 1")

    async with Ledger.open(own.url("app", "shenguan"), patience_s=0.3) as ledger:
        with pytest.raises(LedgerUnavailable):
            await write_through_a_restart(ledger)


def test_a_role_that_only_audits_writes_nothing(cluster):
    with pytest.raises(errors.ReadOnlySqlTransaction):
        ask(cluster, "CREATE TABLE more (id int)", "audit")


async def _select_one(ledger):
    async with ledger.reading() as conn:
        await conn.execute("SELECT 1")
