"""The environment as programs hand it on: ours, without what would redirect a child."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

# A profile or a variable of the person who starts us must not send our programs to another
# server, another home or another ledger.
_OURS = ("SHENGUAN_", "PREFECT_", "SIM_", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")

# A database that needs no password says so itself; libpq must not find one elsewhere.
_LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGPASSFILE", "PGOPTIONS")

_SETTINGS = ("SHENGUAN_", "PREFECT_")


def child_environment(given: Mapping[str, str], *, runtime_dir: Path) -> dict[str, str]:
    """What a child program sees: the inherited environment without our own names, plus ``given``.

    ``runtime_dir`` becomes XDG_RUNTIME_DIR where the login has not set one; it is made, 0700.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_OURS) and name not in _LIBPQ
    }
    if not kept.get("XDG_RUNTIME_DIR"):
        runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept["XDG_RUNTIME_DIR"] = str(runtime_dir)
    kept.update({"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "DO_NOT_TRACK": "1"})
    kept.update(given)
    return kept


def given_settings() -> dict[str, str]:
    """The settings that the person who starts us has given: our variables that are not empty.

    Of Prefect's only the address under which browsers find it.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if value and (name.startswith("SHENGUAN_") or name == "PREFECT_UI_URL")
    }


def adopt(environment: Mapping[str, str]) -> None:
    """From now on this process sees what its children see. Before the first import of Prefect."""
    for name in [name for name in os.environ if name.upper().startswith(("SHENGUAN_", "PREFECT_"))]:
        del os.environ[name]
    os.environ.update(environment)


def leave_settings(path: Path, environment: Mapping[str, str]) -> None:
    """Write a stack's settings (0600) for commands that people run beside it."""
    kept = {name: value for name, value in environment.items() if name.startswith(_SETTINGS)}
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(kept, out, ensure_ascii=False, indent=1)


def take_up_settings(path: Path) -> bool:
    """See what that stack's programs see, unless another ledger is named; what is given stays given.

    Whether the ledger is that stack's because nobody has named one.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    named = os.environ.get("SHENGUAN_DATABASE_URL")
    if named and named != kept.get("SHENGUAN_DATABASE_URL"):
        return False
    for name, value in kept.items():
        os.environ.setdefault(name, value)
    return not named


def superuser_url() -> str | None:
    """The database superuser's address, where SHENGUAN_SUPERUSER_URL gives one.

    For `shenguan provision` alone: left in the environment of anything else, it stops the start as a
    setting that nobody knows, since no program that runs for long should hold it.
    """
    return os.environ.get("SHENGUAN_SUPERUSER_URL") or None
