"""The steps as Prefect tasks: one line each. What they do stands in ``tasks.steps``.

A task takes nothing and keeps nothing in Prefect but counts: no case, no person.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from prefect import get_run_logger, task

from models.domain.workdays import business_day
from models.ledger.queries import clock
from models.ledger.queries.due import due
from tasks import steps
from tasks.composition import Services, current
from tasks.draining import worked
from tasks.mirror.batch_runs import line_of
from tasks.operators import again
from tasks.steps import Counts, Step


def _shown(step: Step) -> Callable[[], Awaitable[Counts]]:
    async def run() -> Counts:
        return await step(current())

    name = (step.__doc__ or step.__name__).rstrip(".")
    # The graph of a run is drawn in a font without Chinese: beside its name stands one that is drawn.
    return task(name=name, task_run_name=f"{name} {step.__name__}", persist_result=False)(run)


_SHOWN = {step: _shown(step) for step in steps.EVERY_STEP}


async def every_step() -> None:
    """Every step in its order; a task only where something is due, else a line where it found something.

    A task takes Prefect some eighty rows. Twenty each minute, for nothing, would be a gigabyte a day.
    """
    services, log = current(), get_run_logger()
    found = await _due(services)
    for step in steps.EVERY_STEP:
        if step.__name__ in found:
            counts = await _SHOWN[step]()
        else:
            counts = await step(services)
            line = line_of(step, counts)
            if line:
                log.info("%s", line)
        if worked(counts):
            found = await _due(services)


async def _due(services: Services) -> set[str]:
    async with services.ledger.reading() as conn:
        now = await clock.business_now(conn)
        return await due(conn, business_now=now, today=business_day(now))


recover = _SHOWN[steps.recover]
take_in_cases = _SHOWN[steps.take_in_cases]
admit_cases = _SHOWN[steps.admit_cases]
route_waiting = _SHOWN[steps.route_waiting]
check_parties = _SHOWN[steps.check_parties]
send_pushes = _SHOWN[steps.send_pushes]
send_recalls = _SHOWN[steps.send_recalls]
claim = _SHOWN[steps.claim]
tell_liaisons = _SHOWN[steps.tell_liaisons]
match_receipts = _SHOWN[steps.match_receipts]
take_in_feedback = _SHOWN[steps.take_in_feedback]
admit_feedback = _SHOWN[steps.admit_feedback]
send_returns = _SHOWN[steps.send_returns]
verify_arrivals = _SHOWN[steps.verify_arrivals]
send_reports = _SHOWN[steps.send_reports]
take_in_credit_records = _SHOWN[steps.take_in_credit_records]
admit_credit_records = _SHOWN[steps.admit_credit_records]
close_observed = _SHOWN[steps.close_observed]
settle = _SHOWN[steps.settle]
seal_evidence = _SHOWN[steps.seal_evidence]


@task(name="再试被拒事项", task_run_name="再试被拒事项 ask_again", persist_result=False)
async def ask_again(case_id: UUID) -> Counts:
    """Plan what was refused of one case once more: somebody asked for it."""
    services = current()
    done = await again.ask_again(services.ledger, services.sealing, [case_id])
    for sentence in done.left:
        get_run_logger().warning(sentence)
    return {"asked": done.count}


@task(name="执行该办件到期事项", task_run_name="执行该办件到期事项 send_for_case", persist_result=False)
async def send_for_case(case_id: UUID) -> Counts:
    """Everything of one case that is due goes now."""
    return await steps.send_for_cases(current(), [case_id])
