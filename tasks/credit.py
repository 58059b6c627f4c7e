"""Credit: looked up at the door, and its records brought back to the approval side."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from adapters.credit.port import BATCH_LIMIT, Credit
from adapters.records import parse_case, parse_credit_record
from adapters.values import PartyCredit, PartyQuery
from models.domain.bodies import credit_record_content
from models.domain.errors import Refused
from models.domain.keys import credit_record_return_key
from models.domain.party_codes import clean_code
from models.domain.record import CreditRecord
from models.domain.workdays import Calendar
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import cases, clock, credit, data_keys, inbox, quarantine
from models.ledger.sealing import Sealing
from tasks.advice import our_check
from tasks.evidence.subjects import RAW_FIELD, party_index
from tasks.in_front import OPERATIONS_DESK, due_at, in_front_of_a_person
from tasks.planning import PLATFORM, owed_return, plan
from tasks.sending.pacing import turn
from tasks.turns import Read, begin_turn, read_waiting

log = structlog.get_logger(__name__)

_BATCHES_A_STEP = 50
_PURPOSE = "acceptance"


async def check_parties(
    ledger: Ledger,
    sealing: Sealing,
    calendar: Calendar,
    system: Credit,
    *,
    legal_basis: str,
    limits: str = "",
) -> int:
    """Look up the parties of cases at the door, a hundred a call; how many look-ups were kept.

    Raises:
        NotDone, Throttled, Unreadable: the credit system cannot be asked now; the cases keep waiting.
    """
    pace = partial(turn, ledger, limits, "credit")
    kept = 0
    after: tuple[datetime, UUID] | None = None
    for _ in range(_BATCHES_A_STEP):
        async with ledger.reading() as conn:
            rows = await cases.to_check(conn, BATCH_LIMIT, after)
            await data_keys.load(conn, sealing, [row["raw_sealed"] for row in rows])
        if not rows:
            break
        # Behind the last one, so that parties which get no answer hide nobody.
        after = (rows[-1]["first_seen_at"], rows[-1]["id"])
        queries = {row["id"]: _query(sealing, row) for row in rows}
        answers, refused = await _ask(system, list(queries.values()), legal_basis, pace)
        by_ref = {str(row["id"]): row for row in rows}
        checks = [our_check(sealing, by_ref[answer.ref]["id"], answer) for answer in answers]
        async with ledger.writing() as conn:
            await credit.add_checks(conn, checks)
            await _refused_checks(conn, calendar, [by_ref[ref] for ref in refused])
        kept += len(checks)
    if kept:
        log.info("parties.checked", checks=kept)
    return kept


async def _ask(
    system: Credit, queries: Sequence[PartyQuery], legal_basis: str, pace: Callable[[], Awaitable[None]]
) -> tuple[list[PartyCredit], list[str]]:
    """The answers, and the refs of parties whose query the credit system refuses, each asked alone."""
    await pace()
    try:
        return list(await system.query_parties(queries, purpose=_PURPOSE, legal_basis=legal_basis)), []
    except Refused:
        if len(queries) == 1:
            return [], [queries[0].ref]
    answers: list[PartyCredit] = []
    refused: list[str] = []
    for query in queries:
        answered, not_answered = await _ask(system, [query], legal_basis, pace)
        answers += answered
        refused += not_answered
    return answers, refused


async def _refused_checks(conn: Conn, calendar: Calendar, rows: Sequence[dict[str, Any]]) -> None:
    """A look-up that is refused is made by a person; the case does not wait for a machine."""
    if not rows:
        return
    now = await clock.business_now(conn)
    due = due_at(calendar, now)
    await quarantine.open_incidents(
        conn,
        [
            quarantine.NewIncident(
                kind="credit_check_refused",
                key=row["case_no"],
                count=1,
                message="信用系统拒绝了该办件当事人的信用查询（证件信息不合规则），请人工查询并留存凭据",
                owner=OPERATIONS_DESK,
                since=now,
                due_at=due,
            )
            for row in rows
        ],
    )
    await credit.without_check(conn, [row["id"] for row in rows])


def _query(sealing: Sealing, row: dict[str, Any]) -> PartyQuery:
    raw = sealing.open_sealed(RAW_FIELD, row["inbox_id"], row["raw_sealed"])
    party = parse_case(raw, row["case_no"]).party
    return PartyQuery(str(row["id"]), party.name, party.id_type, clean_code(party.id_number))


async def admit_credit_records(
    ledger: Ledger, sealing: Sealing, calendar: Calendar, *, limit: int = 500
) -> int:
    """Give the oldest waiting credit records their turn: kept, and returned to the approval side."""
    async with begin_turn(ledger, "credit_record", limit) as turn:
        if not turn.ids:
            return 0
        async with turn.session.writing() as conn:
            now = await clock.business_now(conn)
            read, problems = await read_waiting(
                conn, sealing, "credit_record", parse_credit_record, limit, turn=turn
            )
            await inbox.one_at_a_time(conn, "credit_record")
            outcomes = await _keep(conn, sealing, read, now)
            outcomes += await in_front_of_a_person(conn, calendar, problems, business_now=now)
            await inbox.close(conn, outcomes)
    return len(outcomes)


async def _keep(conn: Conn, sealing: Sealing, read: Sequence[Read[CreditRecord]], now: datetime) -> list[Any]:
    newest = {each.record.record_no: each for each in sorted(read, key=lambda one: one.record.version)}
    known = await credit.record_versions(conn, list(newest))
    fresh = [each for number, each in newest.items() if each.record.version > known.get(number, 0)]
    await credit.store_records(conn, [_row(sealing, each) for each in fresh])
    owed = [
        replace(
            owed_return(
                "credit_record",
                credit_record_return_key(each.record.record_no),
                PLATFORM,
                None,
                credit_record_content(each.record),
                None,
            ),
            party=party_index(sealing, each.record.party.id_number),
        )
        for each in fresh
    ]
    await plan(conn, sealing, owed, business_now=now)
    kept = {each.row["id"] for each in fresh}
    return [(each.row["id"], "admitted" if each.row["id"] in kept else "stale", None) for each in read]


def _row(sealing: Sealing, read: Read[CreditRecord]) -> credit.NewRecord:
    record = read.record
    return credit.NewRecord(
        record_no=record.record_no,
        version=record.version,
        operation=record.operation,
        inbox_id=read.row["id"],
        party_index=sealing.index("party", clean_code(record.party.id_number)),
        category=record.category,
        valid_from=record.valid_from,
        valid_to=record.valid_to,
        active=record.operation == "entry",
    )
