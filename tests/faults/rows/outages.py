"""Shows beside the 26 rows: receivers that are away for minutes and for a day of business time."""

import time
from datetime import timedelta

from tests.faults.catalogue import row


def away(row, business: timedelta, machine_s: float):
    """All receivers refuse connections for that long; what is due meanwhile goes when they are back."""
    row.dispatcher()
    row.days(12)
    row.days(1, each_s=0)  # the day's cases are on their way
    time.sleep(0.15)
    row.down("platform", "credit", "sms")
    steps = 5
    for _ in range(steps):
        row.set_clock(row.now + business / steps)
        time.sleep(machine_s / steps)
    row.up("platform", "credit", "sms")
    row.hit = row.value("SELECT count(*) FROM effect_attempts WHERE outcome = 'not_done'")
    row._healed_at = time.monotonic()
    row.measure_drain()
    row.rest()


@row(27, "接收方中断 5 分钟（业务时间）", least=1, cases=400, alone=True)
def five_minutes(row):
    away(row, timedelta(minutes=5), 5)


@row(28, "接收方中断 24 小时（业务时间）", least=1, cases=400, alone=True)
def a_day(row):
    away(row, timedelta(hours=24), 20)
