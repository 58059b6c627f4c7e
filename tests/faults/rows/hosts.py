"""Rows 14, 23, 24: a wrong clock, wrong keys, two versions at once."""

import json
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from tests.faults.catalogue import row
from tests.faults.row import ROOT
from tests.faults.rows.deaths import texts_in_flight


@row(14, "一个进程的时钟差一天", least=30, cases=60, needs=("faketime",))
def wrong_clock(row):
    row.reread_s = 86400
    flying = set()
    for shift in ("+1d", "-1d"):
        row.dispatcher("skewed", wrap=("faketime", "-f", shift))
        row.dispatcher("right")
        for _ in range(row.times(15)):
            row.days(1, each_s=0.6)
            flying |= set(texts_in_flight(row))
        row.stop("skewed", "right")
    row.held_allowed += len(flying)
    row.heal()
    row.hit = len(log_lines_of_other_days(row))
    row.dispatcher("right")
    row.measure_drain(patience_s=240)
    row.rest()


def log_lines_of_other_days(row) -> list[str]:
    """What the skewed process said of the time: the proof that it lived on another day."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    lines = (row.folder / "log" / "skewed.log").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if '"timestamp"' in line and f'"timestamp": "{today}' not in line]


@row(23, "密钥在运行中轮换、缺失、不对", least=5, cases=60)
def keys_changed(row):
    row.reread_s = 86400
    keys = row.folder / "keys" / "seal.json"
    row.dispatcher("before")
    row.days(8)
    rotated = row.command("keys", "rotate", str(keys), "--json")
    assert rotated.returncode == 0, rotated.stderr
    row.hit += json.loads(rotated.stdout)["keys"] > 1
    row.dispatcher("after")  # both at once: one with the old keys in its memory, one with the new
    row.days(6)
    row.stop("before")
    row.dispatcher("before")
    row.days(4)
    row.stop("before", "after")
    kept = keys.read_bytes()
    before = row.value("SELECT count(*) FROM effect_attempts")
    keys.unlink()
    row.hit += does_not_start(row, "missing")
    strange = row.folder / "keys" / "strange.json"
    made = row.command("keys", "create", str(strange))
    assert made.returncode == 0, made.stderr
    keys.write_bytes(strange.read_bytes())
    keys.chmod(0o600)
    row.days(3, each_s=0)
    row.hit += does_not_start(row, "of another ledger")
    held = row.value("SELECT count(*) FROM effects WHERE state = 'held' AND reason = 'seal_broken'")
    if held or row.value("SELECT count(*) FROM quarantine WHERE rule = 'seal_broken'"):
        row.problems.append("密钥不对时，有内容被当作损坏")
    if row.value("SELECT count(*) FROM effect_attempts") != before:
        row.problems.append("密钥不对时仍有外发")
    keys.write_bytes(kept[: len(kept) // 2])
    row.hit += does_not_start(row, "broken")
    keys.write_bytes(kept)
    keys.chmod(0o644)
    row.hit += does_not_start(row, "readable by all")
    keys.chmod(0o600)
    row.heal()
    row.dispatcher()
    row.measure_drain()
    row.rest()


def does_not_start(row, kind) -> bool:
    """Whether the dispatcher ends by itself, saying what is wrong; nothing is sent meanwhile."""
    done = row.command("dispatch", timeout=30)
    row.kinds[kind] += 1
    if done.returncode != 2:
        row.problems.append(f"密钥 {kind}：退出码 {done.returncode}，应为 2")
    return done.returncode == 2


@row(24, "两个版本同时运行", least=2, cases=80, patience_s=420)
def two_versions(row):
    """The newest and an older commit that knows the same ledger; where there is none, the same twice."""
    row.reread_s = 86400
    older, told = older_tree(row.folder / "older")
    row.notes["older"] = told
    row.start("old", [sys.executable, "-c", DISPATCH], env={"PYTHONPATH": str(older)})
    row.dispatcher("new")
    row.days(12, each_s=0.5)
    row.hit += sum(row.stack.supervisor.is_alive(name) for name in ("old", "new"))
    sent = row.rows("SELECT worker, count(*) AS n FROM effect_attempts GROUP BY worker")
    row.notes["attempts"] = sorted(each["n"] for each in sent)
    if len(sent) < 2:
        row.problems.append("只有一个版本在工作")
    row.kill("old")
    row.held_allowed += len(texts_in_flight(row))
    row.start("old", [sys.executable, "-c", DISPATCH], env={"PYTHONPATH": str(older)})
    row.days(12, each_s=0.5)
    row.process("old").send_signal(signal.SIGTERM)
    row.days(4)
    row.heal()
    row.measure_drain()
    row.rest()


DISPATCH = "import sys; sys.argv[1:] = ['dispatch', '--rest-s', '0.05']; from flows.cli import main; main()"


def older_tree(folder: Path) -> tuple[Path, str]:
    """The oldest of the last commits that has the same migrations, unpacked; and what it is."""
    shutil.rmtree(folder, ignore_errors=True)
    shown = "models/ledger/migrations"
    log = subprocess.run(
        ["git", "log", "--format=%h", "-n", "1", "--", shown],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    commit = log.stdout.strip()
    if log.returncode == 0 and commit:
        with tempfile.TemporaryFile() as packed:
            subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=packed)
            packed.seek(0)
            with tarfile.open(fileobj=packed) as tar:
                tar.extractall(folder, filter="data")
        return folder, f"commit {commit}"
    for package in ("flows", "tasks", "adapters", "models", "config"):
        shutil.copytree(ROOT / package, folder / package)
    return folder, "no history here: the same version twice"
