"""The steps as Prefect tasks: one line each. What they do stands in ``tasks.steps``.

A task takes nothing and keeps nothing in Prefect but counts: no case, no person.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from prefect import task

from tasks import steps
from tasks.composition import current
from tasks.steps import Counts, Step


def _shown(step: Step) -> Callable[[], Awaitable[Counts]]:
    async def run() -> Counts:
        return await step(current())

    name = (step.__doc__ or step.__name__).rstrip(".")
    # The graph of a run is drawn in a font without Chinese: beside its name stands one that is drawn.
    return task(name=name, task_run_name=f"{name} {step.__name__}", persist_result=False)(run)


recover = _shown(steps.recover)
take_in_cases = _shown(steps.take_in_cases)
admit_cases = _shown(steps.admit_cases)
route_waiting = _shown(steps.route_waiting)
check_parties = _shown(steps.check_parties)
send_pushes = _shown(steps.send_pushes)
send_recalls = _shown(steps.send_recalls)
claim = _shown(steps.claim)
tell_liaisons = _shown(steps.tell_liaisons)
match_receipts = _shown(steps.match_receipts)
take_in_feedback = _shown(steps.take_in_feedback)
admit_feedback = _shown(steps.admit_feedback)
send_returns = _shown(steps.send_returns)
verify_arrivals = _shown(steps.verify_arrivals)
send_reports = _shown(steps.send_reports)
take_in_credit_records = _shown(steps.take_in_credit_records)
admit_credit_records = _shown(steps.admit_credit_records)
close_observed = _shown(steps.close_observed)
settle = _shown(steps.settle)
seal_evidence = _shown(steps.seal_evidence)


@task(name="再试被拒事项", task_run_name="再试被拒事项 ask_again", persist_result=False)
async def ask_again(case_id: UUID) -> Counts:
    """Plan what was refused of one case once more: somebody asked for it."""
    return await steps.ask_again(current(), [case_id])


@task(name="执行该办件到期事项", task_run_name="执行该办件到期事项 send_for_case", persist_result=False)
async def send_for_case(case_id: UUID) -> Counts:
    """Everything of one case that is due goes now."""
    return await steps.send_for_cases(current(), [case_id])
