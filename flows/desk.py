"""The desk's pages, drawn from the ledger: also when the dispatcher is silent, and then they say so."""

from prefect import flow

from tasks.composition import current, open_services
from tasks.desk.keeping import show_desk


@flow(name="联动看板", flow_run_name="联动看板", persist_result=False)
async def desk() -> None:
    """Draw the desk's pages again."""
    async with open_services():
        await show_desk(current())
