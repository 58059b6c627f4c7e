"""Every check and every test; the closing line is ``N passed, N failed``.

Style, types, import directions and the branch coverage of ``models/`` count as one each, beside
pytest's own tests. What cannot run on this machine is named with what it lacks, and is not a failure.
The exit code is 0 only when nothing failed.
"""
# ruff: noqa: T201, INP001 - a program for people, not a package

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "var" / "test"
LEAST_BRANCHES = 95.0

STATIC = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "import-linter": ["-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
}
WANTED = {
    "chromium": ("chromium", "浏览器测试"),
    "fonts-noto-cjk": (None, "界面截图中的中文字体"),
    "strace": ("strace", "系统调用级的故障测试"),
    "faketime": ("faketime", "改时钟的测试"),
}


def run_static(name: str, arguments: list[str]) -> bool:
    """Whether the check is content; its words are shown when it is not."""
    begun = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own tools
        [sys.executable, *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    fine = done.returncode == 0
    print(f"{'通过' if fine else '未通过'}  {name}  {time.monotonic() - begun:.1f} 秒", flush=True)
    if not fine:
        print(f"{done.stdout[-6000:]}{done.stderr[-3000:]}", flush=True)
    return fine


def run_tests(marker: str) -> tuple[int, int]:
    """How many tests passed and failed; a run that broke off counts as one more failure."""
    report = REPORTS / "junit.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(  # noqa: S603 - our own tests
        [
            sys.executable,
            "-m",
            "pytest",
            f"--junitxml={report}",
            *(["-m", marker] if marker else []),
            "--cov",
            f"--cov-report=json:{REPORTS / 'coverage.json'}",
            "--cov-report=",
        ],
        cwd=ROOT,
        check=False,
    )
    if not report.exists():
        return 0, 1
    outcome: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by our own run
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            outcome["failed"] += 1
        elif (skipped := case.find("skipped")) is not None:
            outcome["skipped"] += 1
            reasons[skipped.get("message", "")] += 1
        else:
            outcome["passed"] += 1
    for reason, count in reasons.items():
        print(f"未运行  {count} 项测试：{reason}")
    failed = outcome["failed"] + (1 if done.returncode not in (0, 1) else 0)
    return outcome["passed"], failed


def covers_models() -> bool:
    """Whether enough of the branches of ``models/`` were taken."""
    try:
        totals = json.loads((REPORTS / "coverage.json").read_text(encoding="utf-8"))["totals"]
    except (OSError, ValueError, KeyError):
        print("未通过  models/ 分支覆盖率：没有数据")
        return False
    branches = totals["num_branches"]
    share = 100.0 * totals["covered_branches"] / branches if branches else 0.0
    fine = share >= LEAST_BRANCHES
    print(f"{'通过' if fine else '未通过'}  models/ 分支覆盖率 {share:.1f}%（至少 {LEAST_BRANCHES:.0f}%）")
    return fine


def name_missing() -> None:
    """Names what this machine lacks, and what therefore did not run."""
    for package, (program, what) in WANTED.items():
        there = bool(shutil.which(program)) if program else _has_chinese_font()
        if not there:
            print(f"未运行  {what}：缺 {package}（以 root 运行 make deps 安装）")


def _has_chinese_font() -> bool:
    tool = shutil.which("fc-list")
    if tool is None:
        return False
    said = subprocess.run([tool, ":lang=zh"], check=False, capture_output=True, text=True)  # noqa: S603
    return bool(said.stdout.strip())


def main() -> int:
    """0 when nothing failed, 1 otherwise."""
    parser = argparse.ArgumentParser(description="全部检查与测试")
    parser.add_argument("--only", default="", metavar="MARKER", help="只运行带此标记的测试")
    marker = parser.parse_args().only
    REPORTS.mkdir(parents=True, exist_ok=True)
    results = [] if marker else [run_static(name, arguments) for name, arguments in STATIC.items()]
    passed, failed = run_tests(marker)
    if not marker:
        results.append(covers_models())
    name_missing()
    passed, failed = passed + sum(results), failed + results.count(False)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
