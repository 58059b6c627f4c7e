"""What a machine cannot decide stands in front of a person, with the rule, an owner and a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from config.city import CatalogItem, City
from models.domain.keys import row_id
from models.domain.workdays import Calendar, business_day, start_of_day
from models.ledger.bulk import Conn
from models.ledger.queries import quarantine

OPERATIONS_DESK = "联动运维岗"
"""Who has what belongs to no department yet."""
DUE_WORKING_DAYS = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """An inbox row, the rule it breaks and the Chinese sentence for it; ``owner`` where one is known."""

    row: dict[str, Any]
    rule: str
    message: str
    owner: str = OPERATIONS_DESK


def due_at(calendar: Calendar, business_now: datetime, working_days: int = DUE_WORKING_DAYS) -> datetime:
    """The end of the working day by which a person should have decided (business time)."""
    day = calendar.add_working_days(business_day(business_now), working_days + 1)
    return start_of_day(day)


def approval_owner(city: City, item: CatalogItem | None) -> str:
    """The approval side's section that has what belongs to an item."""
    if item is None:
        return OPERATIONS_DESK
    department = city.successor_of(item.approval_department)
    if department is None:
        return OPERATIONS_DESK
    section = department.section(item.approval_section)
    return f"{department.short}·{section.name if section else '审管联动联络员'}"


async def in_front_of_a_person(
    conn: Conn, calendar: Calendar, problems: Sequence[Problem], *, business_now: datetime
) -> list[tuple[UUID, str, str | None]]:
    """Quarantine the records; their inbox outcomes come back."""
    due = due_at(calendar, business_now)
    before = await quarantine.openings(conn, [each.row["id"] for each in problems]) if problems else {}
    await quarantine.open_many(
        conn,
        [
            quarantine.NewQuarantine(
                id=row_id("quarantine", str(each.row["id"]), str(before.get(each.row["id"], 0))),
                inbox_id=each.row["id"],
                kind=each.row["kind"],
                record_key=each.row["record_key"],
                line_no=each.row["line_no"],
                rule=each.rule,
                message=each.message,
                owner=each.owner,
                due_at=due,
            )
            for each in problems
        ],
    )
    return [(each.row["id"], "quarantined", each.rule) for each in problems]


async def unknown_items(
    conn: Conn, calendar: Calendar, counts: Mapping[str, int], *, business_now: datetime
) -> None:
    """One incident per unknown item code, however many cases carry it."""
    due = due_at(calendar, business_now)
    await quarantine.open_incidents(
        conn,
        [
            quarantine.NewIncident(
                kind="unknown_item",
                key=code,
                count=count,
                message="办件所用事项编码不在审管联动事项清单内，请补充清单或列入不适用",
                owner=OPERATIONS_DESK,
                since=business_now,
                due_at=due,
            )
            for code, count in sorted(counts.items())
        ],
    )
