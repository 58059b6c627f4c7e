"""What a stack draws once and keeps for itself: keys and passwords in files of mode 0600."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


class Secrets:
    """Secrets below one folder (0700), by name; each is drawn when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def __getitem__(self, name: str) -> str:
        return kept_secret(self.folder / name, lambda: secrets.token_urlsafe(24))

    def file(self, name: str, content: str) -> Path:
        """A file with this content, readable by its owner only."""
        path = self.folder / name
        _write(path, content)
        return path


def kept_secret(path: Path, draw: Callable[[], str]) -> str:
    """The file's one line; drawn and written, readable by its owner only, when it is not there."""
    try:
        kept = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        kept = ""
    if kept:
        return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = draw()
    _write(path, f"{drawn}\n")
    return drawn


def _write(path: Path, content: str) -> None:
    # Written beside and renamed: a stack that was killed leaves no half of a secret.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    draft.replace(path)
