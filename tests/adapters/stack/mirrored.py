"""A ledger's cases and their runs, as tests of the mirror make and read them."""

import itertools
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID, uuid4

from pydantic import SecretStr

from models.ledger.queries import mirror as queries
from models.ledger.writer import HistoryRow, write_history
from tasks.mirror.runs import Due

BUSINESS = datetime(2026, 3, 10, 2, tzinfo=UTC)
CASE = """
INSERT INTO cases (id, source, case_no, data_version, inbox_id, state, item_code, item_version, item_name,
    mode, region, place_region, approval_department, accepted_at, party_index, needs_credit_check,
    row_version)
VALUES (%(id)s, 'platform', %(case_no)s, 1, gen_random_uuid(), 'accepted', %(item)s, '1', '食品经营许可',
    'live', '430902', '430902', '甲审批局', now(), '\\x00', false, 1)
"""
REGIONS = {"430902": "资阳区"}
_numbers = itertools.count(1)


async def new_case(ledger) -> tuple[UUID, str]:
    """A case just accepted, with its first line of history."""
    case_id, case_no = uuid4(), f"JX{next(_numbers):06d}"
    async with ledger.writing() as conn:
        await conn.execute(CASE, {"id": case_id, "case_no": case_no, "item": "0" * 31})
    await happen(ledger, case_id, "case", str(case_id), None, "first_seen", "accepted")
    return case_id, case_no


async def happen(ledger, case_id, entity, entity_id, before, event, after, reason=None) -> None:
    """A line of history, and with it the mirror's mark."""
    async with ledger.writing() as conn:
        write_history(
            conn, [HistoryRow(entity, entity_id, case_id, before, event, after, reason, "测试", BUSINESS)]
        )


async def become(ledger, case_id, state) -> None:
    """The case is in this state from now on."""
    async with ledger.writing() as conn:
        await conn.execute(
            "UPDATE cases SET state = %s, settled_at = CASE WHEN %s = 'settled' THEN now() END,"
            " completed_at = CASE WHEN %s IN ('completed', 'settled') THEN now() END,"
            " result = CASE WHEN %s IN ('completed', 'settled') THEN 'granted' END WHERE id = %s",
            (state, state, state, state, case_id),
        )
    await happen(ledger, case_id, "case", str(case_id), "accepted", "revised", state)


async def differences(ledger, prefect, case_ids) -> list[str]:
    """Every way in which a run is not what the ledger says; empty when all are in step."""
    async with ledger.reading() as conn:
        due = [Due.of(row, REGIONS) for row in await queries.wanted(conn, case_ids)]
    runs = {one.case_id: one.flow_run_id for one in due}
    there = await prefect.run_states([run for run in runs.values() if run])
    found = []
    for one in due:
        run = there.get(one.flow_run_id)
        if run is None:
            found.append(f"{one.case_no}: no run")
        elif run.state != one.wanted:
            found.append(f"{one.case_no}: {run.state} for {one.wanted}")
        elif not run.is_labelled(one.name, one.tags, {"case_no": one.case_no}):
            found.append(f"{one.case_no}: {run.name} {run.tags} {run.parameters}")
    return found


def services_over(ledger, server, worker="here:1"):
    """What the mirror takes of a process's services."""
    settings = SimpleNamespace(
        prefect_api_url=server.api_url, prefect_api_auth=SecretStr(server.auth), ui_url=server.ui_url
    )
    city = SimpleNamespace(regions={code: SimpleNamespace(name=name) for code, name in REGIONS.items()})
    return SimpleNamespace(settings=settings, ledger=ledger, worker=worker, city=city)
