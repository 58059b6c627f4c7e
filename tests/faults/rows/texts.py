"""Rows 16 and 17: what a gateway may do with a text it was given, and when another may have it."""

import json

from tests.faults.catalogue import row
from tests.faults.rows.answers import EFFECTS

WITHOUT_ANSWER = ("store_then_hang", "store_then_reset", "store_then_close", "store_then_half")
RECEIPTS = ("no_receipt", "late_receipt", "early_receipt", "double_receipt", "unknown_receipt")


@row(16, "短信：收下后无声、晚收、回执早到、两次、没有、陌生编号", least=35, cases=200)
def odd_gateway(row):
    row.dispatcher()
    row.days(2)
    row.faults(
        "sms",
        *(
            {"match": EFFECTS, "do": {"kind": kind, "seconds": 3}, "probability": 0.04}
            for kind in WITHOUT_ANSWER
        ),
        *({"match": EFFECTS, "do": {"kind": kind, "seconds": 2}, "probability": 0.08} for kind in RECEIPTS),
        {"match": EFFECTS, "do": {"kind": "late", "seconds": 1.0}, "probability": 0.05},
    )
    row.days(33)
    row.heal()
    row.held_allowed += sum(row.kinds[f"sms {kind}"] for kind in WITHOUT_ANSWER)
    row.held_allowed += row.kinds["sms late"]
    row.measure_drain()
    row.rest()
    for kind in (*WITHOUT_ANSWER, *RECEIPTS, "late"):
        if not row.kinds[f"sms {kind}"]:
            row.misses.append(f"{kind} 没有命中")
    withheld = sum(
        1
        for line in row.stack.simulators.ledger("sms").with_name("sms.log.jsonl").open(encoding="utf-8")
        if json.loads(line).get("outcome") == "receipt_withheld"
    )
    row.notes["receipts_withheld"] = withheld


UNKNOWN = ("before_reset", "store_then_reset", "store_then_hang")


@row(17, "首个网关结果未明时切换", least=20, cases=200, second_gateway=True)
def failover(row):
    """What the first gateway is proven not to have goes by the second; what is unknown never does."""
    row.dispatcher()
    row.days(2)
    row.faults(
        "sms",
        *({"match": EFFECTS, "do": {"kind": kind, "seconds": 3}, "probability": 0.08} for kind in UNKNOWN),
        {
            "match": EFFECTS,
            "do": {"kind": "status", "status": 503, "code": "not-processed"},
            "probability": 0.2,
        },
    )
    row.days(16)
    row.note_hits()
    row.down("sms")
    row.days(6)
    row.up("sms")
    row.days(11)
    row.heal()
    row.held_allowed += sum(row.kinds[f"sms {kind}"] for kind in UNKNOWN)
    row.measure_drain()
    row.rest()
    second = row.stack.simulators.ledger("sms2").read_text(encoding="utf-8").splitlines()
    row.kinds["by the second"] = len(second)
    if not second:
        row.problems.append("备用网关没有送出任何短信")
    both = row.value(
        "SELECT count(*) FROM effects e WHERE e.channel = 'sms' AND e.via = 'sms2' AND EXISTS (SELECT FROM"
        " effect_attempts a WHERE a.own_id = e.own_id AND a.outcome IN ('unknown', 'worker_lost'))"
    )
    if both:
        row.problems.append(f"首个网关结果未明的短信 {both} 条交给了备用网关")
