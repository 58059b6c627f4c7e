"""Procrastinate with one job a call."""

from benchmarks.job import Job
from benchmarks.systems.procrastinate_jobs import afterwards, beside, work
from benchmarks.systems.procrastinate_jobs import prepare as _prepare
from tasks.composition import Services

__all__ = ["afterwards", "beside", "prepare", "work"]


async def prepare(services: Services, _job: Job) -> None:
    """A worker that waits."""
    await _prepare(services, job_a_call=True)
