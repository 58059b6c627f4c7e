"""Whatever is done to the runs, by button or by API, with the product's own flows and worker behind them."""

import random

import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.prefect_api.values import PrefectSaidNo, State
from models.ledger.connection import Ledger
from models.ledger.queries import mirror
from tasks.mirror.runs import Due
from tests.ui.seen import (
    BROWSER,
    PATIENCE_S,
    ask,
    deployment,
    elsewhere,
    new_record,
    over_the_wire,
    pushes_of,
    refused_case,
    rows,
    wait,
)

pytestmark = BROWSER

SEED = 20260310
CASES = 8
SHOWN = (
    "SELECT m.flow_run_id FROM mirror m JOIN cases c ON c.id = m.case_id"
    " WHERE c.case_no = %s AND m.shown IS NOT NULL AND m.flow_run_id IS NOT NULL"
)
ASKED = "SELECT event FROM history WHERE case_id = %s AND event = 'asked_again'"


def log_of(standing, run) -> list[str]:
    body = {"logs": {"flow_run_id": {"any_": [str(run)]}}, "limit": 200}
    return [row["message"] for row in over_the_wire(standing, "/logs/filter", body)]


def test_a_retry_of_a_run_whose_parameter_was_changed_serves_its_own_case(standing) -> None:
    ours, other = refused_case(standing), refused_case(standing)
    standing.mend(ours["case_no"])
    standing.mend(other["case_no"])

    async def tamper():
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            await prefect.retry_run(ours["flow_run_id"])
            body, shown = {"parameters": {"case_no": other["case_no"]}}, ""
            while shown != "Running":  # as often as the audit mends it
                await prefect._wire.patch(f"/flow_runs/{ours['flow_run_id']}", body)
                (run,) = (await prefect.run_states([ours["flow_run_id"]])).values()
                shown = run.state.name

    elsewhere(tamper())
    wait("the push", lambda: pushes_of(standing, ours["own_id"]))
    warned = f"参数被改动：本运行属于办件 {ours['case_no']}"
    wait("the warning", lambda: any(warned in line for line in log_of(standing, ours["flow_run_id"])))
    ask(standing, "SELECT 1 FROM effects WHERE own_id = %s AND state = 'accepted'", ours["own_id"])
    assert rows(standing, ASKED, other["id"]) == [], "nobody asked for the other"
    assert pushes_of(standing, other["own_id"]) == []

    def mended():
        body = {"flow_runs": {"id": {"any_": [str(ours["flow_run_id"])]}}}
        (run,) = over_the_wire(standing, "/flow_runs/filter", body)
        return run["parameters"] == {"case_no": ours["case_no"]}

    wait("the parameter as it was", mended)


def differences(standing, case_ids) -> list[str]:
    """Every way in which a run is not what the ledger says."""

    async def look():
        async with (
            Ledger.open(standing.ledger, max_size=1) as ledger,
            PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect,
        ):
            async with ledger.reading() as conn:
                due = [Due.of(row) for row in await mirror.wanted(conn, case_ids)]
            there = await prefect.run_states([one.flow_run_id for one in due if one.flow_run_id])
            found = []
            for one in due:
                run = there.get(one.flow_run_id)
                if run is None:
                    found.append(f"{one.case_no}: no run")
                elif run.state != one.wanted:
                    found.append(f"{one.case_no}: {run.state} for {one.wanted}")
                elif run.name != one.name or "镜像" not in run.tags or run.parameters != one.parameters:
                    found.append(f"{one.case_no}: {run.name} {run.tags} {run.parameters}")
            return found

    return elsewhere(look())


class Vandal:
    """Does to a case's run whatever comes to mind; the seed says what."""

    def __init__(self, standing, page, numbers):
        self.standing, self.page, self.numbers = standing, page, numbers
        self.dice = random.Random(SEED)
        self.done: list[str] = []

    def act(self, deed) -> None:
        number = self.dice.choice(self.numbers)
        run = ask(self.standing, SHOWN, number)["flow_run_id"]
        try:
            getattr(self, deed)(run, number)
        except PrefectSaidNo as said:
            if said.status != 404:  # else it was deleted a moment ago
                raise
        self.done.append(deed)

    def cancel(self, run, _number):
        body = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": self.dice.random() < 0.5}
        over_the_wire(self.standing, f"/flow_runs/{run}/set_state", body)

    def delete(self, run, _number):
        over_the_wire(self.standing, "/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": [str(run)]}}})

    def retry(self, run, _number):
        self.call(lambda prefect: prefect.retry_run(run))

    def by_hand(self, run, _number):
        state = self.dice.choice([State("COMPLETED", "已闭环"), State("CANCELLED", "Cancelled")])
        self.call(lambda prefect: prefect.move_runs([run], state, sparing=()))

    def relabel(self, run, _number):
        other = {"case_no": self.dice.choice(self.numbers)}
        self.call(lambda prefect: prefect.relabel_run(run, name="乱起的名字", tags=["乱"], parameters=other))

    def retry_by_button(self, run, _number):
        self.page.goto(f"{self.standing.ui}/runs/flow-run/{run}")
        button = self.page.get_by_role("button", name="Retry")
        if button.count():
            button.first.click()
            self.page.get_by_role("dialog").get_by_role("button", name="Retry").click()

    def call(self, what):
        async def run():
            async with PrefectApi(f"{self.standing.ui}/api", auth=self.standing.login) as prefect:
                return await what(prefect)

        return elsewhere(run())


def test_after_random_deeds_every_run_is_what_the_ledger_says(standing, page) -> None:
    refused = [refused_case(standing) for _ in range(2)]
    records = [new_record(standing) for _ in range(CASES - 2)]
    standing.publish(*records)
    numbers = [record["case_no"] for record in records] + [case["case_no"] for case in refused]
    for number in numbers:
        ask(standing, SHOWN, number)
    vandal = Vandal(standing, page, numbers)
    deeds = ["cancel", "delete", "by_hand", "relabel"] * 9 + ["retry", "retry_by_button"] * 2
    vandal.dice.shuffle(deeds)
    for deed in deeds:
        vandal.act(deed)
    assert {"cancel", "delete", "by_hand", "relabel", "retry", "retry_by_button"} == set(vandal.done)
    cases = [row[0] for row in rows(standing, "SELECT id FROM cases WHERE case_no = ANY(%s)", numbers)]
    assert len(cases) == CASES
    left: list[str] = []

    def in_step():
        left[:] = differences(standing, cases)
        return not left

    try:
        wait("every run in step", in_step, seconds=3 * PATIENCE_S)
    except AssertionError:
        pytest.fail("\n".join(left))
    ours = {"deployment_id": {"any_": [str(deployment(standing, "case-lifecycle"))]}}
    body = {"flow_runs": ours | {"name": {"like_": "ZZ"}}, "limit": 200}
    named = [run["name"].partition(" ")[0] for run in over_the_wire(standing, "/flow_runs/filter", body)]
    assert sorted(name for name in named if name in numbers) == sorted(numbers), "one run a case"
    for case in refused:
        standing.mend(case["case_no"])
