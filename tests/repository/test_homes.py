"""SQL, commits and the environment stay at home."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository.source import modules, shown, tree

SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM\s|SELECT\s+(\d|\w+\()|INSERT\s+INTO\s|UPDATE\s+[\w.\"{}]+(\s+AS\s+\w+)?\s+SET\s|DELETE\s+FROM\s"
    r"|WITH\s+\w+\s*(\([^)]*\))?\s+AS\s|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|UNIQUE|ROLE|DATABASE|SCHEMA|VIEW|TRIGGER"
    r"|FUNCTION|TYPE|EXTENSION)|TRUNCATE\s+\w|COPY\s+\w+.*\s(FROM|TO)\s|(GRANT|REVOKE)\s.+\s(ON|TO|FROM)\s"
    r"|LOCK\s+TABLE|LISTEN\s+\w+$|NOTIFY\s+\w+|SET\s+(LOCAL|SESSION|ROLE)\s)",
    re.IGNORECASE | re.DOTALL,
)
ENVIRONMENT = {"environ", "environb", "getenv", "putenv"}
# Settings are read in one place; the stack builds what its child programs see; the simulators,
# which share nothing with us, read their own SIM_ variables.
MAY_READ = ("config/settings.py", "config/surroundings.py", "adapters/sandbox/", "adapters/stack/")


def docstrings(path: Path) -> set[int]:
    found = set()
    for node in ast.walk(tree(path)):
        # A string that stands alone as a statement is prose, wherever it stands.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.add(id(node.value))
    return found


def strings(path: Path) -> Iterator[tuple[int, str]]:
    prose = docstrings(path)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def test_sql_lives_in_the_ledger() -> None:
    found = [
        f"{shown(path)}:{line}: {text.strip()[:50]}"
        for path in modules()
        if not shown(path).startswith("models/ledger/")
        for line, text in strings(path)
        if SQL.match(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM b",
        "select 1",
        "\n  INSERT INTO t (a) VALUES (1)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "WITH x AS (SELECT 1)",
        "CREATE UNIQUE INDEX i",
        "COPY t FROM STDIN",
        "SET LOCAL role x",
    ],
)
def test_the_search_knows_sql(text: str) -> None:
    assert SQL.match(text)


@pytest.mark.parametrize("text", ["update", "select", "with", "Delete it", "已选择", "create a key", "copy"])
def test_the_search_does_not_take_words_for_sql(text: str) -> None:
    assert not SQL.match(text)


def test_commits_happen_in_the_ledger() -> None:
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in modules()
        if not shown(path).startswith("models/ledger/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"commit", "rollback"}
    ]
    assert found == []


def test_the_environment_is_read_in_one_place() -> None:
    found = [
        f"{shown(path)}:{node.lineno}"
        for path in modules()
        if not shown(path).startswith(MAY_READ)
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & ENVIRONMENT)
    ]
    assert found == []


def test_simulators_read_only_their_own_variables() -> None:
    read = [
        (shown(path), ast.unparse(node))
        for path in modules("adapters/sandbox")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call | ast.Subscript) and re.match(r"os\.(environ|getenv)", ast.unparse(node))
    ]
    assert read != []
    assert [where for where, what in read if "'SIM_" not in what] == []
