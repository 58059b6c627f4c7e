"""How everything stands: what `shenguan status` shows."""

from datetime import UTC, datetime

from models.domain.messages import CHANNELS, FEEDS, RECORD_KINDS, SYSTEMS, state_name
from models.domain.reasons import answer_name, reason_name
from models.domain.workdays import Calendar, business_day
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock, evidence, guard, quarantine, reconciling, showing, standing, summary
from tasks.status_told import (
    BusinessClock,
    Completeness,
    EvidenceTold,
    FeedRead,
    Findings,
    Status,
    Stopped,
    Waiting,
)

_LISTED = 50
_INBOX = "inbox:"


async def read_status(ledger: Ledger, calendar: Calendar) -> Status:
    """The ledger's state, all of it read at one moment."""
    async with ledger.reading(snapshot=True) as conn:
        now = await clock.business_now(conn)
        cases, handovers, effects = await _states(conn)
        stopped = await standing.stopped_counts(conn)
        lag, effort = await showing.lag(conn), await showing.effort(conn)
        day = business_day(now)
        return Status(
            clock=await _clock(conn, now),
            cases=cases,
            handovers=handovers,
            effects=effects,
            waiting=await _waiting(conn),
            refused=stopped["refused"],
            held=stopped["held"],
            stopped=await _stopped(conn, now),
            quarantine=await _quarantine(conn, now),
            incidents=await _incidents(conn, now),
            no_phone=await _no_phone(conn, now),
            dispatching=await _dispatching(conn, now),
            feeds=await _feeds(conn),
            evidence=EvidenceTold(**await evidence.backlog(conn)),
            mirror_behind=lag.cases,
            mirror_lag_s=lag.seconds,
            mirror_lines_behind=lag.lines_cases,
            mirror_lines_lag_s=lag.lines_seconds,
            mirror_runs_made=effort.created,
            mirror_runs_moved=effort.moved,
            mirror_lines_written=effort.lines,
            mirror_api_calls=effort.calls,
            senders_locked=await guard.open_lock(conn) is not None,
            completeness=await _completeness(conn),
            provisional_years=tuple(
                year for year in (day.year, day.year + 1) if calendar.is_provisional(year)
            ),
            overdue=await standing.overdue(conn, now),
        )


async def _completeness(conn: Conn) -> tuple[Completeness, ...]:
    return tuple(
        Completeness(
            row["system"],
            SYSTEMS.get(row["system"], row["system"]),
            row["day"],
            row["ours"],
            row["agreed"],
            row["unexplained"],
            row["agreed"] / row["ours"] if row["ours"] else None,
        )
        for row in await reconciling.last_days(conn)
    )


async def _clock(conn: Conn, now: datetime) -> BusinessClock:
    anchors = await clock.anchors(conn)
    machine = await summary.machine_now(conn)
    return BusinessClock(machine, now, float(anchors[2]) if anchors else 1.0, real=anchors is None)


async def _states(conn: Conn) -> tuple[dict[str, int], dict[str, int], dict[str, dict[str, int]]]:
    whole: dict[str, dict[str, int]] = {"case": {}, "handover": {}}
    effects: dict[str, dict[str, int]] = {}
    for row in await standing.states(conn):
        states = effects.setdefault(row["channel"], {}) if row["channel"] else whole[row["entity"]]
        states[row["state"]] = row["n"]
    return whole["case"], whole["handover"], effects


async def _waiting(conn: Conn) -> tuple[Waiting, ...]:
    return tuple(
        Waiting(
            row["what"],
            _name(row["what"]),
            row["state"] if row["what"].startswith(_INBOX) else state_name("effect", row["state"]),
            reason_name(row["reason"]),
            row["n"],
            row["since"],
            row["next_try"],
        )
        for row in await standing.waiting(conn)
    )


def _name(what: str) -> str:
    if what.startswith(_INBOX):
        kind = what.removeprefix(_INBOX)
        return f"待核对的{RECORD_KINDS.get(kind, kind)}"
    return CHANNELS.get(what, what)


async def _stopped(conn: Conn, now: datetime) -> tuple[Stopped, ...]:
    rows = await summary.stopped(conn, _LISTED)
    names = await standing.department_names(conn, [row["target"] for row in rows])
    owners = await standing.department_names(conn, [row["owner"] for row in rows])
    return tuple(
        Stopped(
            own_id=row["own_id"],
            channel=row["channel"],
            case_no=row["case_no"],
            # a text's target is its phone's keyed hash: nobody reads that
            target=SYSTEMS["sms"]
            if row["channel"] == "sms"
            else names.get(row["target"]) or SYSTEMS.get(row["target"], row["target"]),
            state=row["state"],
            reason=reason_name(row["reason"]),
            answer=answer_name(row["answer"]),
            owner=owners.get(row["owner"], row["owner"]),
            due_at=row["due_at"],
            overdue=row["due_at"] < now,
        )
        for row in rows
    )


async def _quarantine(conn: Conn, now: datetime) -> tuple[Findings, ...]:
    return tuple(
        Findings(
            RECORD_KINDS.get(row["kind"], row["kind"]),
            row["rule"],
            reason_name(row["rule"]),
            row["n"],
            row["owner"],
            row["due_at"],
            row["due_at"] < now,
        )
        for row in await standing.quarantined(conn)
    )


async def _incidents(conn: Conn, now: datetime) -> tuple[Findings, ...]:
    return tuple(
        Findings(
            reason_name(row["kind"]),
            row["key"],
            row["message"],
            row["count"],
            row["owner"],
            row["due_at"],
            row["due_at"] < now,
        )
        for row in await quarantine.incident_list(conn)
    )


async def _no_phone(conn: Conn, now: datetime) -> tuple[Findings, ...]:
    return tuple(
        Findings(
            "短信提醒",
            f"{row['department']}·{row['section']}",
            reason_name("no_phone"),
            row["n"],
            row["owner"],
            row["due_at"],
            row["due_at"] < now,
        )
        for row in await standing.without_phone(conn)
    )


async def _dispatching(conn: Conn, now: datetime) -> tuple[Findings, ...]:
    late = datetime.max.replace(tzinfo=UTC)
    return tuple(
        Findings(
            row["item_name"],
            row["case_no"],
            reason_name(row["reason"]),
            1,
            row["owner"],
            row["due_at"] or late,
            row["due_at"] is not None and row["due_at"] < now,
        )
        for row in await standing.dispatching(conn, _LISTED)
    )


async def _feeds(conn: Conn) -> tuple[FeedRead, ...]:
    return tuple(
        FeedRead(
            row["source"], row["feed"], FEEDS.get(row["feed"], row["feed"]), row["moved_at"], row["age_s"]
        )
        for row in await standing.feeds(conn)
    )
