"""The outside comparer, run as the program it is: it imports nothing of ours."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli_findings import FINDINGS, FINE

if TYPE_CHECKING:
    from adapters.stack.stack import Stack

COMPARER = Path("tests") / "outside" / "compare.py"
COUNTS = ("lost", "doubled", "unexpected", "silent")


def compare_from_outside(project: Path, stack: "Stack", *, more: Sequence[str] = ()) -> dict[str, Any]:
    """The comparer's verdict on a stack whose statement is written; it stays in ``compare.json``."""
    simulators, out = stack.simulators, stack.folder / "compare.json"
    argv = [
        *(sys.executable, str(project / COMPARER)),
        *("--city-dir", str(stack.plan.city_folder)),
        *("--liaisons", str(simulators.world / "liaisons.json")),
        *("--platform-ledger", str(simulators.ledger("platform"))),
        *("--platform-feed", str(simulators.feed("platform"))),
        *("--credit-ledger", str(simulators.ledger("credit"))),
        *("--credit-feed", str(simulators.feed("credit"))),
        *("--sms-ledger", str(simulators.ledger("sms"))),
        *(("--more-sms-ledger", str(simulators.ledger("sms2"))) if "sms2" in stack.plan.simulated else ()),
        *("--statement", str(stack.folder / "statement.jsonl")),
        *more,
        *("--json", str(out)),
    ]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)  # noqa: S603 - our own script
    if done.returncode not in {FINE, FINDINGS}:
        raise RuntimeError(f"外部核对未能完成：{done.stderr[-500:]}")
    verdict: dict[str, Any] = json.loads(out.read_text())
    return verdict
