"""Our account of past days beside theirs: adopted, sent again, or in front of a person."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from tasks.engine.reconcile import reconciled

_DAY = r"^(\d{4}-\d{2}-\d{2})?$"


@flow(name="对账", flow_run_name="对账", persist_result=False)
async def reconcile(
    day: Annotated[
        str,
        Field(title="业务日", description="对哪一天，YYYY-MM-DD；不填则往前对若干天", pattern=_DAY),
    ] = "",
    days: Annotated[int, Field(title="往前几天", description="昨天算第一天", ge=1, le=400)] = 1,
) -> None:
    """Compare by count and digest, mend what can be mended, publish the completeness rate. Safe to repeat."""
    await reconciled(day, days)
