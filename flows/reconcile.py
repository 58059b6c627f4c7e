"""Our account of past days beside theirs: adopted, sent again, or in front of a person."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from tasks.engine.reconcile import reconciled
from tasks.operators.form_fields import asked

_DAY = r"^(\d{4}-\d{2}-\d{2})?$"


@flow(name="对账", flow_run_name="对账", persist_result=False)
async def reconcile(
    day: Annotated[str, Field(pattern=_DAY)] = asked(
        "业务日", "", under="对哪一天，如 2026-03-01；留空则往前对若干天"
    ),
    days: Annotated[int, Field(ge=1, le=400)] = asked("往前几天", 1, under="昨天算第一天"),
) -> None:
    """Compare by count and digest, mend what can be mended, publish the completeness rate. Safe to repeat."""
    await reconciled(day, days)
