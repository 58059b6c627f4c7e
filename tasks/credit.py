"""Credit: looked up at the door, and its records brought back to the approval side."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog

from adapters.credit.port import BATCH_LIMIT, Credit
from adapters.records import parse_case, parse_credit_record
from adapters.values import PartyQuery
from models.domain.bodies import credit_record_content
from models.domain.keys import credit_record_return_key
from models.domain.party_codes import clean_code
from models.domain.record import CreditRecord
from models.domain.workdays import Calendar
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import cases, clock, credit, inbox
from models.ledger.sealing import Sealed, Sealing
from tasks.advice import our_check
from tasks.in_front import in_front_of_a_person
from tasks.intake import RAW_FIELD
from tasks.planning import PLATFORM, owed_return, plan
from tasks.turns import Read, begin_turn, read_waiting

log = structlog.get_logger(__name__)

_BATCHES_A_STEP = 10


async def check_parties(ledger: Ledger, sealing: Sealing, system: Credit, *, legal_basis: str) -> int:
    """Look up the parties of cases at the door, a hundred a call; how many look-ups were kept.

    Raises:
        NotDone, Throttled, Unreadable: the credit system cannot be asked now; the cases keep waiting.
    """
    kept = 0
    for _ in range(_BATCHES_A_STEP):
        async with ledger.reading() as conn:
            rows = await cases.to_check(conn, BATCH_LIMIT)
        if not rows:
            break
        raws = sealing.open_many(Sealed(RAW_FIELD, row["inbox_id"], row["raw_sealed"]) for row in rows)
        answers = await system.query_parties(
            [_query(row, raw) for row, raw in zip(rows, raws, strict=True)],
            purpose="acceptance",
            legal_basis=legal_basis,
        )
        by_ref = {str(row["id"]): row["id"] for row in rows}
        checks = [our_check(sealing, by_ref[answer.ref], answer) for answer in answers]
        async with ledger.writing() as conn:
            await credit.add_checks(conn, checks)
        kept += len(checks)
        if not checks:
            break
    if kept:
        log.info("parties.checked", checks=kept)
    return kept


def _query(row: dict[str, Any], raw: bytes) -> PartyQuery:
    party = parse_case(raw, row["case_no"]).party
    return PartyQuery(str(row["id"]), party.name, party.id_type, clean_code(party.id_number))


async def admit_credit_records(
    ledger: Ledger, sealing: Sealing, calendar: Calendar, *, limit: int = 500
) -> int:
    """Give the oldest waiting credit records their turn: kept, and returned to the approval side."""
    limit = await begin_turn(ledger, "credit_record", limit)
    if not limit:
        return 0
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        read, problems = await read_waiting(conn, sealing, "credit_record", parse_credit_record, limit)
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
        owed_return(
            "credit_record",
            credit_record_return_key(each.record.record_no),
            PLATFORM,
            None,
            credit_record_content(each.record),
            None,
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
