"""``python -m benchmarks.mirror_pace``: how fast the mirror is, and what it leaves in Prefect's database.

A ledger, a Prefect server and the mirror, nothing else: a steady stream whose lag is looked at all the
while, cases that move once, cases that move six times. Then what retention takes of it, and what is written
where no case moves at all. ``shenguan bench mirror`` is the same; figures in ``var/bench/mirror.json``.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from uuid import UUID, uuid4

from pydantic import SecretStr
from rich.console import Console

from adapters.stack.postgres import Cluster
from benchmarks.database import Databases
from benchmarks.mirror_rest import at_rest
from benchmarks.mirror_shown import missed, show
from benchmarks.mirror_size import a_year, kept
from benchmarks.prefect_home import PrefectHome, make_prefect_template, prefect_home
from benchmarks.standing import NotMeasured
from models.ledger.connection import Ledger
from models.ledger.queries import showing
from models.ledger.writer import HistoryRow, write_history
from tasks.mirror.showing import Mirroring

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
_PER_S = 5.0
_A_YEAR = 100_000
_NOT_MEASURED = 2
_WIDE = 140  # columns, where there is no terminal to ask


async def _begin(ledger: Ledger, count: int) -> list[UUID]:
    cases = [uuid4() for _ in range(count)]
    async with ledger.writing() as conn:
        await conn.execute(_CASES, (cases,))
        write_history(conn, [_line(case, "first_seen", "accepted") for case in cases])
    return cases


async def _move(ledger: Ledger, cases: Sequence[UUID], state: str) -> None:
    async with ledger.writing() as conn:
        await conn.execute(f"UPDATE cases SET {_TO[state]} WHERE id = ANY(%s)".encode(), (list(cases),))  # noqa: S608 - our own words
        lines = [_line(case, "revised", state) for case in cases for _ in range(_LINES_A_MOVE)]
        write_history(conn, lines)


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


async def _backlog(
    ledger: Ledger, home: PrefectHome, count: int, moves: Sequence[str], *, each_shown: bool = False
) -> dict[str, Any]:
    """Cases that are all there at once, each moved through these states; until all is shown.

    A second lies between two moves, or, with ``each_shown``, the time in which the one before is shown.
    """
    before, cpu = await _effort(ledger), home.cpu_s()
    begun = time.perf_counter()
    cases = await _begin(ledger, count)
    async with _Watch(ledger) as watch:
        for state in moves:
            await (_caught_up(ledger) if each_shown else asyncio.sleep(1))
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


@dataclass(frozen=True, slots=True)
class Asked:
    """How many cases of each kind, and how long the stream and the time without any case last."""

    once: int
    six: int
    stream_s: float
    rest_s: float


def measure(folder: Path, asked: Asked, *, city_dir: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """All figures; the sizes are those of a database that holds only one kind of cases."""
    made: dict[str, Any] = {"cores": os.cpu_count(), "sizes": {}}
    with Cluster.create_or_open(folder / "pg") as cluster:
        bench = _Bench(folder, Databases(cluster))
        make_prefect_template(folder / "prefect", bench.databases)
        tell(f"每秒 {_PER_S} 件，{asked.stream_s:g} 秒；再 {asked.six} 件六秒内动六次")
        made |= bench.run(lambda ledger, home: _paced(ledger, home, asked))
        tell(f"{asked.once} 件动一次")
        made |= bench.run(lambda ledger, home: _once(ledger, home, asked.once), made["sizes"], "one_move")
        tell(f"{asked.six} 件动六次，每次都显示出来")
        made |= bench.run(lambda ledger, home: _six(ledger, home, asked.six), made["sizes"], "six_moves")
        tell(f"没有办件，{asked.rest_s:g} 秒")
        made["at_rest"] = at_rest(folder, bench.databases, city_dir=city_dir, seconds=asked.rest_s)
        made["sizes"]["empty"] = made["at_rest"]["bytes_empty"]
    made["a_year"] = a_year(made, cases=_A_YEAR)
    return made


def measure_one_move(folder: Path, count: int) -> dict[str, Any]:
    """The figures of so many cases that move once, on a fresh ledger and a fresh Prefect, without sizes."""
    with Cluster.create_or_open(folder / "pg") as cluster:
        bench = _Bench(folder, Databases(cluster))
        make_prefect_template(folder / "prefect", bench.databases)
        return bench.run(lambda ledger, home: _once(ledger, home, count))


@dataclass(frozen=True, slots=True)
class _Bench:
    folder: Path
    databases: Databases

    def run(
        self,
        work: Callable[[Ledger, PrefectHome], Coroutine[Any, Any, dict[str, Any]]],
        sizes: dict[str, Any] | None = None,
        name: str = "",
    ) -> dict[str, Any]:
        """A mirror on a fresh ledger and a fresh Prefect; what it leaves there goes into ``sizes``."""
        with (
            self.databases.fresh("mirror_pace") as url,
            prefect_home(self.folder / "prefect", self.databases) as home,
        ):
            load = os.getloadavg()[0]
            made = asyncio.run(_mirrored(url, home, work))
            made = {part: each | {"load_average": round(load, 1)} for part, each in made.items()}
            if sizes is not None:
                sizes[name] = kept(home, self.databases)
        return made


async def _mirrored(
    url: str, home: PrefectHome, work: Callable[[Ledger, PrefectHome], Coroutine[Any, Any, dict[str, Any]]]
) -> dict[str, Any]:
    settings = SimpleNamespace(
        prefect_api_url=home.server.api_url,
        prefect_api_auth=SecretStr(home.server.auth),
        ui_url=home.server.ui_url,
    )
    async with Ledger.open(url, max_size=6) as ledger:
        services: Any = SimpleNamespace(
            settings=settings, ledger=ledger, worker="bench:1", city=SimpleNamespace(regions={})
        )
        stop = asyncio.Event()
        showing_task = asyncio.create_task(Mirroring(services).keep_showing(stop))
        made = await work(ledger, home)
        stop.set()
        await showing_task
    return made


async def _paced(ledger: Ledger, home: PrefectHome, asked: Asked) -> dict[str, Any]:
    stream = await _stream(ledger, _PER_S, asked.stream_s)
    await _caught_up(ledger)
    return {"stream": stream, "six_at_once": await _backlog(ledger, home, asked.six, _SIX)}


async def _once(ledger: Ledger, home: PrefectHome, count: int) -> dict[str, Any]:
    return {"one_move": await _backlog(ledger, home, count, ("settled",))}


async def _six(ledger: Ledger, home: PrefectHome, count: int) -> dict[str, Any]:
    return {"six_shown": await _backlog(ledger, home, count, _SIX, each_shown=True)}


def main() -> int:
    """0 when the mirror kept up with the stream, 1 otherwise, 2 when it could not be measured."""
    parser = argparse.ArgumentParser(
        prog="shenguan bench mirror", description="镜像的速度与落后，Prefect 数据库的大小"
    )
    parser.add_argument("--once", type=int, default=20000, help="动一次的办件数")
    parser.add_argument("--six", type=int, default=2000, help="动六次的办件数")
    parser.add_argument("--stream-s", type=float, default=60, help="每秒五件持续多少秒")
    parser.add_argument("--rest-s", type=float, default=300, help="没有办件时看多少秒")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="结果目录")
    parser.add_argument("--city-dir", type=Path, default=Path("config/yiyang"), help="城市配置目录")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    err = Console(stderr=True)
    asked = Asked(given.once, given.six, given.stream_s, given.rest_s)
    try:
        made = measure(
            given.out,
            asked,
            city_dir=given.city_dir,
            tell=lambda line: err.print(line, markup=False, highlight=False),
        )
    except NotMeasured as finding:
        err.print(str(finding), markup=False, highlight=False)
        return _NOT_MEASURED
    made["missed"] = missed(made)
    text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    (given.out / "mirror.json").write_text(text, encoding="utf-8")
    show(made, Console(width=None if sys.stdout.isatty() else _WIDE))
    for line in made["missed"]:
        err.print(line, markup=False, highlight=False, style="red")
    return 1 if made["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
