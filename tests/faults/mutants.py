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
    size: float = 0.4


FEW_SLEEPERS = 0.05
"""Those between a call and its record, which every size has, and two more."""

MUTANTS = [
    Mutant(
        "status-check-without-lease",
        7,
        (
            (
                "models/ledger/queries/leasing.py",
                "e.state IN ('planned', 'unknown') AND e.state = ANY(%(states)s) AND e.send_after",
                (
                    "e.state IN ('planned', 'leased', 'intent')"
                    " AND (e.state = ANY(%(states)s) OR true) AND e.send_after"
                ),
            ),
            (
                "models/ledger/queries/leasing.py",
                "AND o.own_id <> e.own_id AND o.state IN ('leased', 'intent', 'unknown'))\n          AND NOT",
                "AND o.own_id <> e.own_id AND o.state IN ('unknown'))\n          AND NOT",
            ),
        ),
        size=FEW_SLEEPERS,
    ),
    Mutant(
        "lease-without-token",
        7,
        (
            (
                "models/ledger/queries/effects.py",
                "AND CASE WHEN e.state = 'intent' THEN e.lease_token = %s ELSE false END",
                "AND (e.lease_token = %s OR true)",
            ),
            (
                "models/ledger/queries/effects.py",
                (
                    "AND lease_token = %(token)s AND state = ANY(%(states)s)\n"
                    "              AND lease_until > clock_timestamp()"
                ),
                "AND (lease_token = %(token)s OR true) AND state = ANY(%(states)s)",
            ),
        ),
        size=FEW_SLEEPERS,
    ),
    Mutant(
        "query-then-resend",
        16,
        (
            (
                "tasks/texting.py",
                "        if not stuck:\n            return 0\n",
                (
                    "        await conn.execute(\n"
                    "            \"UPDATE effects SET state = 'planned' WHERE own_id = ANY(%s)\", (stuck,)\n"
                    "        )\n"
                    "        return 0\n"
                ),
            ),
        ),
    ),
    Mutant(
        "resend-on-timeout",
        9,
        (
            (
                "tasks/sending/verdicts.py",
                'state=EffectState.UNKNOWN,\n                attempt_outcome="unknown"',
                'state=EffectState.PLANNED,\n                attempt_outcome="unknown"',
            ),
        ),
    ),
    Mutant(
        "commit-after-send",
        1,
        (
            (
                "tasks/sending/dispatch.py",
                "    await _carried_out(way, Intended(mine, intents, marked), sent)\n",
                (
                    "        early = await _call_all(way, mine)\n"
                    "    await _carried_out(way, Intended(mine, intents, marked), sent, early)\n"
                ),
            ),
            (
                "tasks/sending/dispatch.py",
                "async def _carried_out(way: _Way, intended: Intended, sent: Sent) -> None:",
                "async def _carried_out(way, intended, sent, early=None):",
            ),
            (
                "tasks/sending/dispatch.py",
                "        verdicts = await _call_all(way, mine)\n    else",
                "        verdicts = early or await _call_all(way, mine)\n    else",
            ),
        ),
    ),
    Mutant(
        "duplicate-taken-as-success",
        19,
        (
            (
                "tasks/sending/verdicts.py",
                'case AlreadyDone() if error.stored_sha256 == row["content_sha256"]:',
                "case AlreadyDone() if error:",
            ),
        ),
    ),
    Mutant(
        "connect-timeout-taken-as-not-done",
        9,
        (
            (
                "adapters/transport.py",
                "            if request_state.begun:\n",
                "            if request_state.begun and isinstance(error, httpcore2.ProtocolError):\n",
            ),
        ),
        size=1.0,  # only a text whose answer is cut off in a certain way goes twice
    ),
    Mutant(
        "guard-ignores-the-journal",
        21,
        (
            (
                "tasks/restore/guarding.py",
                "            why = await self._looked(conn, found)\n",
                "            why = None\n",
            ),
            (
                "tasks/restore/guarding.py",
                "        if self._journal is None or mark <= self._journal.last:\n",
                "        if mark < 0:\n",
            ),
            (
                "tasks/restore/guarding.py",
                "to_thread(self._journal.append, self._wave.mark, self._wave.entries, self._wave.day)",
                "sleep(0)",
            ),
        ),
    ),
    Mutant(
        "completion-push-off",
        0,
        (
            (
                "models/domain/admission.py",
                "        else:\n            stages[Stage.COMPLETION] = each\n",
                "        else:\n            stages.pop(Stage.COMPLETION, None)\n",
            ),
        ),
    ),
]


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
