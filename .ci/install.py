"""Makes the virtual environment from the lock, every file checked against its hash, then adds us.

Run with any python3 from 3.11 on: ``python3 .ci/install.py .venv``. The package registry is the one
pip already knows. A stamp keeps what was installed, so that an unchanged lock costs nothing.
"""
# ruff: noqa: T201, INP001 - a program for people, not a package

import hashlib
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def wanted() -> str:
    """What the environment depends on, as one line."""
    parts = [
        hashlib.sha256((ROOT / name).read_bytes()).hexdigest()[:24]
        for name in ("requirements.lock", "pyproject.toml")
    ]
    return " ".join([*parts, sys.version.split()[0], str(ROOT)])


def main(folder: str) -> int:
    """0 when the environment stands; pip's own exit code otherwise."""
    place, begun = ROOT / folder, time.monotonic()
    stamp, python = place / "installed", place / "bin" / "python"
    if stamp.exists() and python.exists() and stamp.read_text(encoding="utf-8").strip() == wanted():
        stamp.touch()
        return 0
    print(f"安装到 {folder}/ （首次约一分钟）…", flush=True)
    stamp.unlink(missing_ok=True)
    if not python.exists():
        venv.create(place, with_pip=True, symlinks=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-input"]
    for step in (
        [*pip, "--require-hashes", "--no-deps", "-r", "requirements.lock"],
        # hatchling and editables are in the lock: nothing is fetched to build us.
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", "-e", "."],
    ):
        code = subprocess.run(step, cwd=ROOT, check=False).returncode  # noqa: S603 - pip, our arguments
        if code:
            return code
    stamp.write_text(f"{wanted()}\n", encoding="utf-8")
    print(f"安装完成，{time.monotonic() - begun:.0f} 秒", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
