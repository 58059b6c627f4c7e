"""Rows 18 and 19: the credit system says no, or says that it has it already."""

import json
from collections import Counter
from datetime import timedelta

from adapters.sandbox.world import shares, versions
from adapters.sandbox.world.__main__ import write
from adapters.sandbox.world.build import build
from tests.faults.catalogue import row

REPORTS = {"method": "POST", "path_regex": "^/v1/reports$"}
RULES = ("check-digit", "unknown-subject", "duplicate-number", "late")
REFUSED_TRAITS = {
    "broken_credit_code": 4,
    "broken_id_number": 3,
    "unknown_subject": 4,
    "duplicate_number": 4,
    "late_decision": 4,
    "dirty_code": 4,
}


def with_many_refusals(folder, row):
    """The same city with more of what the credit system refuses; one day is corrected."""
    usual, twists = shares.SHARES, versions._TWISTS
    shares.SHARES = tuple(
        (trait, share, REFUSED_TRAITS.get(trait, least), size) for trait, share, least, size in usual
    )
    versions._TWISTS = {**twists, "late_decision": corrected}
    try:
        write(build(str(row.seed), row.cases, row.plan.city_folder), folder)
    finally:
        shares.SHARES, versions._TWISTS = usual, twists


def corrected(case, records, draw):
    """A day later the record comes again, in the next version, with the day on which it was decided indeed.

    A corrected number would be another party's decision: that is another key, and no next version.
    """
    at, last = records[-1]
    when = at + timedelta(days=1)
    new = versions._changed(last, when)
    day = last["changed_at"][:10]
    return [
        *records,
        (when, {**new, "completed_at": last["changed_at"], "decided_on": day, "valid_from": day}),
    ]


@row(18, "信用系统拒收：校验位、查无主体、文书号重复、逾期", least=12, cases=220, world=with_many_refusals)
def refused(row):
    row.dispatcher()
    row.days(35)
    row.heal()
    row.measure_drain()
    row.rest()
    log = [json.loads(line) for line in log_lines(row)]
    said = {line["own_id"]: line for line in log if line.get("outcome") == "refused"}
    row.hit = len(said)
    row.kinds.update(Counter(rule for line in said.values() for _, rule in line.get("errors", [])))
    states = row.rows(
        "SELECT own_id, state, reason, owner, due_at FROM effects WHERE channel = 'credit_report'"
        " AND state = 'refused'"
    )
    alone = [each["own_id"] for each in states if not (each["owner"] and each["due_at"])]
    if alone:
        row.problems.append(f"被拒而无人负责：{alone[:3]}")
    row.notes["refused_here"] = len(states)
    if not states:
        row.problems.append("没有一件被拒报送站到人面前")
    next_versions = row.rows(
        "SELECT o.own_id FROM effects o JOIN effects n ON n.channel = o.channel AND n.target = o.target"
        " AND n.business_key = o.business_key AND n.content_version > o.content_version"
        " WHERE o.channel = 'credit_report' AND o.state = 'superseded' AND n.state = 'accepted'"
    )
    row.kinds["corrected"] = sum(each["own_id"] in said for each in next_versions)
    if not row.kinds["corrected"]:
        row.problems.append("更正后的版本没有以下一版本报送成功")
    lacking = [rule for rule in RULES if not row.kinds[rule]]
    if lacking:
        row.misses.append(f"没有命中的拒收规则：{lacking}")


def log_lines(row) -> list[str]:
    path = row.stack.simulators.ledger("credit").with_name("credit.log.jsonl")
    return path.read_text(encoding="utf-8").splitlines()


@row(19, "信用系统先收下，再说重复", least=12, cases=160)
def accepted_then_duplicate(row):
    row.dispatcher()
    row.days(2)
    row.faults(
        "credit",
        {"match": REPORTS, "do": {"kind": "store_then_reset"}, "probability": 0.45},
        {"match": REPORTS, "do": {"kind": "theirs"}, "probability": 0.45},
    )
    row.days(33)
    row.heal()
    row.measure_drain()
    row.rest()
    log = [json.loads(line) for line in log_lines(row)]
    theirs = {line["own_id"] for line in log if line.get("outcome") == "conflict"}
    ours = {line["own_id"] for line in log if line.get("outcome") == "repeat"}
    row.kinds |= {"theirs": len(theirs), "ours": len(ours)}
    if not (theirs and ours):
        row.misses.append(f"两种重复都应出现：我方内容 {len(ours)}，他方内容 {len(theirs)}")
    states = {
        each["own_id"]: each["state"]
        for each in row.rows("SELECT own_id, state FROM effects WHERE own_id = ANY(%s)", (list(theirs),))
    }
    row.notes["theirs_became"] = dict(Counter(states.values()))
    if wrong := {own for own, state in states.items() if state != "refused"}:
        row.problems.append(f"对方存有他方内容，却不在人前：{sorted(wrong)[:3]}")
