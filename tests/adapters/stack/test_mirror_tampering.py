"""Whatever is done to the runs by the API: after a while each says what the ledger says.

Retry, with the product's own flow and worker behind it, and the UI's buttons: ``tests/ui/test_tampering.py``.
"""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.values import PrefectSaidNo, RunState, State
from tasks.mirror.audit import Auditor, is_hanging
from tasks.mirror.showing import Mirroring, Rhythm
from tests.adapters.stack.mirrored import REGIONS, become, differences, new_case, services_over

pytestmark = pytest.mark.stack

SEED = 20260310
CASES = 24
DEEDS = 70
QUIET_S = 120
BY_HAND = [
    State("COMPLETED", "已闭环"),
    State("RUNNING", "待推送"),
    State("FAILED", "已受理"),
    State("COMPLETED", "Completed"),
    State("FAILED", "Failed", "谁点的"),
    State("CANCELLED", "Cancelled"),
    State("RUNNING", "已受理", "一句不是我们说的话"),
]


@pytest.fixture(autouse=True)
async def _nobody_has_the_turn(ledger):
    async with ledger.writing() as conn:
        await conn.execute("UPDATE mirror_turn SET until = now()")


async def run_of(ledger, case_id) -> UUID | None:
    async with ledger.reading() as conn:
        cursor = await conn.execute("SELECT flow_run_id FROM mirror WHERE case_id = %s", (case_id,))
        return (await cursor.fetchone())["flow_run_id"]


class Vandal:
    """Does to a case's run, or to the case, whatever comes to mind; the seed says what."""

    def __init__(self, ledger, prefect: PrefectApi, cases: list[UUID]) -> None:
        self.ledger, self.prefect, self.cases = ledger, prefect, cases
        self.dice = random.Random(SEED)

    async def act(self) -> str:
        """One deed; what it was."""
        deed = self.dice.choice([self.cancel, self.delete, self.delete_many, self.by_hand, self.rename])
        if self.dice.random() < 0.3:
            deed = self.move_on
        case_id = self.dice.choice(self.cases)
        run = await run_of(self.ledger, case_id)
        if run is not None:
            try:
                await deed(case_id, run)
            except PrefectSaidNo as said:
                if said.status != 404:  # else it was deleted a moment ago
                    raise
        return deed.__name__

    async def cancel(self, _case_id, run) -> None:
        # as the UI's button does: by the rules, which may refuse it for a run that has ended
        body = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": self.dice.random() < 0.5}
        await self.prefect._wire.post(f"/flow_runs/{run}/set_state", body)

    async def delete(self, _case_id, run) -> None:
        await self.prefect._wire.post("/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": [str(run)]}}})

    async def delete_many(self, _case_id, _run) -> None:
        some = [await run_of(self.ledger, one) for one in self.dice.sample(self.cases, 5)]
        chosen = {"id": {"any_": [str(run) for run in some if run]}}
        await self.prefect._wire.post("/flow_runs/bulk_delete", {"flow_runs": chosen})

    async def by_hand(self, _case_id, run) -> None:
        await self.prefect.move_runs([run], self.dice.choice(BY_HAND), sparing=())

    async def rename(self, _case_id, run) -> None:
        other = {"case_no": self.dice.choice(["JX000001", "别的办件"])}
        await self.prefect.relabel_run(
            run, name=f"乱起的名字 {self.dice.random()}", tags=["乱"], parameters=other
        )

    async def move_on(self, case_id, _run) -> None:
        await become(self.ledger, case_id, self.dice.choice(["accepted", "completed", "settled", "voided"]))


async def test_after_random_deeds_every_run_is_what_the_ledger_says(
    ledger, deployed, prefect: PrefectApi
) -> None:
    made = [await new_case(ledger) for _ in range(CASES)]
    cases = [case_id for case_id, _ in made]
    mirroring = Mirroring(services_over(ledger, deployed))
    stop = asyncio.Event()
    showing = asyncio.create_task(mirroring.keep_showing(stop, rhythm=Rhythm(rest_s=0.1, look_s=0.5)))
    try:
        await _until_in_step(ledger, prefect, cases)
        vandal = Vandal(ledger, prefect, cases)
        done = [await vandal.act() for _ in range(DEEDS)]
        assert {"cancel", "delete", "delete_many", "by_hand", "rename", "move_on"} == set(done)
        await _until_in_step(ledger, prefect, cases)
        # and it stays so, at rest: nothing is moved to and fro
        shown = await mirroring.show()
        assert shown is not None
        assert await mirroring.restore() == 0
    finally:
        stop.set()
        await showing
    deployment = await prefect.deployment_id("case-lifecycle")
    names = await prefect._wire.post(
        "/flow_runs/filter", {"flow_runs": {"name": {"like_": "JX"}}, "limit": 200}
    )
    ours = {number for _, number in made}  # the server is shared with other tests' cases
    shown = sorted(number for row in names if (number := row["name"].partition(" ")[0]) in ours)
    assert shown == sorted(ours), "one run a case"
    assert deployment is not None


async def _until_in_step(ledger, prefect, cases) -> None:
    end = time.monotonic() + QUIET_S
    while left := await differences(ledger, prefect, cases):
        assert time.monotonic() < end, left
        await asyncio.sleep(0.3)


async def test_one_that_hangs_where_no_engine_is_is_taken_back(
    ledger, deployed, prefect: PrefectApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, _ = await new_case(ledger)
    await Mirroring(services_over(ledger, deployed)).show()
    run = await run_of(ledger, case_id)
    await prefect.move_runs([run], State("PENDING", "Pending"), sparing=())
    auditor = Auditor(ledger, REGIONS)
    assert await auditor.look_at_all(prefect) == 0, "a worker may have it in hand"
    assert (await prefect.run_states([run]))[run].state.name == "Pending"
    monkeypatch.setattr("tasks.mirror.audit._AT_WORK", {"Pending": timedelta(seconds=-1)})
    assert await auditor.look_at_all(prefect) == 1
    assert await differences(ledger, prefect, [case_id]) == []
    told = await prefect._wire.post("/logs/filter", {"logs": {"flow_run_id": {"any_": [str(run)]}}})
    said = [line["message"] for line in told if "恢复为台账中的状态" in line["message"]]
    assert len(said) == 1
    assert "“Pending”" in said[0]

    # and one whose case has moved meanwhile
    await prefect.move_runs([run], State("PENDING", "Pending"), sparing=())
    await become(ledger, case_id, "voided")
    await Mirroring(services_over(ledger, deployed)).show()
    assert (await prefect.run_states([run]))[run].state.name == "Pending"
    assert await auditor.look_at_all(prefect) == 1
    assert await differences(ledger, prefect, [case_id]) == []


@pytest.mark.parametrize("name", ["Running", "AwaitingRetry"])
async def test_what_an_engine_may_be_at_is_left_for_an_hour(name: str) -> None:
    def since(**ago: float) -> RunState:
        kind = "RUNNING" if name == "Running" else "SCHEDULED"
        return RunState(uuid4(), "x", State(kind, name), datetime.now(UTC) - timedelta(**ago), None)

    assert not is_hanging(since(minutes=55))
    assert is_hanging(since(minutes=61))


async def test_two_that_show_take_turns(ledger, deployed) -> None:
    await new_case(ledger)
    first, second = (Mirroring(services_over(ledger, deployed, f"host:{n}")) for n in (1, 2))
    shown = await first.show()
    assert (shown.created, shown.behind) == (1, 0)
    await new_case(ledger)
    waiting = await second.show()
    assert (waiting.created, waiting.behind) == (0, 1), "the first one has the turn"
    stopped = asyncio.Event()
    stopped.set()
    await first.keep_showing(stopped)  # it ends, and gives its turn back
    assert (await second.show()).created == 1
