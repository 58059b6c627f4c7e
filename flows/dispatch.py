"""What the dispatcher does all day, once through; its own batches are shown as runs of this one."""

from prefect import flow

from flows.sweep import sweep


@flow(name="分发", flow_run_name="分发（人工再跑一次）", persist_result=False)
async def dispatch() -> None:
    """Every step that is due, for every case, as a sweep does it. Safe to repeat."""
    await sweep.fn()
