"""Admit case records: what waits in the inbox becomes cases, handovers, licences and planned effects.

One transaction a batch: locks, decisions, transitions, what is owed, and the inbox's outcomes.
Nothing is called inside. The attempt is counted in a transaction before, so that a record which
kills its worker counts too.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from adapters.records import parse_case
from config.city import CatalogItem, City
from models.domain.admission import Advance, Standing, Told, advance
from models.domain.errors import BrokenRecord
from models.domain.keys import row_id
from models.domain.lifecycles.case import CaseResult, CaseState
from models.domain.record import CaseRecord
from models.domain.workdays import Calendar
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import cases, clock, inbox
from models.ledger.sealing import Sealing
from tasks.case_rows import CaseChange, write_changes
from tasks.in_front import Problem, in_front_of_a_person, unknown_items
from tasks.pinning import pinned_items
from tasks.turns import begin_turn, read_waiting

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Admitted:
    """How many records came to which outcome in one batch."""

    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def total(self) -> int:
        """How many records had their turn."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class _Known:
    """A waiting record that could be read, with its item and what its source's codes mean."""

    row: dict[str, Any]
    record: CaseRecord
    item: CatalogItem
    result: CaseResult | None


async def admit_cases(
    ledger: Ledger, sealing: Sealing, city: City, calendar: Calendar, *, limit: int = 500
) -> Admitted:
    """Give the oldest waiting case records their turn; none left when ``total`` is 0.

    Raises:
        LedgerUnavailable: nothing of the batch was written but the count of its attempts.
    """
    limit = await begin_turn(ledger, "case", limit)
    if not limit:
        return Admitted()
    async with ledger.writing() as conn:
        return await _admit(conn, sealing, city, calendar, limit)


async def _admit(conn: Conn, sealing: Sealing, city: City, calendar: Calendar, limit: int) -> Admitted:
    now = await clock.business_now(conn)
    outcomes: list[tuple[UUID, str, str | None]] = []
    unknown: dict[str, int] = defaultdict(int)
    known: list[_Known] = []
    read, problems = await read_waiting(conn, sealing, "case", parse_case, limit)
    for each in read:
        row, record = each.row, each.record
        try:
            result = _result(city, record)
        except BrokenRecord as broken:
            problems.append(Problem(row, broken.rule, broken.message))
            continue
        if city.is_not_applicable(record.item_code):
            outcomes.append((row["id"], "not_applicable", None))
        elif (item := city.item(record.item_code)) is None:
            unknown[record.item_code] += 1
            outcomes.append((row["id"], "parked", f"item:{record.item_code}"))
        else:
            known.append(_Known(row, record, item, result))
    changes = await _changes(conn, city, known, outcomes, problems)
    await write_changes(conn, sealing, city, calendar, changes, business_now=now)
    outcomes += await in_front_of_a_person(conn, calendar, problems, business_now=now)
    await unknown_items(conn, calendar, unknown, business_now=now)
    await inbox.close(conn, outcomes)
    admitted = Admitted()
    for _, outcome, _ in outcomes:
        admitted.outcomes[outcome] += 1
    if outcomes:
        log.info("cases.admitted", **admitted.outcomes)
    return admitted


def _result(city: City, record: CaseRecord) -> CaseResult | None:
    event = city.statuses.event(record.status, record.result)
    if event is None:
        raise BrokenRecord(record.case_no, "unknown-status", "办件状态与结果代码不在对照表内")
    if event == "accepted":
        return None
    if record.completed_at is None and record.operation != "d":
        raise BrokenRecord(record.case_no, "missing-field", "已办结的办件缺少字段“completed_at”")
    return CaseResult(event)


async def _changes(
    conn: Conn,
    city: City,
    read: Sequence[_Known],
    outcomes: list[tuple[UUID, str, str | None]],
    problems: list[Problem],
) -> list[CaseChange]:
    by_case: dict[UUID, list[_Known]] = defaultdict(list)
    for each in read:
        by_case[row_id("case", each.row["source"], each.record.case_no)].append(each)
    known = await cases.lock_by_id(conn, list(by_case))
    pinned = await pinned_items(
        conn, city, [(row["item_version"], row["item_code"]) for row in known.values()]
    )
    changes = []
    for case_id, all_read in by_case.items():
        before = known.get(case_id)
        group = _one_content_a_version(before, all_read, problems)
        if not group:
            continue
        step = advance(_standing(before), [Told(each.record, each.result) for each in group])
        for position, each in enumerate(group):
            outcomes.append((each.row["id"], "stale" if position in step.stale else "admitted", None))
        if step.newest is not None:
            changes.append(_change(case_id, before, group, step, city, pinned))
    return changes


def _change(
    case_id: UUID,
    before: dict[str, Any] | None,
    group: Sequence[_Known],
    step: Advance,
    city: City,
    pinned: dict[tuple[str, str], CatalogItem],
) -> CaseChange:
    newest = next(each for each in group if step.newest is not None and each.record is step.newest.record)
    if before is None:
        item, version = newest.item, city.catalog.version
    else:
        item, version = pinned[before["item_version"], before["item_code"]], before["item_version"]
    return CaseChange(
        id=case_id,
        source=newest.row["source"],
        inbox_id=newest.row["id"],
        before=before,
        step=step,
        record=newest.record,
        item=item,
        item_version=version,
    )


def _standing(before: dict[str, Any] | None) -> Standing | None:
    if before is None:
        return None
    result = CaseResult(before["result"]) if before["result"] else None
    return Standing(CaseState(before["state"]), result, before["data_version"])


def _one_content_a_version(
    before: dict[str, Any] | None,
    group: Sequence[_Known],
    problems: list[Problem],
) -> list[_Known]:
    """Two contents under one version cannot both be true: the first stands, a person sees the other."""
    seen: dict[int, str] = {} if before is None else {before["data_version"]: before["record_sha256"]}
    kept = []
    for each in sorted(group, key=lambda one: one.row["position"]):
        version, digest = each.record.data_version, each.row["sha256"]
        if seen.setdefault(version, digest) == digest:
            kept.append(each)
        else:
            message = f"第{version}版数据先后到达两份不同内容，以先到者为准，请核对"
            problems.append(Problem(each.row, "version-conflict", message))
    return kept
