"""Who is measured: each system does the whole reference job in a process of its own.

A system is a module with ``prepare(services, job)``, ``work(services, job, clock)`` (timed: it does the job
and returns the seconds of its parts), ``beside(services)`` (not timed: what runs after the work catches
up; its figures) and ``afterwards(services, clock)``, all of them async. What it opens beyond the services is
its own. How each is set up, and why: ``docs/decisions/0012-the-peers-of-the-bench.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

HOME = "BENCH_HOME_URL"
"""The environment variable with the URL (owner's role) of a peer's own empty database."""


@dataclass(frozen=True, slots=True)
class System:
    """One system: its module, what the table calls it, the most cases it is given, and what it needs.

    ``ledger`` is whether its records are in our tables; a peer keeps its own, in a database of its own,
    and ``prefect`` gives it a running server.
    """

    module: str
    chinese: str
    most_cases: int | None = None
    ledger: bool = True
    prefect: bool = False

    def cases(self, asked: int) -> int:
        """How many cases it does when ``asked`` are asked for: a slow one is measured on fewer."""
        return min(asked, self.most_cases) if self.most_cases else asked


SYSTEMS: Mapping[str, System] = {
    "ours": System("benchmarks.systems.ours", "本项目（镜像关闭）"),
    "mirrored": System("benchmarks.systems.mirrored", "本项目（镜像开启）", 1000, prefect=True),
    "bare": System("benchmarks.systems.bare", "裸机极限"),
    "naive_prefect": System(
        "benchmarks.systems.naive_prefect", "Prefect 直用", 80, ledger=False, prefect=True
    ),
    "dbos": System("benchmarks.systems.dbos_transact", "DBOS", 500, ledger=False),
    "procrastinate_calls": System(
        "benchmarks.systems.job_a_call", "Procrastinate 一调用一任务", 1000, ledger=False
    ),
    "procrastinate_cases": System(
        "benchmarks.systems.job_a_case", "Procrastinate 一件一任务", 1000, ledger=False
    ),
}
"""By name. The order is the table's."""
