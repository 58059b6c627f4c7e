"""A proven push is a claim (推送即认领); receipts of texts are matched; observation begins and ends."""

from prefect import flow

from tasks.composition import open_services
from tasks.engine import steps


@flow(name="认领", flow_run_name="认领", persist_result=False)
async def claim() -> None:
    """A proven push is a claim (推送即认领); receipts of texts are matched; observation begins and ends."""
    async with open_services():
        await steps.claim()
        await steps.match_receipts()
        await steps.close_observed()
