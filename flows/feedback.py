"""Supervision results come back, and what the approval side must hear is returned."""

from prefect import flow

from tasks.composition import open_services
from tasks.engine import steps


@flow(name="反馈", flow_run_name="反馈", persist_result=False)
async def feedback() -> None:
    """Supervision results come back, and what the approval side must hear is returned."""
    async with open_services():
        await steps.take_in_feedback()
        await steps.admit_feedback()
        await steps.send_returns()
