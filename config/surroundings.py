"""The environment as programs hand it on: ours, without what would redirect a child."""

import os
from collections.abc import Mapping
from pathlib import Path

# A profile or a variable of the person who starts us must not send our programs to another
# server, another home or another ledger.
_OURS = ("SHENGUAN_", "PREFECT_", "SIM_", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")

# A database that needs no password says so itself; libpq must not find one elsewhere.
_LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGPASSFILE", "PGOPTIONS")


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
    """The settings that the person who starts us has given: our variables that are not empty."""
    return {name: value for name, value in os.environ.items() if name.startswith("SHENGUAN_") and value}


def adopt(environment: Mapping[str, str]) -> None:
    """From now on this process sees what its children see. Before the first import of Prefect."""
    for name in [name for name in os.environ if name.upper().startswith(("SHENGUAN_", "PREFECT_"))]:
        del os.environ[name]
    os.environ.update(environment)
