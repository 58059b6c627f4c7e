"""Supervision results come back: matched, kept, told to the approval side, and felt by handover and licence.

A result attaches by case number, else by licence, else by party and item; supervision without a case
is normal. One that attaches to nothing stands in front of a person, and so does one from a
department that has no duty in the case. One that came before the case it names waits again when
that case has come.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

import structlog

from adapters.records import parse_feedback
from config.city import City
from models.domain.bodies import feedback_content
from models.domain.keys import feedback_return_key, row_id
from models.domain.party_codes import clean_code
from models.domain.record import FeedbackRecord
from models.domain.workdays import SHANGHAI, Calendar
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import cases, clock, feedback, handovers, importing, inbox
from models.ledger.queries.arrivals import NewExpected
from models.ledger.sealing import Sealing
from tasks.admission.pinning import pinned_items
from tasks.arrivals import expect, expected_penalty
from tasks.correcting import credit_to_correct
from tasks.in_front import Problem, in_front_of_a_person
from tasks.planning import Owed, owed_return, plan
from tasks.reporting import Report, owed_penalty, remember_reports
from tasks.supervised import Felt, feel
from tasks.turns import Read, Turn, begin_turn, read_waiting

log = structlog.get_logger(__name__)

_Read = Read[FeedbackRecord]
PENALTY, READ, POLICY = "penalty", "read", "policy"
_ORPHAN = "orphan"
_EARLY = f"{_ORPHAN}:"
"""Before the number of the case an orphan names, in its inbox row's reason."""
_BY_ITSELF = "系统自动"


@dataclass(frozen=True, slots=True)
class _Match:
    """What a result belongs to: its case, licence and handovers, and how they were found."""

    by: str
    case: dict[str, Any] | None = None
    licence_id: UUID | None = None
    handovers: tuple[dict[str, Any], ...] = ()


async def admit_feedback(
    ledger: Ledger, sealing: Sealing, city: City, calendar: Calendar, *, limit: int = 500
) -> int:
    """Give the oldest waiting results their turn; how many had it."""
    async with ledger.writing() as conn:
        await feedback.reopen_found(conn, _EARLY, _BY_ITSELF)
    async with begin_turn(ledger, "feedback", limit) as turn:
        if not turn.ids:
            return 0
        async with turn.session.writing() as conn:
            return await _admit(conn, sealing, city, calendar, turn)


async def _admit(conn: Conn, sealing: Sealing, city: City, calendar: Calendar, turn: Turn) -> int:
    now = await clock.business_now(conn)
    read, problems = await read_waiting(conn, sealing, "feedback", parse_feedback, len(turn.ids), turn=turn)
    await inbox.one_at_a_time(conn, "feedback")
    fresh, outcomes = await _newest(conn, read)
    matches = await _match(conn, sealing, city, [each.record for each in fresh])
    stopped = await _cases_with_a_person(conn, fresh, matches)
    good: list[tuple[_Read, _Match]] = []
    for each, match in zip(fresh, matches, strict=True):
        problem = _problem(city, each, match, stopped)
        if problem is not None:
            problems.append(problem)
        else:
            good.append((each, match))
            outcomes.append((each.row["id"], "admitted", None))
    await _keep(conn, sealing, city, calendar, good, now)
    named = {each.row["id"]: each.record.case_no for each in fresh if each.record.case_no}
    outcomes += [
        (inbox_id, outcome, f"{_EARLY}{named[inbox_id]}" if rule == _ORPHAN and inbox_id in named else rule)
        for inbox_id, outcome, rule in await in_front_of_a_person(conn, calendar, problems, business_now=now)
    ]
    await inbox.close(conn, outcomes)
    if outcomes:
        log.info("feedback.admitted", admitted=len(good), quarantined=len(problems))
    return len(outcomes)


async def _newest(
    conn: Conn, read: Sequence[_Read]
) -> tuple[list[_Read], list[tuple[UUID, str, str | None]]]:
    """The newest version of each result; the older ones are stale."""
    ids = {_id(each): each for each in sorted(read, key=lambda one: one.record.version)}
    known = await feedback.lock_versions(conn, list(ids))
    fresh = [each for identity, each in ids.items() if each.record.version > known.get(identity, 0)]
    kept = {each.row["id"] for each in fresh}
    return fresh, [(each.row["id"], "stale", None) for each in read if each.row["id"] not in kept]


def _id(read: _Read) -> UUID:
    return row_id("feedback", read.row["source"], read.record.feedback_no)


async def _match(conn: Conn, sealing: Sealing, city: City, records: Sequence[FeedbackRecord]) -> list[_Match]:
    by_number = await cases.find(conn, sorted({r.case_no for r in records if r.case_no}))
    by_receipt = await handovers.by_receipt(conn, [r.push_receipt for r in records if r.push_receipt])
    licences: dict[str, list[dict[str, Any]]] = defaultdict(list)
    numbers = sorted({r.licence_number for r in records if r.licence_number})
    for row in await cases.by_licence_number(conn, numbers):
        licences[row["number"]].append(row)
    # A party without a code is nobody in particular: it never matches.
    codes = {clean_code(r.party.id_number) for r in records if r.party} - {""}
    indexes = {code: sealing.index("party", code) for code in codes}
    parties: dict[tuple[bytes, str], dict[str, Any]] = {}
    for row in await cases.by_party(conn, list(indexes.values())):
        parties.setdefault((row["party_index"], row["item_code"]), row)
    found = []
    case: dict[str, Any] | None
    for record in records:
        party = indexes.get(clean_code(record.party.id_number)) if record.party else None
        held = licences.get(record.licence_number or "", [])
        held = [row for row in held if party is None or row["licence_party"] == party]
        if record.case_no in by_number:
            case, by = by_number[record.case_no], "case"
        elif held:
            # One number, several holders, and nobody named: a person says whose it is.
            case, by = (held[0], "licence") if len(held) == 1 else (None, "ambiguous")
        elif party is not None and record.item_code and not licences.get(record.licence_number or ""):
            case = parties.get((party, record.item_code))
            by = "party" if case else "none"
        else:
            case, by = None, "none"
        found.append(_Match(by, case, (case or {}).get("licence_id")))
    duties = await handovers.of_cases(conn, [match.case["id"] for match in found if match.case])
    return [
        _with_handovers(city, match, record, duties, by_receipt)
        for match, record in zip(found, records, strict=True)
    ]


def _same_department(city: City, ours: str | None, theirs: str) -> bool:
    """Whether both codes mean one department today: duties go over to successors."""
    if ours == theirs or ours is None:
        return ours == theirs
    mine, heir = city.successor_of(ours), city.successor_of(theirs)
    return mine is not None and heir is not None and mine.code == heir.code


def _with_handovers(
    city: City,
    match: _Match,
    record: FeedbackRecord,
    duties: Mapping[UUID, Sequence[dict[str, Any]]],
    by_receipt: Mapping[str, UUID],
) -> _Match:
    if match.case is None:
        return match
    rows = duties.get(match.case["id"], ())
    if record.push_receipt is not None and record.push_receipt in by_receipt:
        wanted = by_receipt[record.push_receipt]
        rows = [
            row
            for row in rows
            if row["id"] == wanted and _same_department(city, row["department_code"], record.department)
        ]
        return _Match("receipt", match.case, match.licence_id, tuple(rows))
    mine = tuple(
        row
        for row in rows
        if _same_department(city, row["department_code"], record.department)
        and record.supervision_item in {None, row["supervision_item"]}
    )
    return _Match(match.by, match.case, match.licence_id, mine)


async def _cases_with_a_person(conn: Conn, read: Sequence[_Read], matches: Sequence[_Match]) -> set[str]:
    """The case numbers that results name and no case has, because the case's own record was stopped."""
    named = [
        each.record.case_no
        for each, match in zip(read, matches, strict=True)
        if match.case is None and each.record.case_no
    ]
    return await importing.stopped_keys(conn, "case", sorted(set(named))) if named else set()


def _problem(city: City, read: _Read, match: _Match, stopped: set[str]) -> Problem | None:
    record = read.record
    if record.kind == POLICY:
        message = "政策变动没有对应的审批部门，请核对监管事项后处理"
        return None if _hearers(city, record, match.case) else Problem(read.row, "no-approver", message)
    if match.case is None and record.case_no in stopped:
        message = "反馈所指办件的记录尚在隔离中，请先处理该办件，再释放本条"
        return Problem(read.row, "case-quarantined", message)
    if match.by == "ambiguous":
        message = "该许可证号对应多个当事人的许可，反馈未写明当事人，请核对后处理"
        return Problem(read.row, "orphan", message)
    if match.case is None:
        return Problem(read.row, "orphan", "反馈没有对应的办件、许可或当事人事项，请核对后归档或补录")
    if not match.handovers and match.by in {"case", "receipt"} and match.case["mode"] in {"live", "trial"}:
        return Problem(read.row, "wrong-department", "反馈部门不是该办件的监管部门，请核对职责后处理")
    return None


async def _keep(
    conn: Conn,
    sealing: Sealing,
    city: City,
    calendar: Calendar,
    good: Sequence[tuple[_Read, _Match]],
    now: datetime,
) -> None:
    reads = [
        (row["id"], datetime.combine(each.record.happened_on, time(12), SHANGHAI))
        for each, match in good
        if each.record.kind == READ
        for row in match.handovers
    ]
    await handovers.mark_read(conn, reads)
    results = [(each, match) for each, match in good if each.record.kind != READ]
    await feedback.store(
        conn,
        [_row(each, match) for each, match in results],
        [
            feedback.Answered(feedback_id=_id(each), handover_id=row["id"])
            for each, match in results
            for row in match.handovers
        ],
    )
    await _take_back(conn, calendar, city, results, now)
    await _tell(conn, sealing, city, calendar, results, now)
    await feel(
        conn,
        [
            Felt(each.record, match.case, match.licence_id, match.handovers)
            for each, match in results
            if match.case is not None
        ],
        business_now=now,
    )


def _row(read: _Read, match: _Match) -> feedback.NewFeedback:
    record = read.record
    return feedback.NewFeedback(
        id=_id(read),
        source=read.row["source"],
        feedback_no=record.feedback_no,
        version=record.version,
        inbox_id=read.row["id"],
        department_code=record.department,
        supervision_item=record.supervision_item,
        case_id=match.case["id"] if match.case else None,
        licence_id=match.licence_id,
        matched_by=match.by,
        kind=record.kind,
        result=record.result,
        abnormal=record.abnormal,
        withdrawn=record.operation == "d",
        happened_on=record.happened_on,
        rectification_due=record.rectification_due,
    )


async def _take_back(
    conn: Conn, calendar: Calendar, city: City, results: Sequence[tuple[_Read, _Match]], now: datetime
) -> None:
    """What a withdrawn result said and has not left stays; what the credit system has, a person corrects."""
    gone = [(each, match) for each, match in results if each.record.operation == "d"]
    if not gone:
        return
    ids = [_id(each) for each, _ in gone]
    keys = [
        feedback_return_key(each.record.feedback_no, department)
        for each, match in gone
        for department in _hearers(city, each.record, match.case)
    ]
    await feedback.withdraw_planned(conn, ids, keys)
    held = [(row, "") for row in await feedback.reported(conn, ids)]
    await credit_to_correct(conn, calendar, held, business_now=now)


async def _tell(
    conn: Conn,
    sealing: Sealing,
    city: City,
    calendar: Calendar,
    results: Sequence[tuple[_Read, _Match]],
    now: datetime,
) -> None:
    """Return what the approval side must hear, and report the penalties that are ours to report."""
    owed: list[Owed] = []
    reports: list[Report] = []
    others: list[NewExpected | None] = []
    matched = [match.case for _, match in results if match.case is not None]
    pinned = await pinned_items(conn, city, {(case["item_version"], case["item_code"]) for case in matched})
    for each, match in results:
        record, case = each.record, match.case
        if case is not None and case["mode"] not in {"live", "trial"}:
            continue
        item = pinned.get((case["item_version"], case["item_code"])) if case else None
        if record.abnormal or (item is not None and item.return_normal):
            owed += [_returned(record, case, department) for department in _hearers(city, record, case)]
        if case is not None and item is not None and case["mode"] == "live" and record.operation != "d":
            others.append(expected_penalty(city, calendar, item, record, case["id"]))
        ours = case is None or (item is not None and item.reporter == "us")
        if (
            record.kind == PENALTY
            and ours
            and record.operation != "d"
            and (case is None or case["mode"] == "live")
        ):
            report = owed_penalty(sealing, record, case["id"] if case else None, _id(each))
            reports += [report] if report else []
    planned = await plan(conn, sealing, [*owed, *(report.owed for report in reports)], business_now=now)
    await remember_reports(conn, reports, planned)
    await expect(conn, others)


def _hearers(city: City, record: FeedbackRecord, case: dict[str, Any] | None) -> list[str]:
    """The approving departments a result concerns: its case's, else those whose items it supervises."""
    if case is not None:
        codes = {case["approval_department"]}
    elif record.item_code is not None and (item := city.item(record.item_code)) is not None:
        codes = {item.approval_department}
    else:
        sender = city.successor_of(record.department)
        codes = {
            item.approval_department
            for item in city.catalog.items.values()
            for duty in item.duties
            if sender is not None and (duty.department == sender.code or duty.unit == sender.unit)
            if record.supervision_item in {None, duty.supervision_item}
        }
    heirs = {code: city.successor_of(code) for code in codes}
    return sorted({heir.code if heir else code for code, heir in heirs.items()})


def _returned(record: FeedbackRecord, case: dict[str, Any] | None, department: str) -> Owed:
    return owed_return(
        "feedback",
        feedback_return_key(record.feedback_no, department),
        department,
        case["case_no"] if case else None,
        feedback_content(record),
        case["id"] if case else None,
    )
