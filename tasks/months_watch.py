"""Whether the months ahead are made; the doctor says so, housekeeping opens an incident."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.domain.workdays import Calendar
from models.ledger.connection import Ledger
from models.ledger.queries import clock, quarantine, standing
from tasks.doctor.diagnosis import Finding, attention, bad, fine
from tasks.in_front import OPERATIONS_DESK, due_at

MISSING = "months_missing"
_WHAT = "分月"
_REMEDY = "用属主角色运行 shenguan db maintain"


async def look_at_months(ledger: Ledger) -> list[Finding]:
    """What is off: this month or the next one is not made, or rows lie where they have no month."""
    async with ledger.reading() as conn:
        tables = await standing.months(conn)
    if now := _without(tables, "this_month"):
        return [bad(_WHAT, f"{now} 没有本月的分区，新的行落在后备分区", _REMEDY)]
    if ahead := _without(tables, "next_month"):
        return [attention(_WHAT, f"{ahead} 没有下月的分区", _REMEDY)]
    if rest := _without(tables, "in_months"):
        return [attention(_WHAT, f"{rest} 有行没有归入月份", _REMEDY)]
    return [fine(_WHAT, "本月与下月的分区都在，没有未归月份的行")]


async def watch_months(ledger: Ledger, calendar: Calendar) -> bool:
    """Whether all is made; an incident stands open while it is not."""
    async with ledger.writing() as conn:
        tables = await standing.months(conn)
        missing = [name for name in ("this_month", "next_month", "in_months") if _without(tables, name)]
        if not missing:
            await quarantine.close_incidents(conn, MISSING, ["ledger"])
            return True
        now = await clock.business_now(conn)
        incident = quarantine.NewIncident(
            kind=MISSING,
            key="ledger",
            count=len(missing),
            message=f"台账的分区没有按月建好；没有行会丢失。请{_REMEDY}",
            owner=OPERATIONS_DESK,
            since=now,
            due_at=due_at(calendar, now),
        )
        await quarantine.open_incidents(conn, [incident])
    return False


def _without(tables: Sequence[Mapping[str, Any]], what: str) -> str:
    return "、".join(row["name"] for row in tables if not row[what])
