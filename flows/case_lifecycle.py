"""One case: every step that is due, safe to repeat. The UI's own Retry runs this."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from tasks.composition import current, open_services
from tasks.engine import steps
from tasks.engine.case import case_of_run
from tasks.operators.form_fields import asked


@flow(name="办件全周期", persist_result=False)
async def case_lifecycle(case_no: Annotated[str, Field(max_length=64)] = asked("办件编号")) -> None:
    """Try again what was refused of this case, carry out what is due, close what can be closed."""
    async with open_services():
        case_id = await case_of_run(current().ledger, case_no)
        await steps.recover()
        await steps.ask_again(case_id)
        await steps.send_for_case(case_id)
        await steps.claim()
        await steps.tell_liaisons()
        await steps.close_observed()
        await steps.settle()
