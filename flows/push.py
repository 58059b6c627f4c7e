"""Acceptances, completions and recalls go to each supervising department; its liaison is told."""

from prefect import flow

from tasks.composition import open_services
from tasks.engine import steps


@flow(name="推送", flow_run_name="推送", persist_result=False)
async def push() -> None:
    """Acceptances, completions and recalls go to each supervising department; its liaison is told."""
    async with open_services():
        await steps.recover()
        await steps.send_pushes()
        await steps.send_recalls()
        await steps.claim()
        await steps.tell_liaisons()
