"""Rows 3, 4, 15: PostgreSQL restarts, its answers are lost, its disk is full."""

import contextlib
import random
import threading
import time
from datetime import UTC, datetime
from urllib.parse import quote

import psutil
import psycopg

from adapters.stack.postmaster import read_pid_file
from tests.faults import tracing
from tests.faults.catalogue import row
from tests.faults.proxies import CommitDoor
from tests.faults.row import SYSTEMS
from tests.faults.rows.deaths import texts_in_flight


@row(3, "PostgreSQL 每 5–40 秒重启", least=4, cases=5000, patience_s=1500, alone=True)
def restarts(row):
    """The cases of a whole city go through while it restarts, and settle by themselves."""
    row.reread_s = 86400
    draw, over, away = random.Random(row.seed), threading.Event(), []
    row.dispatcher()
    row.days(2)

    def again_and_again():
        while not over.wait(draw.uniform(5, 40 if row.size >= 1 else 12)):
            mode = draw.choice(("fast", "immediate"))
            struck_at = datetime.now(UTC)
            row.stack.cluster.stop(mode)
            row.stack.cluster.start()
            away.append((struck_at, datetime.now(UTC), None))
            row.hit += 1
            row.kinds[mode] += 1

    restarting = threading.Thread(target=again_and_again, daemon=True)
    restarting.start()
    begun = time.monotonic()
    # The days' work is spread over so many restarts, however fast the machine is.
    while row.days(1, each_s=2.0 if row.size >= 1 else 0.5):
        row.wait_quiet(240, rounds=2)
    over.set()
    restarting.join(60)
    row.notes["lived_s"] = round(time.monotonic() - begun, 1)
    row.heal()
    row.measure_drain(patience_s=300)
    row.held_allowed += len(row.texts_called_during(away))


@row(4, "COMMIT 的答复丢失", least=25, cases=120)
def commit_answer_lost(row):
    row.reread_s = 86400
    cluster = row.stack.cluster
    door = CommitDoor(f"{cluster.socket_folder}/.s.PGSQL.{cluster.port}", seed=row.seed)
    password = quote(cluster.password("app"), safe="")
    through = f"postgresql://shenguan_app:{password}@127.0.0.1:{door.port}/shenguan?gssencmode=disable"
    row.dispatcher(env={"SHENGUAN_DATABASE_URL": through})
    row.days(2)
    door.probability = 0.3
    row.days(row.times(30), each_s=0.5)
    door.probability = 0.0
    row.hit = door.hit
    row.heal()
    row.measure_drain()
    row.rest()
    # A text whose intent's COMMIT was not heard of was never called: its lease ends, its outcome is unknown.
    row.held_allowed += len(row.texts_called_during([(at, at, None) for at in door.struck_at]))
    door.close()


FULL = ("fsync,fdatasync:error=EIO", "pwrite64,pwritev:error=ENOSPC")


@row(15, "磁盘写满、fsync 失败", least=60, cases=60, needs=("strace",), patience_s=420)
def disk_full(row):
    row.reread_s = 86400
    flying = set()
    row.dispatcher()
    row.days(3)
    for number in range(row.times(4)):
        calls, error = FULL[number % 2].split(":")
        postmaster = psutil.Process(read_pid_file(row.stack.cluster.data).pid)
        sessions = [each.pid for each in postmaster.children()]
        held = hold_disk(row, postmaster.pid, calls, error, children=sessions)
        row.patience_s = 5
        with contextlib.suppress(psycopg.OperationalError):
            row.days(4, each_s=0.5)
        row.patience_s = 60
        time.sleep(2)
        row.hit += count_and_let_go(row, held, f"postgresql {error}")
        serve_again(row)
        flying |= set(texts_in_flight(row))
        row.days(2)
        row.catch_up()
    for _ in range(row.times(3)):
        # Our own disk: without a journal line on it nothing leaves.
        held = hold_disk(row, row.process("dispatcher").pid, "fsync,fdatasync", "error=EIO")
        row.days(3, each_s=0.6)
        flying |= set(texts_in_flight(row))
        row.hit += count_and_let_go(row, held, "dispatcher EIO")
        row.catch_up()
    for system in SYSTEMS:
        held = hold_disk(row, row.process(f"sim-{system}").pid, "fsync,fdatasync", "error=EIO")
        row.days(2, each_s=0.6)
        row.hit += count_and_let_go(row, held, f"{system} EIO")
        row.catch_up()
    row.held_allowed += len(flying)
    row.heal()
    row.measure_drain(patience_s=240)
    row.rest()


def serve_again(row):
    """PostgreSQL that lost its disk ends on purpose: who gives the disk back starts it again."""
    try:
        row.patiently(lambda: row.value("SELECT 1"), patience_s=15)
    except psycopg.OperationalError:
        row.stack.cluster.stop("immediate")
        row.stack.cluster.start()
        row.kinds["started again"] += 1


def hold_disk(row, pid, calls, error, *, children=()):
    said = row.folder / "strace.txt"
    said.unlink(missing_ok=True)
    options = ["-e", f"trace={calls}", "-e", f"inject={calls}:{error}:when=2+", "-o", str(said)]
    return tracing.Tracer(pid, *options, children=children)


def count_and_let_go(row, held, kind) -> int:
    held.let_go()
    struck = (row.folder / "strace.txt").read_text(errors="replace").count("(INJECTED)")
    row.kinds[kind] += struck
    return struck
