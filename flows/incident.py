"""One open matter, such as a target that does not answer. Its Retry tries what waits behind it."""

from typing import Annotated

from prefect import flow, get_run_logger
from pydantic import Field

from tasks.composition import open_services
from tasks.engine import steps
from tasks.operators.form_fields import asked


@flow(name="事件", persist_result=False)
async def incident(
    matter: Annotated[str, Field(max_length=200)] = asked("事件编号", under="只是这条运行的名字"),
) -> None:
    """Everything that waits has its turn now, by the rules it always goes by; nothing goes twice.

    ``matter`` only names the run: whatever somebody has put there, the same is done, and it is not told on.
    """
    get_run_logger().info("再试在等的事项（%d 字的事件编号）", len(matter))
    async with open_services():
        await steps.recover()
        await steps.admit_cases()
        await steps.route_waiting()
        await steps.send_pushes()
        await steps.send_recalls()
        await steps.claim()
        await steps.tell_liaisons()
        await steps.send_reports()
        await steps.send_returns()
