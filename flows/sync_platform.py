"""Cases come in from the platform, are admitted, and their departments found."""

from prefect import flow

from tasks.composition import open_services
from tasks.engine import steps


@flow(name="同步办件", flow_run_name="同步办件", persist_result=False)
async def sync_platform() -> None:
    """Cases come in from the platform, are admitted, and their departments found."""
    async with open_services():
        await steps.take_in_cases()
        await steps.admit_cases()
        await steps.route_waiting()
