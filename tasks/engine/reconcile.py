"""How a reconciliation looks in Prefect: a page with the completeness rate, a line a difference."""

from datetime import date

from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from tasks.composition import open_services
from tasks.reconciliation.reconciled import markdown, reconcile, sentences

KEY = "reconciled"


async def reconciled(day: str, days: int) -> None:
    """Reconcile and publish the page."""
    log = get_run_logger()
    async with open_services() as services:
        found = await reconcile(
            services,
            day=date.fromisoformat(day) if day else None,
            days=days,
            # a line a day: a run without one for an hour counts as one whose process is gone
            after_day=lambda said: log.info("%s", said),
        )
    for line in sentences(found):
        log.info("%s", line)
    await acreate_markdown_artifact(markdown(found), key=KEY, description="对账 · 完整率")
