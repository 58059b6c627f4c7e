"""A case's timeline on its run's log page: each line once, whatever ends us while we write."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.prefect_api.client import LOG_LIMIT, PrefectApi
from adapters.prefect_api.values import LogLine
from models.ledger.connection import Ledger
from models.ledger.queries import timelines
from tasks.mirror.run_words import line_of

LOGGER = "shenguan.history."
"""A line's logger ends with its number in the ledger's history: by it a line is known again."""

_OURS_S = 90.0
"""Longer than any call of ours: when it is over, what we began has ended over there too."""


@dataclass(frozen=True, slots=True)
class Told:
    """How many cases had their lines written, and how many lines that were."""

    cases: int
    lines: int


async def tell_timelines(
    ledger: Ledger, prefect: PrefectApi, *, limit: int = 100, ui: str | None = None
) -> Told:
    """Write what up to ``limit`` log pages lack, the longest waiting first; ``ui`` as ``line_of`` takes it.

    What is about to be written is noted before; where nobody noted how that ended, the page is read
    first. So no line is written twice, and none is left out.

    Raises:
        NotDone, OutcomeUnknown, Unreadable, PrefectSaidNo: the rest waits.
    """
    async with ledger.writing() as conn:
        taken = await timelines.take(conn, limit=limit, seconds=_OURS_S)
    if not taken:
        return Told(0, 0)
    async with ledger.reading() as conn:
        rows = await timelines.lines(
            conn, [(row["case_id"], row["told_id"], row["telling_id"]) for row in taken]
        )
    unsure = [row["flow_run_id"] for row in taken if row["unsure"]]
    there = await _there(prefect, unsure) if unsure else {}
    of_case: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        of_case[row["case_id"]].append(row)
    written = 0
    for part in _parts(taken, of_case):
        lines = [
            _line(case["flow_run_id"], row, ui)
            for case in part
            for row in of_case[case["case_id"]]
            if row["id"] not in there.get(case["flow_run_id"], ())
        ]
        await prefect.write_logs(lines)
        async with ledger.writing() as conn:
            await timelines.mark_told(
                conn, [(case["case_id"], case["flow_run_id"], case["telling_id"]) for case in part]
            )
        written += len(lines)
    return Told(len(taken), written)


async def _there(prefect: PrefectApi, runs: Collection[UUID]) -> Mapping[UUID, set[int]]:
    found: dict[UUID, set[int]] = defaultdict(set)
    for run, logger in await prefect.loggers_of(runs):
        number = logger.removeprefix(LOGGER)
        if number != logger and number.isdigit():
            found[run].add(int(number))
    return found


def _parts(
    taken: Sequence[dict[str, Any]], of_case: Mapping[UUID, Sequence[Any]]
) -> list[list[dict[str, Any]]]:
    """Cases whose lines fit into one call, which stores all of them or none."""
    parts: list[list[dict[str, Any]]] = []
    room = 0
    for case in taken:
        size = len(of_case.get(case["case_id"], ()))
        if not parts or size > room:
            parts.append([])
            room = LOG_LIMIT
        parts[-1].append(case)
        room -= size
    return parts


def _line(run: UUID, row: Mapping[str, Any], ui: str | None) -> LogLine:
    level, said = line_of(row, ui=ui)
    return LogLine(run, row["at"], said, level, f"{LOGGER}{row['id']}")
