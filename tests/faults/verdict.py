"""What a row came to: counted from outside by a program that shares no code with ours."""

import asyncio
import json
import subprocess
import sys
from collections import Counter

from tests.faults.living import HASTE_S
from tests.faults.row import COUNTS, OPEN_STATES, ROOT

FINE, FINDINGS, HELD_REMAIN = 0, 1, 3


def conclude(row) -> dict:
    """Drain without a hand, write our statement, compare, and judge the row."""
    patience_s = HASTE_S if row.haste else 240
    done = row.command("drain", "--timeout", str(patience_s), "--json", timeout=patience_s + 60)
    if done.returncode not in {FINE, HELD_REMAIN}:
        row.no_end(f"drain 退出码 {done.returncode}：{done.stdout[-200:]}{done.stderr[-500:]}")
    else:
        row.notes["drain"] = json.loads(done.stdout.splitlines()[-1])
    verdict = compare(row)
    said = [json.loads(line) for line in (row.folder / "statement.jsonl").read_text().splitlines()]
    effects = [line for line in said if line["kind"] == "effect"]
    held = Counter(line["channel"] for line in effects if line["state"] == "held")
    left = Counter(line["state"] for line in effects if line["state"] in OPEN_STATES)
    if left:
        row.no_end(f"未了结：{dict(left)}")
    for name in COUNTS:
        if verdict[name]:
            found = row.misses if row.unended and name in {"lost", "silent"} else row.problems
            found.append(f"{name} = {verdict[name]}：{_some(verdict, name)}")
    if held.total() - held["sms"] > row.others_allowed:
        row.problems.append(f"非短信暂挂 {dict(held)}，至多 {row.others_allowed}")
    if held["sms"] > row.held_allowed:
        row.problems.append(f"短信暂挂 {held['sms']}，至多 {row.held_allowed}")
    if verdict["refusals_unproven"]:
        row.problems.append(f"对方未拒绝而记为被拒：{verdict['refusals_unproven']}")
    row.notes["owed"] = verdict["owed"]
    if verdict["settled"] < verdict["can_settle"]:
        row.notes["unsettled"] = verdict["unsettled"][:5]
    # A case whose news stands in a held text waits for a person, as long as no more is held than may be.
    may = verdict["can_settle"] - len(_behind_held_texts(said) & set(verdict["unsettled"]))
    if verdict["settled"] < 0.95 * may and not row.unended:
        row.problems.append(f"可闭环 {may} 件，闭环 {verdict['settled']} 件")
    if not verdict["owed"]["pushes"]:
        row.problems.append("没有任何应推送事项，核对无意义")
    if row.hit < row.least:
        row.misses.append(f"命中 {row.hit} 次，至少应为 {row.least}")
    return {
        "row": row.entry.number,
        "title": row.entry.title,
        "seed": row.seed,
        "cases": row.cases,
        "hit": row.hit,
        "least": row.least,
        **{name: verdict[name] for name in COUNTS},
        "held": held.total(),
        "held_bound": row.held_allowed + row.others_allowed,
        "drained_s": row.drained_s,
        "drain_per_s": row.drain_rate,
        "kinds": dict(sorted(row.kinds.items())),
        "settled": [verdict["settled"], may],
        "notes": row.notes,
        "problems": [*row.misses, *row.problems],
        "found": row.problems,
    }


def compare(row) -> dict:
    """The comparer's verdict as it prints it; its files stay in the row's folder.

    Raises:
        RuntimeError: it could not compare.
    """
    asyncio.run(_state(row))
    simulators, out = row.stack.simulators, row.folder / "compare.json"
    argv = [sys.executable, str(ROOT / "tests" / "outside" / "compare.py")]
    argv += ["--city-dir", str(row.plan.city_folder), "--liaisons", str(simulators.world / "liaisons.json")]
    for system in ("platform", "credit"):
        argv += [f"--{system}-ledger", str(simulators.ledger(system))]
        argv += [f"--{system}-feed", str(simulators.feed(system))]
    argv += ["--sms-ledger", str(simulators.ledger("sms"))]
    argv += ["--statement", str(row.folder / "statement.jsonl"), "--json", str(out)]
    if row.plan.second_gateway:
        argv += ["--more-sms-ledger", str(simulators.ledger("sms2"))]
    argv += ["--window", str(row.window_days * 86400)]
    argv += ["--reread", str(row.reread_s)] if row.reread_s else []
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode not in {FINE, FINDINGS}:
        raise RuntimeError(f"外部核对未能完成：{done.stderr[-500:]}")
    return json.loads(out.read_text())


async def _state(row):
    from tasks.composition import open_services
    from tasks.reconciliation.statement import write_statement

    async with open_services(row.stack.settings) as services:
        await write_statement(services.ledger, row.folder / "statement.jsonl")


def _behind_held_texts(said) -> set[str]:
    effects = {line["own_id"]: line for line in said if line["kind"] == "effect"}
    news = [line for line in said if line["kind"] == "news" and line.get("sms_own_id")]
    held = [line for line in news if effects.get(line["sms_own_id"], {}).get("state") == "held"]
    return {effects[line["push_own_id"]]["case_no"] for line in held if line["push_own_id"] in effects}


def _some(verdict: dict, name: str) -> str:
    details = [each for each in verdict["details"] if each["count"] == name]
    return json.dumps(details[:3], ensure_ascii=False)[:600]
