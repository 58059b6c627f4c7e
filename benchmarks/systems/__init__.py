"""Who is measured: each system does the whole reference job in a process of its own.

A system is a module with ``prepare(services, job)``, ``work(services, job, clock)`` (timed: it does the job
and returns the seconds of its parts) and ``afterwards(services, clock)``, all of them async. What it
opens beyond the services is its own.
"""

from collections.abc import Mapping

SYSTEMS: Mapping[str, tuple[str, str]] = {
    "ours": ("benchmarks.systems.ours", "本项目（普通步骤，不经 Prefect，镜像关闭）"),
    "bare": ("benchmarks.systems.bare", "裸机极限（同样的调用、签名、密封与最终行）"),
}
"""Name → module, and what the table calls it."""
