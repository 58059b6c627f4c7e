"""Whose run this is: what nobody can edit in Prefect says so, not a parameter."""

from uuid import UUID

from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from models.ledger.connection import Ledger
from models.ledger.queries import cases
from tasks.cases import UnknownCase, find_case
from tasks.mirror.runs import KEY


async def case_of_run(ledger: Ledger, case_no: str) -> UUID:
    """The case to carry on: the one the run we are in is the picture of, else the one of this number.

    A run's parameters can be changed by whoever has Prefect's login; the key it was made with cannot.

    Raises:
        UnknownCase: the ledger holds no such case.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    case_id = _named(run.idempotency_key) if run is not None else None
    if case_id is None:
        return await find_case(ledger, case_no)
    async with ledger.reading() as conn:
        number = await cases.number_of(conn, case_id)
    if number is None:
        raise UnknownCase(str(case_id))
    if number != case_no:
        get_run_logger().warning("参数被改动：本运行属于办件 %s，仍按它办理", number)
    return case_id


def _named(key: str | None) -> UUID | None:
    if key is None or not key.startswith(KEY):
        return None
    try:
        return UUID(key.removeprefix(KEY))
    except ValueError:
        return None
