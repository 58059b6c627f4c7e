"""The whole procedure in its order: what the reform plan's linkage asks for, once through."""

from prefect import flow

from flows.claim import claim
from flows.credit import credit
from flows.feedback import feedback
from flows.push import push
from flows.sync_platform import sync_platform
from tasks import prefect_tasks as steps
from tasks.composition import open_services


@flow(name="总巡检", flow_run_name="总巡检", persist_result=False)
async def sweep() -> None:
    """Every step that is due, for every case. Safe to repeat, and beside any other run."""
    async with open_services():
        # The bodies, not the flows: a step of a sweep is a task of this run, not a run of its own.
        for part in (sync_platform, push, claim, feedback, credit):
            await part.fn()
        await steps.settle()
        await steps.seal_evidence()
