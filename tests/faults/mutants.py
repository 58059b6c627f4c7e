"""Known ways to be wrong: each a small patch to a copy of the tree, and the row that must turn red."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.faults.row import ROOT

PACKAGES = ("flows", "tasks", "adapters", "models", "config", "tests")
LONGEST_PATCH = 15


@dataclass(frozen=True)
class Mutant:
    """``changes``: (file, what stands there once, what stands there instead)."""

    name: str
    row: int
    changes: tuple[tuple[str, str, str], ...]


MUTANTS: list[Mutant] = []


def mutated_tree(mutant: Mutant, folder: Path) -> Path:
    """A copy of the packages with the mutant's patch.

    Raises:
        ValueError: the patch is too long, or does not apply.
    """
    lines = sum(len(new.splitlines()) + len(old.splitlines()) for _, old, new in mutant.changes)
    if lines > 2 * LONGEST_PATCH:
        raise ValueError(f"补丁过长：{lines} 行")
    shutil.rmtree(folder, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("prefect.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name, old, new in mutant.changes:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"补丁无法应用：{name} 中应恰有一处，实有 {text.count(old)} 处")
        path.write_text(text.replace(old, new), encoding="utf-8")
    return folder
