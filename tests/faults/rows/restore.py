"""Row 21: the ledger is put back to an older copy while the outside keeps what came later."""

import json
import subprocess
import time

from tests.faults.catalogue import row
from tests.faults.row import SYSTEMS


@row(21, "由一小时前的备份恢复，对方留有之后的内容", least=20, cases=120, patience_s=420)
def restored(row):
    """A copy of the files keeps system id and timeline: only the journal outside knows better."""
    row.reread_s = 86400
    cluster = row.stack.cluster
    row.dispatcher()
    row.days(10)
    row.wait_quiet(60)
    row.stop("dispatcher", "listener")
    before = {system: stored(row, system) for system in SYSTEMS}
    copy = row.folder / "copy"
    cluster.stop()
    subprocess.run(["cp", "-a", cluster.data, copy], check=True)
    cluster.start()
    row.stack._start_listener()
    row.dispatcher()
    row.days(8)
    row.wait_quiet(60)
    row.stop("dispatcher", "listener")
    later = {system: stored(row, system)[len(before[system]) :] for system in SYSTEMS}
    cluster.stop("immediate")
    subprocess.run(["rm", "-rf", cluster.data], check=True)
    subprocess.run(["cp", "-a", copy, cluster.data], check=True)
    cluster.start()
    row.set_clock(row.now)
    row.stack._start_listener()
    row.dispatcher()
    row.set_clock(row.now)
    there = {system: len(stored(row, system)) for system in SYSTEMS}
    row.days(2, each_s=1.0)
    time.sleep(3)
    grown = {system: len(stored(row, system)) - there[system] for system in SYSTEMS}
    if any(grown.values()):
        row.problems.append(f"核对之前仍有外发：{grown}")
    if not row.value("SELECT count(*) FROM sender_locks WHERE opened_at IS NULL"):
        row.problems.append("恢复后没有锁定外发")
    row.heal()
    opened = row.command("reconcile", "--after-restore", "--json")
    row.notes["reconcile"] = (
        json.loads(opened.stdout) if opened.stdout.startswith("{") else opened.stderr[-300:]
    )
    if row.value("SELECT count(*) FROM sender_locks WHERE opened_at IS NULL"):
        row.problems.append(f"核对之后仍然锁定：{opened.stdout[-300:]}{opened.stderr[-300:]}")
    known = row.rows("SELECT own_id FROM effects WHERE state = 'accepted' AND channel <> 'sms'")
    own = {each["own_id"] for each in known}
    lost = {line["own_id"] for system in ("platform", "credit") for line in later[system]}
    row.hit = len(lost) + len(later["sms"])
    row.kinds |= {system: len(lines) for system, lines in later.items()}
    if lacking := lost - own:
        row.problems.append(f"对方已有 {len(lacking)} 项未被接管：{sorted(lacking)[:3]}")
    # What left as a text in the lost hour cannot be asked for: a person sees each.
    row.held_allowed += len(later["sms"])
    row.measure_drain()
    row.rest()
    resumed = row.value('SELECT count(*) FROM evidence_leaves WHERE leaf LIKE \'{"v":1,"kind":"resumed"%%\'')
    if resumed != 1:
        row.problems.append(f"恢复没有写入留痕：{resumed} 条")
    if not list((row.folder / "evidence").glob("heads.lost-*.jsonl")):
        row.problems.append("恢复前的签名头没有留存")
    row.stop_ours()
    sealed = row.command("evidence", "verify", "--json")
    if sealed.returncode:
        row.problems.append(
            f"留痕核验退出码 {sealed.returncode}：{sealed.stdout[-300:]}{sealed.stderr[-300:]}"
        )


def stored(row, system) -> list[dict]:
    lines = row.stack.simulators.ledger(system).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
