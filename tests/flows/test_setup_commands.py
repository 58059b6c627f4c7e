"""An installation's first hour: roles and databases on a server of its own, tables, keys."""

import json

import psycopg
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from flows.cli import app
from flows.cli_schemas import schema_of

pytestmark = pytest.mark.stack


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def validated(command, done):
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    Draft202012Validator(schema_of(command)).validate(value)
    return value


@pytest.fixture(scope="module")
def bare_server(tmp_path_factory):
    from adapters.stack.postgres import Cluster

    with Cluster.create_or_open(tmp_path_factory.mktemp("bare"), shared_buffers="16MB") as running:
        yield running


def test_a_server_is_provisioned_migrated_and_left_alone_the_second_time(bare_server, tmp_path, monkeypatch):
    superuser = bare_server.url("superuser", "postgres")
    monkeypatch.setenv("SHENGUAN_SUPERUSER_URL", superuser)
    done = validated("provision", run("provision", "--folder", tmp_path / "p", "--json"))
    file = tmp_path / "p" / "database.env"
    assert done["addresses"] == str(file)
    assert file.stat().st_mode & 0o777 == 0o600
    addresses = dict(line.split("=", 1) for line in file.read_text().splitlines())
    password = psycopg.conninfo.conninfo_to_dict(superuser).get("password")
    assert password is None or password not in file.read_text()
    with psycopg.connect(addresses["SHENGUAN_DATABASE_URL"]) as conn:
        assert conn.execute("SELECT current_user, current_database()").fetchone() == (
            "shenguan_app",
            "shenguan",
        )
    before = file.read_text()
    validated("provision", run("provision", "--folder", tmp_path / "p", "--json"))
    assert file.read_text() == before
    monkeypatch.setenv("SHENGUAN_OWNER_DATABASE_URL", addresses["SHENGUAN_OWNER_DATABASE_URL"])
    first = validated("migrate", run("migrate", "--json"))
    assert first["before"] is None
    second = validated("migrate", run("migrate", "--json"))
    assert second["before"] == second["after"] == first["after"]


def test_without_a_superuser_nothing_is_asked_of_a_program(monkeypatch, tmp_path):
    monkeypatch.delenv("SHENGUAN_SUPERUSER_URL", raising=False)
    done = run("provision", "--folder", tmp_path)
    assert done.exit_code == 2
    assert "SHENGUAN_SUPERUSER_URL" in done.stderr


def test_migrations_need_only_the_owners_address(monkeypatch):
    from config.owner_settings import owner_database_url
    from config.settings import SettingsWrong

    monkeypatch.delenv("SHENGUAN_OWNER_DATABASE_URL", raising=False)
    with pytest.raises(SettingsWrong, match=r"SHENGUAN_OWNER_DATABASE_URL.*未设置"):
        owner_database_url()
    monkeypatch.setenv("SHENGUAN_OWNER_DATABASE_URL", "mysql://x:geheim@y/z")
    with pytest.raises(SettingsWrong) as wrong:
        owner_database_url()
    assert "geheim" not in str(wrong.value)


def test_a_server_that_is_not_there_is_said(monkeypatch, tmp_path):
    from models.ledger.connection import LedgerUnavailable

    monkeypatch.setenv("SHENGUAN_SUPERUSER_URL", "postgresql://nobody:geheim@127.0.0.1:1/postgres")
    done = run("provision", "--folder", tmp_path)
    assert isinstance(done.exception, LedgerUnavailable)
    assert "geheim" not in str(done.exception)
    monkeypatch.setenv("SHENGUAN_OWNER_DATABASE_URL", "postgresql://nobody:geheim@127.0.0.1:1/shenguan")
    done = run("migrate")
    assert isinstance(done.exception, LedgerUnavailable)


def test_keys_are_made_once_and_rotated(tmp_path):
    file = tmp_path / "keys.json"
    made = validated("keys create", run("keys", "create", file, "--algorithm", "sm4-gcm", "--json"))
    assert made == {"file": str(file), "current": 1, "algorithm": "sm4-gcm", "keys": 1}
    before = file.read_bytes()
    again = run("keys", "create", file)
    assert "从不覆盖" in str(again.exception)
    assert file.read_bytes() == before
    assert validated("keys rotate", run("keys", "rotate", file, "--json"))["algorithm"] == "sm4-gcm"
    turned = validated("keys rotate", run("keys", "rotate", file, "--algorithm", "aes-256-gcm", "--json"))
    assert turned == {"file": str(file), "current": 3, "algorithm": "aes-256-gcm", "keys": 3}
    assert file.stat().st_mode & 0o777 == 0o600
