"""Drawn again by one command: from the ledger alone, also into a Prefect that knows nothing of it."""

import asyncio
from datetime import timedelta

import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.stack.deploy import deploy_all
from models.ledger.queries import quarantine, showing
from models.ledger.queries.quarantine import NewIncident
from tasks.mirror.rebuild import NothingToShowIn, rebuild
from tasks.mirror.showing import Mirroring
from tests.adapters.stack.mirrored import BUSINESS, become, differences, new_case, services_over

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
async def _nobody_has_the_turn(ledger):
    async with ledger.writing() as conn:
        await conn.execute("UPDATE mirror_turn SET until = now()")


async def lines_of(ledger, prefect: PrefectApi, cases) -> dict:
    async with ledger.reading() as conn:
        cursor = await conn.execute(
            "SELECT flow_run_id, (SELECT count(*) FROM history h WHERE h.case_id = m.case_id) AS n"
            " FROM mirror m WHERE case_id = ANY(%s)",
            (cases,),
        )
        owed = {row["flow_run_id"]: row["n"] for row in await cursor.fetchall()}
    there = [run for run, _ in await prefect.loggers_of(owed)]
    return {run: (there.count(run), n) for run, n in owed.items()}


async def test_it_is_drawn_again_where_everything_was_lost(
    ledger, deployed, prefect: PrefectApi, supervisor, stand_in_project
) -> None:
    cases = [(await new_case(ledger))[0] for _ in range(12)]
    for case_id in cases[:5]:
        await become(ledger, case_id, "settled")
    row = NewIncident(
        kind="unknown_item", key="77", count=1, message="", owner="某岗", since=BUSINESS,
        due_at=BUSINESS + timedelta(days=1),
    )  # fmt: skip
    async with ledger.writing() as conn:
        await quarantine.open_incidents(conn, [row])
    services = services_over(ledger, deployed)
    await Mirroring(services).show()
    assert await differences(ledger, prefect, cases) == []

    again = await rebuild(services, timeout_s=60)
    assert (again.cases, again.behind, again.lines_behind, again.lines) == (12, 0, 0, 0)
    assert await differences(ledger, prefect, cases) == []

    # a Prefect without a flow, a deployment or a run of ours
    for flow in await prefect._wire.post("/flows/filter", {}):
        await prefect._wire._change("DELETE", f"/flows/{flow['id']}", None)
    with pytest.raises(NothingToShowIn):
        await rebuild(services, timeout_s=60)
    await asyncio.to_thread(deploy_all, supervisor, deployed, project=stand_in_project)
    done = await rebuild(services, timeout_s=60)
    assert (done.cases, done.runs, done.lines, done.behind, done.lines_behind) == (12, 12, 17, 0, 0)
    assert await differences(ledger, prefect, cases) == []
    assert {have == owed for have, owed in (await lines_of(ledger, prefect, cases)).values()} == {True}
    deployments = await prefect.deployments()
    assert await prefect.count_runs(deployments["case-lifecycle"]) == 12
    assert await prefect.count_runs(deployments["incident"]) == 1


async def test_what_was_over_before_prefect_let_it_go_is_left(ledger, deployed, prefect: PrefectApi) -> None:
    old, _ = await new_case(ledger)
    fresh, _ = await new_case(ledger)
    for case_id in (old, fresh):
        await become(ledger, case_id, "settled")
    async with ledger.writing() as conn:
        await conn.execute("UPDATE cases SET updated_at = now() - interval '100 days' WHERE id = %s", (old,))
        await conn.execute("UPDATE mirror SET dirty_since = NULL WHERE case_id = %s", (old,))
    await rebuild(services_over(ledger, deployed), timeout_s=60)
    assert await differences(ledger, prefect, [fresh]) == []
    async with ledger.reading() as conn:
        assert old not in await showing.known(conn, after=None, limit=500, closed_days=85)
