"""Files: their size, their names, and what may not stand in them."""

import importlib.util
import json
import re
import statistics

import pytest
from jsonschema import Draft202012Validator

from tests.repository.source import ROOMS, ROOT, modules, shown, tracked

LONGEST = 400
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
# A folder of one machine or of one person; written apart, so that this file does not find itself.
MACHINE = re.compile(r"/(?:work|root|tmp/scratch|home/\w+|Users/\w+)" + r"/(?=\w)")
ADDRESS = re.compile(r"https?://")
TEXTS = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sh", ".txt", ".lock", ".ini", ".cfg", ""}


def length(path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_module_is_too_long() -> None:
    found = {shown(path): length(path) for path in modules() if length(path) > LONGEST}
    assert found == {}


def test_the_median_module_is_read_in_one_go() -> None:
    lengths = [size for path in modules() if (size := length(path)) > 5]
    assert statistics.median(lengths) <= 150


def test_no_file_is_named_for_nothing() -> None:
    assert [shown(path) for path in tracked() if path.stem.lower() in FORBIDDEN_NAMES] == []


def test_every_folder_of_code_is_a_package() -> None:
    bare = {shown(path.parent) for path in modules() if not (path.parent / "__init__.py").exists()}
    assert {place for place in bare if "migrations" not in place} == set()


def test_no_path_of_a_machine_stands_anywhere() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in tracked()
        if path.suffix in TEXTS and path.name != "requirements.lock"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE.search(line)
    ]
    assert found == []


def test_the_lock_names_no_address_and_pins_every_file() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not ADDRESS.search(lock)
    entries = [entry for entry in re.split(r"\n(?=\w)", lock) if re.match(r"[\w.\[\]-]+==", entry)]
    assert len(entries) > 50
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert {"hatchling", "editables", "prefect"} <= {entry.split("==")[0] for entry in entries}


def test_the_top_level_is_what_was_agreed() -> None:
    rooms = {path.relative_to(ROOT).parts[0] for path in tracked() if len(path.relative_to(ROOT).parts) > 1}
    assert rooms <= {*ROOMS, "tests", "docs", "benchmarks", ".ci"}


def test_schemas_are_schemas() -> None:
    for path in sorted((ROOT / "docs" / "schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        assert schema.get("$schema") == "https://json-schema.org/draft/2020-12/schema", path.name


def test_make_test_demands_the_branches_of_models() -> None:
    spec = importlib.util.spec_from_file_location("checks", ROOT / ".ci" / "checks.py")
    assert spec is not None
    assert spec.loader is not None
    checks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checks)
    assert checks.LEAST_BRANCHES >= 95
    assert "import-linter" in checks.STATIC
    assert ".ci/checks.py" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(path for path in tracked() if path.suffix == ".md"), ids=shown)
def test_links_lead_somewhere(page) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    gone = [link for link in links if not ADDRESS.match(link) and not (page.parent / link).exists()]
    assert gone == []
