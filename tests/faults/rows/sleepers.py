"""Row 7: workers race, and sleep past their leases at each step."""

import random
import signal
import time

import psutil

from tests.faults import forked
from tests.faults.catalogue import row
from tests.faults.rows.deaths import texts_in_flight

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
    draw, flying = random.Random(row.seed), set()
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
            awake = [each.point for each in sleepers if each not in asleep]
            points = [*points[AT_ONCE:], *awake]
        flying |= set(texts_in_flight(row))
        other = forked.start().go()
        time.sleep(3 * LEASE_S)
        for each in asleep:
            row.kinds[f"asleep {each.point}"] += 1
        for each in sleepers:
            each.send(signal.SIGCONT)  # also to who fell asleep too late to count
        time.sleep(1.0)
        for each in [*sleepers, other]:
            each.send(signal.SIGTERM)
        for each in [*sleepers, other]:
            each.end()
        flying |= set(texts_in_flight(row))  # of who did not end in its time and was killed
    slept = sum(n for kind, n in row.kinds.items() if kind.startswith("asleep"))
    row.heal()
    row.hit = slept  # a late answer is no fault, only time for the race
    row.held_allowed += len(flying)
    strangers = row.rows(RECORDED_WITHOUT_LEASE)
    if strangers:
        row.problems.append(f"失去领取之后仍写入了结果：{strangers[:3]}")
    row.dispatcher("one")
    row.dispatcher("two")
    row.measure_drain()
    row.rest()


def fallen_asleep(sleepers) -> list:
    """Those that sleep, as soon as all do or their time is over."""
    end = time.monotonic() + FALLEN_ASLEEP_S
    while True:
        asleep = [each for each in sleepers if is_stopped(each.pid)]
        if len(asleep) == len(sleepers) or time.monotonic() > end:
            return asleep
        time.sleep(0.1)


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
