"""Rows 11, 13, 20, 25, 26: what comes in shifts, is too much, is poison, comes all at once, is forged."""

import json
import random
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from datetime import datetime
from pathlib import Path

from adapters.sandbox.world import loose_feedback
from adapters.sandbox.world.__main__ import write
from adapters.sandbox.world.build import build
from tests.faults import forked
from tests.faults.catalogue import row
from tests.faults.rows.answers import EFFECTS, FEEDS, struck

MIB = 1024 * 1024
HUGE = "拟" * (10 * MIB // 3)


@row(11, "重复、乱序、翻页时增删", least=60, cases=150, settings={"SHENGUAN_PAGE_SIZE": "10"})
def shifting_pages(row):
    def rules(system):
        if system == "sms":
            return []
        return [{"match": FEEDS, "do": {"kind": "shift", "most": 4}, "probability": 0.5}]

    row.reread_s = 86400
    struck(row, rules, days=33)
    # A record may be late for the first reading of its place and be moved from under the second.
    row.read_once_more()


@row(13, "超大：2 GB、gzip 炸弹、百万条", least=24)
def oversized(row):
    def rules(system):
        kinds = [{"kind": "huge", "bytes": 2 << 30}, {"kind": "gzip_bomb"}, {"kind": "many"}]
        matches = [EFFECTS] if system == "sms" else [EFFECTS, FEEDS]
        return [
            {"match": match, "do": do, "probability": 0.3, "times": 1 if system == "sms" else row.times(3)}
            for do in kinds
            for match in matches
        ]

    row.dispatcher()
    row.days(3)
    usual = peak_bytes(row)
    for system in ("platform", "credit", "sms"):
        row.faults(system, *rules(system))
    row.days(row.times(33), each_s=0.7)
    row.heal()
    row.measure_drain()
    most = peak_bytes(row)
    row.held_allowed += sum(n for kind, n in row.kinds.items() if kind.startswith("sms "))
    row.notes |= {"usual_mib": usual // MIB, "peak_mib": most // MIB}
    if most > usual + 150 * MIB:
        row.problems.append(f"内存由 {usual // MIB} 增至 {most // MIB} MiB，应有界")
    row.rest()


def peak_bytes(row) -> int:
    with Path(f"/proc/{row.process('dispatcher').pid}/status").open() as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def with_a_ten_megabyte_field(folder, row):
    feed = folder / "feed_cases.jsonl"
    lines = feed.read_text(encoding="utf-8").splitlines()
    made = []
    whole = [
        line
        for line in map(json.loads, lines)
        if isinstance(line["record"], dict) and line["record"].get("case_no", "").startswith("4")
    ]
    for number in range(3):
        line = whole[(number + 1) * len(whole) // 5]
        line["record"] = {**line["record"], "case_no": f"BAD-TEN-{number:04d}", "content": HUGE}
        made.append(line)
    everything = [*map(json.loads, lines), *made]
    everything.sort(key=lambda line: line["at"])
    feed.write_text(
        "".join(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n" for line in everything)
    )


def killed_by(row, victim):
    """A worker works for some seconds, if it does not meet the poisoned record."""
    worker = forked.Forked(signal.SIGKILL, None, 1, poison=victim).go()
    code = worker.ended(3.0)
    if (worker.end() if code is None else code) == -signal.SIGKILL:
        row.hit += 1
        row.kinds["crash"] += 1
        row.held_allowed += row.open_texts()


def one_that_comes(row) -> str:
    """A case that is accepted soon, and of which nothing has come yet."""
    lines = (row.stack.simulators.world / "feed_cases.jsonl").read_text(encoding="utf-8").splitlines()
    plain = Counter(
        line["record"]["case_no"]
        for line in map(json.loads, lines)
        if isinstance(line["record"], dict) and "case_no" in line["record"]
    )
    return next(
        line["record"]["case_no"]
        for line in map(json.loads, lines)
        if datetime.fromisoformat(line["at"]) > row.now
        and isinstance(line["record"], dict)
        and line["record"].get("status") == "30"
        and plain[line["record"]["case_no"]] == 2
        and not line["record"]["case_no"].startswith("BAD")
    )


@row(20, "有毒的记录：崩溃、挂起、NUL、孤立代理、10 MB", least=14, cases=60, world=with_a_ten_megabyte_field)
def poison(row):
    row.reread_s = 86400
    row.days(4, each_s=0)
    first = forked.start().go()
    time.sleep(2.0)
    first.end()
    victim = one_that_comes(row)
    while not row.feed_has(victim):
        row.days(1, each_s=0)
        killed_by(row, victim)
    # Reading this record kills whoever reads it; every other goes on.
    for _ in range(12):
        if row.value("SELECT count(*) FROM quarantine WHERE rule = 'killed_worker'"):
            break
        killed_by(row, victim)
    else:
        row.problems.append("有毒的记录没有被隔离")
    row.dispatcher()
    # One department's pushes hang or are cut, again and again, whatever is asked of it.
    case_no = row.value(
        "SELECT c.case_no FROM cases c JOIN effects e ON e.case_id = c.id WHERE e.channel = 'push'"
        " AND c.state = 'accepted' ORDER BY c.case_no LIMIT 1"
    )
    row.faults(
        "platform",
        {"match": {**EFFECTS, "target": case_no}, "do": {"kind": "before_reset"}},
    )
    row.days(25, each_s=0.5)
    row.heal()
    row.measure_drain(patience_s=320)
    row.rest()
    found = Counter(
        each["rule"] for each in row.rows("SELECT rule FROM quarantine WHERE released_at IS NULL")
    )
    row.notes["quarantined"] = dict(found)
    row.hit += sum(found.values())
    if found["killed_worker"] != 1:
        row.problems.append(f"只应有一条记录因中断进程被隔离，实有 {found['killed_worker']}")


@row(25, "积压一周，然后十倍负荷", least=100, cases=400, patience_s=420)
def backlog(row):
    row.days(6, each_s=0)
    row.dispatcher()
    waiting = row.cases
    row.heal()
    row.wait_quiet(120)
    row.days(5, each_s=0.5)
    row.stop("dispatcher")
    while row.days(10, every=10, each_s=0):
        if row.now.isoformat() > "2026-04-15":
            break
    row.dispatcher()
    time.sleep(4)
    row._healed_at = time.monotonic()
    row.measure_drain()
    row.rest()
    assert waiting
    cap, window = row.stack.settings.sms_daily_cap, row.stack.settings.sms_digest_minutes
    texts = [json.loads(line) for line in row.stack.simulators.ledger("sms").read_text().splitlines()]
    days = Counter((text["target"], text["at"][:10]) for text in texts)
    pushes = sum(1 for line in row.stack.simulators.ledger("platform").open() if '"kind":"push"' in line)
    row.hit = pushes - len(texts)
    row.notes |= {"texts": len(texts), "pushes": pushes, "most_a_day": max(days.values()), "window": window}
    if max(days.values()) > cap:
        row.problems.append(f"一部手机一天 {max(days.values())} 条短信，上限 {cap}")


def with_much_loose_feedback(folder, row):
    """The same city, its departments report much that is repeated, late, misplaced."""
    shares = loose_feedback._SHARES
    kinds = {"repeated", "newer_version", "stale_version", "withdrawn", "wrong_department", "late", "orphan"}
    loose_feedback._SHARES = tuple(
        (kind, share, 12 if kind in kinds else least) for kind, share, least in shares
    )
    try:
        write(build(str(row.seed), row.cases, row.plan.city_folder), folder)
    finally:
        loose_feedback._SHARES = shares


@row(26, "反馈重复、迟到、部门不符、伪造", least=90, cases=120, world=with_much_loose_feedback)
def odd_feedback(row):
    draw = random.Random(row.seed)
    row.dispatcher()
    for _ in range(12):
        row.days(4, each_s=0.5)
        row.hit += sum(forge(row, draw) for _ in range(6))
    row.heal()
    row.measure_drain()
    row.rest()
    served = [json.loads(line) for line in row.stack.simulators.feed("platform").read_text().splitlines()]
    records = [line["record"] for line in served if line["feed"] == "feedback"]
    numbers = Counter(record.get("feedback_no") for record in records if isinstance(record, dict))
    odd = sum(count - 1 for count in numbers.values())
    row.kinds["repeated"] = odd
    waiting = row.value("SELECT count(*) FROM incidents WHERE closed_at IS NULL")
    row.notes["incidents"] = waiting
    row.hit += odd
    forged = row.value(
        "SELECT count(*) FROM sms_texts WHERE report_status IS NOT NULL AND report_status = 'FORGED'"
    )
    if forged:
        row.problems.append(f"伪造的回执被采信 {forged} 次")


def forge(row, draw) -> int:
    """A receipt nobody sent: to a wrong address, or to the right one for a text that is not ours."""
    base = f"http://127.0.0.1:{row.plan.ports.listener}/receipts/yunmas/"
    secret = row.stack.settings.listener_path_secret.get_secret_value()
    right = draw.random() < 0.5
    body = {
        "reportStatus": "FORGED",
        "mobile": f"1{draw.randrange(10**10):010d}",
        "submitDate": "20260401100000",
        "receiveDate": "20260401100001",
        "errorCode": "0",
        "msgGroup": f"{draw.randrange(10**20):020d}",
    }
    request = urllib.request.Request(
        base + (secret if right else "a-guess-that-is-wrong"),
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status = answer.status
    except urllib.error.HTTPError as refused:
        status = refused.code
    row.kinds["forged"] += 1
    if not right and status == 200:
        row.problems.append("伪造的回执地址被接受")
    return 1
