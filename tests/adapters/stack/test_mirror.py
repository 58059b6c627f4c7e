"""The mirror on a real ledger and a real server: it shows what the ledger says, whatever happens."""

import itertools
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.values import State
from models.ledger.queries import mirror as queries
from tasks.mirror import runs as mirror
from tasks.mirror.audit import Auditor
from tasks.mirror.runs import MIRROR_TAG, mirror_cases, redraw_all

pytestmark = pytest.mark.stack

numbers = itertools.count(1)

INSERT = """
INSERT INTO cases (id, source, case_no, data_version, inbox_id, state, item_code, item_version, item_name,
    mode, region, place_region, approval_department, accepted_at, party_index, needs_credit_check,
    row_version)
VALUES (%(id)s, 'platform', %(case_no)s, 1, gen_random_uuid(), 'accepted', %(item)s, '1', '食品经营许可',
    'live', '430902', '430902', 'D', now(), '\\x00', false, 1)
"""
DIRTY = """
INSERT INTO mirror (case_id, dirty_since) SELECT unnest(%s::uuid[]), clock_timestamp()
ON CONFLICT (case_id) DO UPDATE SET dirty_since = EXCLUDED.dirty_since
"""
SETTLE = """
UPDATE cases SET state = 'settled', result = 'granted', completed_at = now(), settled_at = now(),
    row_version = row_version + 1 WHERE id = ANY(%s)
"""


@pytest.fixture
async def deployment(deployed, prefect: PrefectApi) -> UUID:
    found = await prefect.deployment_id("case-lifecycle")
    assert found is not None
    return found


@pytest.fixture(autouse=True)
async def _clean(ledger):
    async with ledger.writing() as conn:
        await conn.execute("UPDATE mirror SET dirty_since = NULL")


async def new_cases(ledger, count: int) -> dict[UUID, str]:
    cases = {uuid4(): f"JS{next(numbers):06d}" for _ in range(count)}
    async with ledger.writing() as conn:
        for case_id, case_no in cases.items():
            await conn.execute(INSERT, {"id": case_id, "case_no": case_no, "item": "0" * 31})
        await conn.execute(DIRTY, (list(cases),))
    return cases


async def settle(ledger, case_ids) -> None:
    async with ledger.writing() as conn:
        await conn.execute(SETTLE, (list(case_ids),))
        await conn.execute(DIRTY, (list(case_ids),))


async def runs_of(ledger, case_ids) -> dict[UUID, UUID]:
    async with ledger.reading() as conn:
        cursor = await conn.execute(
            "SELECT case_id, flow_run_id FROM mirror WHERE case_id = ANY(%s)", (list(case_ids),)
        )
        return {row["case_id"]: row["flow_run_id"] for row in await cursor.fetchall()}


async def shown(ledger, prefect: PrefectApi, case_ids) -> set[tuple[str, str]]:
    runs = await runs_of(ledger, case_ids)
    states = await prefect.run_states(runs.values())
    return {(states[run].state.type, states[run].state.name) for run in runs.values()}


async def test_a_case_is_a_run_named_by_its_number_and_follows_the_ledger(
    ledger, prefect: PrefectApi, deployment: UUID
) -> None:
    cases = await new_cases(ledger, 3)
    first = await mirror_cases(ledger, prefect, deployment_id=deployment)
    assert (first.created, first.moved, first.behind, first.reachable) == (3, 0, 0, True)
    runs = await runs_of(ledger, cases)
    states = await prefect.run_states(runs.values())
    for case_id, case_no in cases.items():
        run = states[runs[case_id]]
        assert run.name == f"{case_no} · 食品经营许可"
        assert run.state == State("RUNNING", "已受理")
    row = await prefect._wire.get(f"/flow_runs/{next(iter(runs.values()))}")
    assert MIRROR_TAG in row["tags"]
    assert set(row["parameters"]) == {"case_no"}

    await settle(ledger, list(cases)[:2])
    second = await mirror_cases(ledger, prefect, deployment_id=deployment)
    assert (second.created, second.moved, second.behind) == (0, 2, 0)
    assert await shown(ledger, prefect, list(cases)[:2]) == {("COMPLETED", "已闭环")}
    assert await shown(ledger, prefect, list(cases)[2:]) == {("RUNNING", "已受理")}
    third = await mirror_cases(ledger, prefect, deployment_id=deployment)
    assert (third.created, third.moved) == (0, 0)


async def test_a_pass_gives_way_between_two_calls_and_the_rest_is_shown_later(
    ledger, prefect: PrefectApi, deployment: UUID
) -> None:
    cases = await new_cases(ledger, 50)
    asked = itertools.count()

    async def after_the_first() -> bool:
        return next(asked) > 0

    first = await mirror_cases(ledger, prefect, deployment_id=deployment, gives_way=after_the_first)
    assert 0 < first.created < len(cases)
    assert (first.created + first.behind, first.reachable) == (len(cases), True)
    second = await mirror_cases(ledger, prefect, deployment_id=deployment)
    assert (first.created + second.created, second.behind) == (len(cases), 0)
    await settle(ledger, cases)
    third = await mirror_cases(ledger, prefect, deployment_id=deployment, gives_way=after_the_first)
    assert (third.moved, third.behind) == (0, len(cases))
    await mirror_cases(ledger, prefect, deployment_id=deployment)
    assert await shown(ledger, prefect, cases) == {("COMPLETED", "已闭环")}


async def test_what_moves_while_it_is_shown_stays_to_be_shown(
    ledger, prefect: PrefectApi, deployment: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = await new_cases(ledger, 1)
    read = queries.dirty

    async def read_then_moved(conn, limit, **how):
        rows = await read(conn, limit, **how)
        await settle(ledger, cases)
        return rows

    monkeypatch.setattr(mirror.mirror, "dirty", read_then_moved)
    late = await mirror_cases(ledger, prefect, deployment_id=deployment)
    assert (late.created, late.behind) == (1, 1)
    monkeypatch.undo()
    assert (await mirror_cases(ledger, prefect, deployment_id=deployment)).moved == 1
    assert await shown(ledger, prefect, cases) == {("COMPLETED", "已闭环")}


async def test_a_deleted_run_is_written_anew(ledger, prefect: PrefectApi, deployment: UUID) -> None:
    cases = await new_cases(ledger, 2)
    await mirror_cases(ledger, prefect, deployment_id=deployment)
    before = await runs_of(ledger, cases)
    gone = next(iter(cases))
    await prefect._wire.post("/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": [str(before[gone])]}}})
    await settle(ledger, cases)
    done = await mirror_cases(ledger, prefect, deployment_id=deployment)
    assert (done.created, done.moved, done.behind) == (1, 1, 0)
    assert (await runs_of(ledger, cases))[gone] != before[gone]
    assert await shown(ledger, prefect, cases) == {("COMPLETED", "已闭环")}


async def test_a_cancelled_run_shows_the_ledger_again_and_one_at_work_is_left_alone(
    ledger, prefect: PrefectApi, deployment: UUID
) -> None:
    cancelled, retried = cases = list(await new_cases(ledger, 2))
    await mirror_cases(ledger, prefect, deployment_id=deployment)
    runs = await runs_of(ledger, cases)
    await prefect.move_runs([runs[cancelled]], State("CANCELLED", "Cancelled"))
    await prefect.retry_run(runs[retried])
    assert await Auditor(ledger).look_for_strayed(prefect, deployment) >= 1
    await settle(ledger, [retried])
    done = await mirror_cases(ledger, prefect, deployment_id=deployment)
    assert done.behind == 1, "the one that waits for a worker"
    assert await shown(ledger, prefect, [cancelled]) == {("RUNNING", "已受理")}
    assert await shown(ledger, prefect, [retried]) == {("SCHEDULED", "AwaitingRetry")}
    await prefect.move_runs([runs[retried]], State("COMPLETED", "Completed"), sparing=())
    assert (await mirror_cases(ledger, prefect, deployment_id=deployment)).behind == 0
    assert await shown(ledger, prefect, [retried]) == {("COMPLETED", "已闭环")}


async def test_a_mirror_that_forgot_everything_finds_its_runs_again(
    ledger, prefect: PrefectApi, deployment: UUID
) -> None:
    cases = await new_cases(ledger, 2)
    await mirror_cases(ledger, prefect, deployment_id=deployment)
    before = await runs_of(ledger, cases)
    async with ledger.writing() as conn:
        await conn.execute("UPDATE mirror SET flow_run_id = NULL, shown = NULL")
    await settle(ledger, cases)
    assert await redraw_all(ledger) >= 2
    while (done := await mirror_cases(ledger, prefect, deployment_id=deployment)).behind:
        assert done.reachable
    assert await runs_of(ledger, cases) == before, "no second run for a case"
    assert await shown(ledger, prefect, cases) == {("COMPLETED", "已闭环")}


async def test_without_prefect_everything_waits(ledger) -> None:
    cases = await new_cases(ledger, 2)
    async with PrefectApi("http://127.0.0.1:9/api") as nobody:
        done = await mirror_cases(ledger, nobody, deployment_id=uuid4())
    assert replace(done, lag_s=0.0, lines_behind=0) == mirror.Mirrored(0, 0, len(cases), 0.0, reachable=False)
