"""The outside of one run: three light simulators, each its own process, and what they came to hold."""

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.job import Job

SYSTEMS = ("platform", "credit", "sms")
KEY_ID = "bench"
_SETTLE_S = 10


@dataclass(slots=True)
class Outside:
    """Running simulators. ``environment`` is what our side needs to reach and to steer them."""

    folder: Path
    environment: dict[str, str]
    children: dict[str, psutil.Popen] = field(default_factory=dict)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds each has used since its start."""
        return {name: used(child) for name, child in self.children.items()}

    def peak_rss(self) -> dict[str, int]:
        """Bytes each holds now; their memory only grows."""
        return {name: child.memory_info().rss for name, child in self.children.items()}

    def held(self) -> tuple[Counter[str], set[tuple[str, str]]]:
        """How many effects of each kind they hold, and (own id, content hash) of those that have one.

        Two systems that did the same job sent the same contents under the same ids.
        """
        kinds: Counter[str] = Counter()
        contents = set()
        for system in SYSTEMS:
            for line in (self.folder / f"{system}.jsonl").read_bytes().splitlines():
                effect = json.loads(line)
                kinds[effect["kind"]] += 1
                if effect["own_id"]:
                    contents.add((effect["own_id"], effect["content_sha256"]))
        return kinds, contents


@contextmanager
def outside(folder: Path, job: Job) -> Iterator[Outside]:
    """Simulators with empty ledgers below ``folder``; gone when it is left."""
    folder.mkdir(parents=True)
    secret, control = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    running = Outside(folder, {"BENCH_CONTROL": control})
    try:
        for system in SYSTEMS:
            running.children[system] = _start(system, folder, job, secret=secret, control=control)
        for system, child in running.children.items():
            port = _port(system, child)
            running.environment |= _settings(system, f"http://127.0.0.1:{port}", secret)
        yield running
    finally:
        for child in running.children.values():
            child.terminate()
        for child in running.children.values():
            child.wait(_SETTLE_S)
            assert child.stdout is not None
            child.stdout.close()


def used(process: psutil.Process) -> float:
    """CPU seconds of one process, user and system."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _start(system: str, folder: Path, job: Job, *, secret: str, control: str) -> psutil.Popen:
    argv = [sys.executable, "-m", "adapters.sandbox", system, "--port", "0", "--light"]
    argv += ["--world", str(job.folder), "--ledger", str(folder / f"{system}.jsonl")]
    argv += ["--feed", str(folder / f"{system}.feed.jsonl"), "--keys", str(_keys(folder, secret))]
    environment = {**os.environ, "SIM_CONTROL": control}
    return psutil.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)


def _keys(folder: Path, secret: str) -> Path:
    path = folder / "keys.json"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({KEY_ID: secret}))
    return path


def _port(system: str, child: psutil.Popen) -> int:
    assert child.stdout is not None
    said = child.stdout.readline()
    if not said:
        raise RuntimeError(f"{system} 仿真未能启动")
    return int(json.loads(said)["port"])


def _settings(system: str, url: str, secret: str) -> dict[str, Any]:
    name = f"SHENGUAN_{system.upper()}"
    if system == "sms":
        return {
            f"{name}_URL": url,
            f"{name}_EC_NAME": "基准测试",
            f"{name}_AP_ID": KEY_ID,
            f"{name}_SECRET_KEY": secret,
            f"{name}_SIGN": "BENCH",
        }
    return {f"{name}_URL": url, f"{name}_KEY_ID": KEY_ID, f"{name}_SECRET": secret}
