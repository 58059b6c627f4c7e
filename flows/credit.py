"""Credit is looked up at the door; approvals and penalties are reported; records come back."""

from prefect import flow

from tasks.composition import open_services
from tasks.engine import steps


@flow(name="信用", flow_run_name="信用", persist_result=False)
async def credit() -> None:
    """Credit is looked up at the door; approvals and penalties are reported; records come back."""
    async with open_services():
        await steps.check_parties()
        await steps.send_reports()
        await steps.take_in_credit_records()
        await steps.admit_credit_records()
        await steps.send_returns()
        await steps.verify_arrivals()
