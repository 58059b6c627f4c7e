"""Admit case records: what waits in the inbox becomes cases, handovers, licences and planned effects.

One transaction a batch: locks, decisions, transitions, what is owed, and the inbox's outcomes.
Nothing is called inside. The attempt is counted in a transaction before, so that a record which
kills its worker counts too.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
from tasks.admission.case_rows import CaseChange, write_changes
from tasks.admission.pinning import Pin, pinned_items
from tasks.in_front import Problem, in_front_of_a_person, unknown_items
from tasks.turns import Turn, begin_turn, read_waiting

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
    """A waiting record that could be read, with its item and what its source's codes mean.

    ``item`` is the one of ``version`` of the list: what its case pinned, else today's.
    """

    row: dict[str, Any]
    record: CaseRecord
    case_id: UUID
    item: CatalogItem
    version: str
    result: CaseResult | None


async def admit_cases(
    ledger: Ledger, sealing: Sealing, city: City, calendar: Calendar, *, limit: int = 500
) -> Admitted:
    """Give the oldest waiting case records their turn; none left when ``total`` is 0.

    Raises:
        LedgerUnavailable: nothing of the batch was written but the count of its attempts.
    """
    async with begin_turn(ledger, "case", limit) as turn:
        if not turn.ids:
            return Admitted()
        async with turn.session.writing() as conn:
            return await _admit(conn, sealing, city, calendar, turn)


async def _admit(conn: Conn, sealing: Sealing, city: City, calendar: Calendar, turn: Turn) -> Admitted:
    now = await clock.business_now(conn)
    outcomes: list[tuple[UUID, str, str | None]] = []
    unknown: dict[str, int] = defaultdict(int)
    known: list[_Known] = []
    read, problems = await read_waiting(conn, sealing, "case", parse_case, len(turn.ids), turn=turn)
    ids = [row_id("case", each.row["source"], each.record.case_no) for each in read]
    living = await cases.lock_by_id(conn, sorted(set(ids)))
    pinned = await pinned_items(conn, city, {_pin(row) for row in living.values()})
    for each, case_id in zip(read, ids, strict=True):
        row, record = each.row, each.record
        try:
            result = _result(city, record)
        except BrokenRecord as broken:
            problems.append(Problem(row, broken.rule, broken.message))
            continue
        # A case that lives keeps the item it began with, whatever became of it in today's list.
        item = pinned.get(_pin(living[case_id])) if case_id in living else None
        if item is not None:
            known.append(_Known(row, record, case_id, item, living[case_id]["item_version"], result))
        elif city.is_not_applicable(record.item_code):
            outcomes.append((row["id"], "not_applicable", None))
        elif (item := city.item(record.item_code)) is None:
            unknown[record.item_code] += 1
            outcomes.append((row["id"], "parked", f"item:{record.item_code}"))
        else:
            known.append(_Known(row, record, case_id, item, city.catalog.version, result))
    changes = _changes(living, known, outcomes, problems)
    overtaken = await write_changes(conn, sealing, city, calendar, changes, business_now=now)
    if overtaken:
        # Another worker has just admitted these cases' first record: ours wait, and are told against it.
        theirs = {each.row["id"] for each in known if each.case_id in overtaken}
        outcomes = [each for each in outcomes if each[0] not in theirs]
    outcomes += await in_front_of_a_person(conn, calendar, problems, business_now=now)
    await unknown_items(conn, calendar, unknown, business_now=now)
    await inbox.close(conn, outcomes)
    admitted = Admitted()
    for _, outcome, _ in outcomes:
        admitted.outcomes[outcome] += 1
    if outcomes:
        log.info("cases.admitted", **admitted.outcomes)
    return admitted


def _pin(case: dict[str, Any]) -> Pin:
    return case["item_version"], case["item_code"]


def _result(city: City, record: CaseRecord) -> CaseResult | None:
    event = city.statuses.event(record.status, record.result)
    if event is None:
        raise BrokenRecord(record.case_no, "unknown-status", "办件状态与结果代码不在对照表内")
    if event == "accepted":
        return None
    if record.completed_at is None and record.operation != "d":
        raise BrokenRecord(record.case_no, "missing-field", "已办结的办件缺少字段“completed_at”")
    return CaseResult(event)


def _changes(
    living: Mapping[UUID, dict[str, Any]],
    read: Sequence[_Known],
    outcomes: list[tuple[UUID, str, str | None]],
    problems: list[Problem],
) -> list[CaseChange]:
    by_case: dict[UUID, list[_Known]] = defaultdict(list)
    for each in read:
        by_case[each.case_id].append(each)
    changes = []
    for case_id, all_read in by_case.items():
        before = living.get(case_id)
        group = _one_content_a_version(before, all_read, problems)
        if not group:
            continue
        step = advance(_standing(before), [Told(each.record, each.result) for each in group])
        for position, each in enumerate(group):
            outcomes.append((each.row["id"], "stale" if position in step.stale else "admitted", None))
        if step.newest is not None:
            changes.append(_change(case_id, before, group, step))
    return changes


def _change(
    case_id: UUID, before: dict[str, Any] | None, group: Sequence[_Known], step: Advance
) -> CaseChange:
    newest = next(each for each in group if step.newest is not None and each.record is step.newest.record)
    return CaseChange(
        id=case_id,
        source=newest.row["source"],
        inbox_id=newest.row["id"],
        before=before,
        step=step,
        record=newest.record,
        item=newest.item,
        item_version=newest.version,
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
