"""How fast the mirror is: ``python -m benchmarks.mirror_pace``; figures in ``var/bench/mirror.json``.

A ledger, a Prefect server and the mirror, nothing else: cases that move once, cases that move six times,
and a steady stream whose lag is looked at all the while.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from uuid import UUID, uuid4

from pydantic import SecretStr

from adapters.stack.postgres import Cluster
from benchmarks.database import Databases
from benchmarks.prefect_home import DATABASE, PrefectHome, make_prefect_template, prefect_home
from models.ledger.connection import Ledger
from models.ledger.queries import showing
from models.ledger.writer import HistoryRow, write_history
from tasks.showing import Mirroring

_CASES = """
INSERT INTO cases (id, source, case_no, data_version, inbox_id, state, item_code, item_version, item_name,
    mode, region, place_region, approval_department, accepted_at, party_index, needs_credit_check,
    row_version)
SELECT id, 'platform', 'P' || id, 1, gen_random_uuid(), 'accepted', '', '1', '食品经营许可', 'live', '430902',
    '430902', 'D', now(), '\\x00', false, 1 FROM unnest(%s::uuid[]) AS new (id)
"""
_TO = {
    "completed": "state = 'completed', result = 'granted', completed_at = now(), settled_at = NULL",
    "settled": "state = 'settled', result = 'granted', completed_at = now(), settled_at = now()",
    "voided": "state = 'voided', result = NULL, completed_at = NULL, settled_at = NULL",
    "accepted": "state = 'accepted', result = NULL, completed_at = NULL, settled_at = NULL",
}
_SIX = ("completed", "settled", "completed", "accepted", "completed", "settled")
_LINES_A_MOVE = 3
_LOOK_S = 0.25


async def _begin(ledger: Ledger, count: int) -> list[UUID]:
    cases = [uuid4() for _ in range(count)]
    async with ledger.writing() as conn:
        await conn.execute(_CASES, (cases,))
        await write_history(conn, [_line(case, "first_seen", "accepted") for case in cases])
    return cases


async def _move(ledger: Ledger, cases: Sequence[UUID], state: str) -> None:
    async with ledger.writing() as conn:
        await conn.execute(f"UPDATE cases SET {_TO[state]} WHERE id = ANY(%s)".encode(), (list(cases),))  # noqa: S608 - our own words
        lines = [_line(case, "revised", state) for case in cases for _ in range(_LINES_A_MOVE)]
        await write_history(conn, lines)


def _line(case: UUID, event: str, state: str) -> HistoryRow:
    return HistoryRow("case", str(case), case, None, event, state, None, "bench", datetime.now(UTC))


class _Watch:
    """The lag, looked at while something goes on: states and timelines."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.states: list[float] = []
        self.lines: list[float] = []
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._task

    async def _look(self) -> None:
        while not self._stop.is_set():
            async with self.ledger.reading() as conn:
                lag = await showing.lag(conn)
            self.states.append(lag.seconds)
            self.lines.append(lag.lines_seconds)
            await asyncio.sleep(_LOOK_S)


async def _caught_up(ledger: Ledger) -> float:
    begun = time.perf_counter()
    while True:
        async with ledger.reading() as conn:
            lag = await showing.lag(conn)
        if not lag.cases and not lag.lines_cases:
            return time.perf_counter() - begun
        await asyncio.sleep(_LOOK_S)


async def _effort(ledger: Ledger) -> showing.Effort:
    async with ledger.reading() as conn:
        return await showing.effort(conn)


async def _backlog(ledger: Ledger, home: PrefectHome, count: int, moves: Sequence[str]) -> dict[str, Any]:
    """Cases that are all there at once, each moved through these states; until all is shown."""
    before, cpu = await _effort(ledger), home.cpu_s()
    begun = time.perf_counter()
    cases = await _begin(ledger, count)
    async with _Watch(ledger) as watch:
        for state in moves:
            await asyncio.sleep(1)
            await _move(ledger, cases, state)
        await _caught_up(ledger)
    took, after = time.perf_counter() - begun, await _effort(ledger)
    thousands = count / 1000
    return {
        "cases": count,
        "moves_a_case": len(moves),
        "seconds": round(took, 1),
        "s_per_1k_cases": round(took / thousands, 1),
        "runs_written_per_s": round((after.created + after.moved - before.created - before.moved) / took, 1),
        "runs_made": after.created - before.created,
        "runs_moved": after.moved - before.moved,
        "lines": after.lines - before.lines,
        "api_calls_per_1k_cases": round((after.calls - before.calls) / thousands, 1),
        "prefect_cpu_s_per_1k_cases": round((home.cpu_s() - cpu) / thousands, 1),
        "most_behind_s": round(max(watch.states), 1),
    }


async def _stream(ledger: Ledger, per_s: float, seconds: float) -> dict[str, Any]:
    """So many new cases a second, each moving twice afterwards; how far behind the mirror ever was."""
    ends = time.perf_counter() + seconds
    waiting: list[tuple[float, list[UUID], str]] = []
    made = 0
    async with _Watch(ledger) as watch:
        while (now := time.perf_counter()) < ends:
            cases = await _begin(ledger, 1)
            made += 1
            waiting += [(now + 2, cases, "completed"), (now + 5, cases, "settled")]
            for at, some, state in [each for each in waiting if each[0] <= now]:
                await _move(ledger, some, state)
                waiting.remove((at, some, state))
            await asyncio.sleep(max(0.0, 1 / per_s - (time.perf_counter() - now)))
        in_time = list(watch.states), list(watch.lines)
    states, lines = (sorted(values) for values in in_time)
    return {
        "cases_per_s": per_s,
        "cases": made,
        "seconds": seconds,
        "behind_p50_s": round(states[len(states) // 2], 2),
        "behind_p95_s": round(states[int(len(states) * 0.95)], 2),
        "behind_most_s": round(states[-1], 2),
        "lines_behind_most_s": round(lines[-1], 2),
    }


async def _measure(url: str, home: PrefectHome, given: argparse.Namespace) -> dict[str, Any]:
    settings = SimpleNamespace(
        prefect_api_url=home.server.api_url, prefect_api_auth=SecretStr(home.server.auth)
    )
    async with Ledger.open(url, max_size=6) as ledger:
        services: Any = SimpleNamespace(
            settings=settings, ledger=ledger, worker="bench:1", city=SimpleNamespace(regions={})
        )
        stop = asyncio.Event()
        showing_task = asyncio.create_task(Mirroring(services).keep_showing(stop))
        stream = await _stream(ledger, 5, given.stream_s)
        await _caught_up(ledger)
        once = await _backlog(ledger, home, given.once, ("completed",))
        six = await _backlog(ledger, home, given.six, _SIX)
        stop.set()
        await showing_task
    return {"stream": stream, "one_move": once, "six_moves": six}


def main() -> int:
    """0 when everything was shown in the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mirror_pace", description="镜像的速度与落后")
    parser.add_argument("--once", type=int, default=20000, help="动一次的办件数")
    parser.add_argument("--six", type=int, default=2000, help="动六次的办件数")
    parser.add_argument("--stream-s", type=float, default=60, help="每秒五件持续多少秒")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="结果目录")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with Cluster.create_or_open(given.out / "pg") as cluster:
        databases = Databases(cluster)
        make_prefect_template(given.out / "prefect", databases)
        with (
            databases.fresh("mirror_pace") as url,
            prefect_home(given.out / "prefect", databases) as home,
        ):
            made = asyncio.run(_measure(url, home, given))
            tables = databases.tables(DATABASE)
            made["prefect_bytes"] = sum(sum(each.values()) for each in tables.values())
            made["prefect_bytes_by_table"] = {
                name: sum(sizes.values()) for name, sizes in list(tables.items())[:8]
            }
    (given.out / "mirror.json").write_text(json.dumps(made, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.write(json.dumps(made, ensure_ascii=False, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
