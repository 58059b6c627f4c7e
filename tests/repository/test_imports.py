"""Imports go one way, and each outside thing has one room."""

import configparser
import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

from tests.repository.source import ROOMS, ROOT, foreign, imports, modules, shown

HTTP_CLIENTS = {"httpx", "httpx2", "httpx_aiohttp", "httpcore", "httpcore2", "requests", "urllib3", "aiohttp"}
HTTP_MODULES = ("urllib.request", "http.client")
DATABASE = {"psycopg", "psycopg_pool", "sqlalchemy", "sqlmodel", "alembic", "asyncpg"}


def breaking(paths: list[Path], forbidden: set[str]) -> list[str]:
    return [f"{shown(path)}: {name}" for path in paths for name in sorted(foreign(path) & forbidden)]


def test_the_linter_is_told_the_direction() -> None:
    told = configparser.ConfigParser()
    told.read(ROOT / ".importlinter", encoding="utf-8")
    assert told["importlinter"]["root_packages"].split() == list(ROOMS)
    layers = [part["layers"].split() for part in told.values() if part.get("type") == "layers"]
    assert layers == [list(ROOMS)]


@pytest.mark.parametrize("number", range(len(ROOMS)))
def test_no_room_imports_one_above_it(number: int) -> None:
    assert breaking(modules(ROOMS[number]), set(ROOMS[:number])) == []


def test_the_domain_stands_on_the_standard_library_alone() -> None:
    found = [
        f"{shown(path)}: {name}"
        for path in modules("models/domain")
        for name in imports(path)
        if name.split(".")[0] in foreign(path) and not name.startswith("models.domain")
    ]
    assert found == []


def test_simulators_share_nothing_with_the_clients() -> None:
    found = [
        f"{shown(path)}: {name}"
        for path in modules("adapters/sandbox")
        for name in imports(path)
        if name.split(".")[0] in foreign(path)
        and not name.startswith(("adapters.sandbox", "aiohttp", "multidict", "yarl"))
    ]
    assert found == []


def test_the_outside_comparer_shares_nothing_with_us() -> None:
    # Ed25519, for the second verifier of evidence, is not in the standard library.
    own = {"comparer", "tests", ".", "cryptography"}
    found = [f"{shown(path)}: {foreign(path) - own}" for path in compared() if foreign(path) - own]
    assert compared() != []
    assert found == []


def compared() -> list[Path]:
    return [
        path
        for path in modules("tests/outside")
        if not path.name.startswith("test_") and path.name != "conftest.py"
    ]


def test_only_the_transport_knows_an_http_client() -> None:
    for path in modules():
        where = shown(path)
        if where.startswith("adapters/transport"):
            continue
        forbidden = HTTP_CLIENTS - ({"aiohttp"} if where.startswith("adapters/sandbox/") else set())
        assert not foreign(path) & forbidden, where
        # The stack asks its own child programs on loopback whether they are up; no data goes there.
        if not where.startswith("adapters/stack/"):
            assert not [name for name in imports(path) if name.startswith(HTTP_MODULES)], where


def test_only_adapters_repeat_calls_by_a_library() -> None:
    assert breaking(modules("flows", "tasks", "models", "config"), {"tenacity"}) == []


def test_only_the_ledger_knows_a_database_driver() -> None:
    paths = [path for path in modules() if not shown(path).startswith("models/ledger/")]
    assert breaking(paths, DATABASE) == []


def test_prefect_stays_above_the_ledger() -> None:
    paths = [path for path in modules("adapters", "models", "config") if "prefect_api" not in path.parts]
    assert breaking(paths, {"prefect"}) == []


def test_nobody_else_owns_our_names() -> None:
    owners = importlib.metadata.packages_distributions()
    for room in ROOMS:
        assert set(owners.get(room, [])) <= {"shenguan"}, room
        spec = importlib.util.find_spec(room)
        assert spec is not None
        assert spec.origin == str(ROOT / room / "__init__.py")
