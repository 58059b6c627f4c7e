"""The whole procedure in its order: what the reform plan's linkage asks for, once through."""

from prefect import flow

from tasks.composition import open_services
from tasks.engine.steps import every_step


@flow(name="总巡检", flow_run_name="总巡检", persist_result=False)
async def sweep() -> None:
    """Every step that is due, for every case. Safe to repeat, and beside any other run."""
    async with open_services():
        await every_step()
