"""Rows 1 and 2: workers die at every step; the postmaster dies with its whole group."""

import random
import signal
import time
from datetime import UTC, datetime

from tests.faults import forked, tracing
from tests.faults.catalogue import row

MADE_BY_STRACE = {"restart_syscall", "rt_sigreturn", "wait4", "ptrace"}
FARTHEST = 400
"""The dangerous part of a day's work lies within so many calls of one kind."""
PAIRS_A_DAY, POINTS_A_DAY = 3, 3
SAMPLED, TRIED = 210, 400
"""So many must die at a sampled call; one that this day's work does not come to is made up for by another."""


@row(1, "工作进程在每一步被 kill -9", least=210, cases=120, needs=("strace",), patience_s=1500)
def worker_killed(row):
    row.reread_s = 86400
    draw, deaths = random.Random(row.seed), Deaths(row)
    row.days(2, each_s=0)
    usual = measured(row)
    row.notes["system_calls"] = usual
    # Between a call and its record lies what must not go twice.
    points = [
        *forked.AFTER_A_CALL,
        "after_text",
        *draw.sample(list(forked.POINTS), row.times(len(forked.POINTS))),
    ]
    sampled = list(every_call(usual)) if row.long else [drawn(draw, usual) for _ in range(row.times(TRIED))]
    pairs = [sampled[at : at + 2] for at in range(0, len(sampled), 2)]
    for number, pair in enumerate(pairs):
        if not row.long and row.kinds["strace"] >= row.times(SAMPLED):
            break
        if number % PAIRS_A_DAY == 0:
            row.days(1, each_s=0)
            # A point that this day's work does not come to has its turn on another.
            points = [
                *points[POINTS_A_DAY:],
                *(each for each in points[:POINTS_A_DAY] if not deaths.at(each, draw.choice((1, 1, 2)))),
            ]
        deaths.traced(pair)
    for _ in range(3):
        row.days(1, each_s=0)
        points = [point for point in points if not deaths.at(point, 1)]
    row.notes["points_never_reached"] = points
    row.held_allowed += len(row.texts_called_during(deaths.struck))
    row.heal()
    row.dispatcher()
    row.measure_drain()
    row.rest()


def drawn(draw, usual) -> tuple[str, int]:
    (call,) = draw.choices(list(usual), weights=[min(count, 100) for count in usual.values()])
    return call, draw.randint(1, min(usual[call], FARTHEST))


def every_call(usual):
    for call, count in sorted(usual.items()):
        yield from ((call, nth) for nth in range(1, min(count, FARTHEST) + 1))


class Deaths:
    """Kills workers and remembers when each died: what it was calling then may be held."""

    def __init__(self, row):
        self.row, self.struck = row, []

    def at(self, point, nth) -> bool:
        """Whether one died the nth time it came to the point; it may not come there in its time."""
        worker = forked.start(signal.SIGKILL, point, nth=nth).go()
        self._watch([worker], 1.5)
        return self._count(worker, f"point {point}")

    def traced(self, targets):
        """Workers beside each other, each of which dies on entering its nth system call of a name."""
        workers = [forked.start() for _ in targets]
        tracers = [
            tracing.Tracer(worker.pid, *tracing.inject(call, f"signal=KILL:when={nth}"))
            for worker, (call, nth) in zip(workers, targets, strict=True)
        ]
        for worker in workers:
            worker.go()
        self._watch(workers, 3.0)
        for tracer in tracers:
            tracer.let_go()
        for worker in workers:
            self._count(worker, "strace")

    def _watch(self, workers, patience_s):
        """Until all have died or their time is over; each death is noted when it is seen."""
        end, alive = time.monotonic() + patience_s, list(workers)
        while alive and time.monotonic() < end:
            for worker in [each for each in alive if each.ended(0) is not None]:
                alive.remove(worker)
                self._died(worker)
            time.sleep(0.02)

    def _count(self, worker, kind) -> bool:
        code = worker.ended(0)
        if code is None and (code := worker.end()) == -signal.SIGKILL:
            self._died(worker)
        if code != -signal.SIGKILL or not worker.began:
            return False
        self.row.hit += 1
        self.row.kinds[kind] += 1
        return True

    def _died(self, worker):
        now = datetime.now(UTC)
        self.struck.append((now, now, worker.pid))


def texts_in_flight(row) -> list[str]:
    found = row.rows("SELECT own_id FROM effects WHERE channel = 'sms' AND state = 'intent'")
    return [each["own_id"] for each in found]


def measured(row) -> dict[str, int]:
    """How often a worker makes each system call on a day with work."""
    row.days(1, each_s=0)
    worker = forked.start()
    tracer = tracing.Tracer(worker.pid, "-c")
    worker.go()
    time.sleep(1.5)
    worker.send(signal.SIGTERM)
    worker.ended(15)
    found = tracing.counted(tracer.let_go())
    return {name: count for name, count in found.items() if name not in MADE_BY_STRACE}


@row(2, "进程组与 PostgreSQL 一同被 kill -9", least=8, cases=60)
def power_cut(row):
    row.reread_s = 86400
    draw = random.Random(row.seed)
    flying = set()
    row.dispatcher()
    for _ in range(row.times(8)):
        row.days(3, each_s=0.15)
        time.sleep(draw.uniform(0.0, 0.3))
        cluster = row.stack.cluster
        row.stack.supervisor.stop("postgres-will")
        cluster.kill()
        row.kill("dispatcher")
        row.hit += 1
        cluster.start()  # asserts fsync, synchronous_commit and full_page_writes
        flying |= set(texts_in_flight(row))
        row.dispatcher()
    row.held_allowed += len(flying)
    row.heal()
    row.measure_drain()
    row.rest()
