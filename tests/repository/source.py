"""The repository as its own tests see it: the rooms, their modules, and what these import."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("flows", "tasks", "adapters", "models", "config")


def modules(*places: str) -> list[Path]:
    """Every Python file below these places (all five rooms when none is named)."""
    return [path for place in places or ROOMS for path in sorted((ROOT / place).rglob("*.py"))]


def shown(path: Path) -> str:
    """The path as a finding names it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """The dotted names a file imports, wherever in the file, ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def foreign(path: Path) -> set[str]:
    """The top-level names a file imports that are not of the standard library."""
    tops = {name.split(".")[0] if not name.startswith(".") else "." for name in imports(path)}
    return tops - set(sys.stdlib_module_names)


def tracked() -> list[Path]:
    """Every file of the repository; those that git knows, where it is a checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.split("\0")
    names = [name for name in listed if name]
    if names:
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    return [path for path in sorted(ROOT.rglob("*")) if path.is_file() and not _is_made(path)]


def _is_made(path: Path) -> bool:
    """Whether a file lies where programs write: caches, the environment, ``var``."""
    parts = path.relative_to(ROOT).parts[:-1]
    return any(part in {"var", "__pycache__"} or (part.startswith(".") and part != ".ci") for part in parts)
