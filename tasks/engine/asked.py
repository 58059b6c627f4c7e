"""When a run of Prefect was asked for, as its server noted it."""

from datetime import datetime

from prefect.context import FlowRunContext


def asked_at() -> datetime:
    """The moment at which the run we are in was made; a Retry does not change it.

    ``expected_start`` is not it: whoever makes a run may put that into the future.
    """
    context = FlowRunContext.get()
    assert context is not None, "asked inside a flow"
    run = context.flow_run
    assert run is not None, "a flow has a run"
    assert run.created is not None, "a run that the server knows"
    return run.created
