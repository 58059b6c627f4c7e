"""What we claim against what they hold, and what they hold twice: the same for every channel but SMS."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from comparer.evidence import DECIDED_STATES, DONE_STATES, Statement, Stored, content_hash, lines, owned
from comparer.findings import Findings


def compare_claims(held: list[Stored], said: Statement, found: Findings) -> None:
    """Counts what we call accepted and they do not have, and holds without an owner or a due date."""
    theirs = {effect.own_id: effect for effect in held}
    for row in said.effects:
        channel, state = str(row.get("channel")), row.get("state")
        key = f"{row.get('business_key')}#{row.get('content_version')}"
        if state in DECIDED_STATES and not owned(row):
            found.add("silent", channel, key, "拒收或暂挂而没有责任人或期限")
        if channel == "sms":
            continue
        effect = theirs.get(str(row.get("own_id")))
        if state in DONE_STATES and effect is None:
            found.add("lost", channel, key, "我方记为已接收,对方没有")
        elif effect is not None and str(row.get("content_sha256")) != effect.content_sha256:
            count = "lost" if state in DONE_STATES else "unexpected"
            found.add(count, channel, key, "对方所存内容与我方所记不同")
    for effect in held:
        if effect.own_id not in said.by_id:
            found.add("unexpected", effect.kind, effect.business_key, "对方所存的这一笔不在我方台账中")
        if content_hash(effect.content) != effect.content_sha256:
            found.add("unexpected", effect.kind, effect.business_key, "对方所存内容与其摘要不符")


def unproven_refusals(said: Statement, ledgers: list[Path]) -> int:
    """How many effects we call refused although no simulator's log beside its ledger names a refusal.

    Told, not counted as a fault: an answer that a fault script gave leaves no line there.
    """
    logs = [path.with_name(f"{path.stem}.log.jsonl") for path in ledgers]
    told = {
        str(line.get("own_id"))
        for log in logs
        if log.exists()
        for line in lines(log)
        if line.get("outcome") in {"refused", "conflict"}
    }
    refused = [row for row in said.effects if row.get("state") == "refused"]
    return sum(str(row.get("own_id")) not in told for row in refused)


def compare_doubles(held: list[Stored], reinstated: set[str], found: Findings) -> None:
    """Counts effects stored again: one own id, one business key and version, or one content after itself.

    A case that was withdrawn and ``reinstated`` (case numbers) is told again, with the same content.
    """
    own_ids: set[str] = set()
    versions: set[tuple[str, int]] = set()
    by_key: dict[str, list[Stored]] = defaultdict(list)
    for effect in held:
        again = effect.own_id in own_ids or (effect.business_key, effect.content_version) in versions
        own_ids.add(effect.own_id)
        versions.add((effect.business_key, effect.content_version))
        if again:
            found.add("doubled", effect.kind, effect.business_key, "同一笔业务同一版内容存了不止一次")
        else:
            by_key[effect.business_key].append(effect)
    for key, effects in by_key.items():
        ordered = sorted(effects, key=lambda e: (e.content_version, e.order))
        for before, after in pairwise(ordered):
            told_again = key.rsplit("|", 3)[0] in reinstated
            if before.content_sha256 == after.content_sha256 and not told_again:
                found.add("doubled", after.kind, key, "同样的内容给了同一接收方两次")
