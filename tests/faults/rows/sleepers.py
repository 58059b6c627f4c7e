"""Row 7: workers race, and sleep past their leases at each step."""

import random
import signal
import time
from datetime import UTC, datetime

import psutil

from tests.faults import forked
from tests.faults.catalogue import row

LEASE_S = 2.0
AT_ONCE = 6
SAME = 2
FALLEN_ASLEEP_S = 6
GROUPS = 12
"""Of workers at many points; a point that its days' work does not come to has its turn on others."""
# No sleeper's transaction may stand in the way of all others for long: PostgreSQL ends it after a minute.
ASLEEP_POINTS = [name for name in forked.POINTS if name not in {"before_keep", "in_keep", "in_watermark"}]


@row(
    7,
    "两个工作进程争抢，一个睡过了领取时限",
    least=25,
    cases=100,
    patience_s=900,
    alone=True,
    settings={"SHENGUAN_CALL_DEADLINE_S": "1", "SHENGUAN_LEASE_S": str(LEASE_S)},
)
def slept_past_lease(row):
    row.reread_s = 86400
    draw, paused = random.Random(row.seed), []
    # A receiver that takes its time: others are in their calls when the sleepers wake.
    row.faults("platform", {"match": {"method": "POST"}, "do": {"kind": "late", "seconds": 0.3}})
    row.faults("sms", {"match": {"method": "POST"}, "do": {"kind": "late", "seconds": 0.3}})
    row.days(3, each_s=0)
    points = [*ASLEEP_POINTS, *ASLEEP_POINTS]
    draw.shuffle(points)
    points = points[: row.times(len(points))]
    # Between a call and its record whoever made the call falls asleep, not one of many.
    groups = [[point] * SAME for point in forked.AFTER_A_CALL]
    for number in range(len(groups) + row.times(GROUPS)):
        group = groups[number] if number < len(groups) else points[:AT_ONCE]
        if not group:
            break
        row.days(2, each_s=0)
        sleepers = [forked.start(signal.SIGSTOP, point).go() for point in group]
        asleep = fallen_asleep(sleepers)
        if number >= len(groups):
            awake = [each.point for each in sleepers if each.pid not in asleep]
            points = [*points[AT_ONCE:], *awake]
        begun = datetime.now(UTC)
        other = forked.start().go()
        time.sleep(3 * LEASE_S)
        for each in sleepers:
            if each.pid in asleep:
                row.kinds[f"asleep {each.point}"] += 1
            if is_stopped(each.pid):  # also who fell asleep too late to count
                paused.append((asleep.get(each.pid, begun), datetime.now(UTC), each.pid))
        for each in sleepers:
            each.send(signal.SIGCONT)
        time.sleep(1.0)
        for each in [*sleepers, other]:
            each.send(signal.SIGTERM)
        for each in [*sleepers, other]:
            each.end()
        ended = datetime.now(UTC)
        paused += [(ended, ended, each.pid) for each in [*sleepers, other]]  # who had to be killed
    slept = sum(n for kind, n in row.kinds.items() if kind.startswith("asleep"))
    row.heal()
    row.hit = slept  # a late answer is no fault, only time for the race
    row.held_allowed += len(row.texts_called_during(paused))
    strangers = row.rows(RECORDED_WITHOUT_LEASE)
    if strangers:
        row.problems.append(f"失去领取之后仍写入了结果：{strangers[:3]}")
    row.dispatcher("one")
    row.dispatcher("two")
    row.measure_drain()
    row.rest()


def fallen_asleep(sleepers) -> dict[int, datetime]:
    """Since when each process sleeps that does, as soon as all do or their time is over."""
    end, since = time.monotonic() + FALLEN_ASLEEP_S, {}
    while len(since) < len(sleepers) and time.monotonic() < end:
        for each in sleepers:
            if each.pid not in since and is_stopped(each.pid):
                since[each.pid] = datetime.now(UTC)
        time.sleep(0.1)
    return since


RECORDED_WITHOUT_LEASE = (
    "SELECT h.entity_id, h.actor, h.event FROM history h WHERE h.entity = 'effect'"
    " AND h.event IN ('accepted', 'already_done', 'unknown', 'refused')"
    " AND EXISTS (SELECT FROM effect_attempts w WHERE w.worker = h.actor) AND NOT EXISTS"
    " (SELECT FROM effect_attempts a WHERE a.own_id = h.entity_id AND a.worker = h.actor"
    " AND a.outcome = h.event)"
)


def is_stopped(pid) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
