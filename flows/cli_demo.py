"""The demo: a city's approvals from acceptance to credit, on one machine, in minutes.

The business clock runs fast, a working day a tick, and says so. What it did is compared from outside.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from flows.cli_compare import compare_from_outside
from flows.cli_findings import FINDINGS, FINE

if TYPE_CHECKING:
    from adapters.stack.stack import Stack
    from tasks.composition import Services

_AT_TEN = timedelta(hours=10)
_AFTER_THE_END = 3
_SWEEP_ON = 0
"""Mondays."""
_SETTLE_SHARE = 0.95
_MIRROR_PATIENCE_S = 45.0

NAMES = {
    "cases_seen": "收到办件",
    "cases_accepted": "受理",
    "cases_completed": "办结",
    "cases_settled": "闭环",
    "pushes_accepted": "推送到达",
    "claims": "认领",
    "recalls": "撤回推送",
    "sms_accepted": "短信",
    "feedback_received": "监管反馈",
    "returns_accepted": "回传审批方",
    "credit_checks": "信用查询",
    "credit_reports_accepted": "信用报送",
    "credit_reports_refused": "信用报送被拒",
    "credit_records_returned": "信用记录回流",
    "cases_quarantined": "隔离待人工",
    "lost": "丢失",
    "doubled": "重复",
    "unexpected": "多发",
    "silent": "无声",
}


def run_demo(project: Path, *, seed: int, cases: int, as_json: bool, second_gateway: bool = False) -> int:
    """Run the demo below ``var/demo``; the exit code: 0 when the four counts are 0."""
    from adapters.stack.plan import demo_plan
    from adapters.stack.stack import Stack

    begun = time.monotonic()
    console = Console(stderr=as_json)
    with Stack(demo_plan(project, seed=seed, cases=cases, second_gateway=second_gateway)) as stack:
        for line in stack.where():
            console.print(line, markup=False, highlight=False)
        _log_to(stack.folder / "log" / "demo.log")
        summary = asyncio.run(_run(stack, console))
        _end_prefect()
        verdict = compare_from_outside(project, stack)
        summary |= {name: verdict[name] for name in ("lost", "doubled", "unexpected", "silent")}
        summary["can_settle"], summary["settled_of_these"] = verdict["can_settle"], verdict["settled"]
        summary["timings"] = stack.timings
    summary["seconds"] = round(time.monotonic() - begun, 1)
    (stack.folder / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n")
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))  # noqa: T201 - the command line speaks here
    else:
        _show(console, summary)
    return (
        FINE if not any(verdict[name] for name in ("lost", "doubled", "unexpected", "silent")) else FINDINGS
    )


def _log_to(path: Path) -> None:
    """What is logged goes to a file; the terminal shows where the demo stands."""
    from config.logging import configure_logging

    configure_logging(form="json", stream=path.open("a", encoding="utf-8"))


def _end_prefect() -> None:
    from tasks.engine.end import say_the_rest

    say_the_rest()


async def _run(stack: "Stack", console: Console) -> dict[str, Any]:
    from models.ledger.queries import clock, summary
    from tasks.city_loading import load_city_into
    from tasks.composition import open_services
    from tasks.mirror.showing import Mirroring

    world = json.loads((stack.simulators.world / "world.json").read_text(encoding="utf-8"))
    people = json.loads((stack.simulators.world / "liaisons.json").read_text(encoding="utf-8"))
    async with open_services(stack.settings) as services:
        async with services.ledger.reading() as conn:
            begun = await summary.machine_now(conn)
            resumed = await clock.anchors(conn)
        await load_city_into(services.ledger, services.sealing, services.city, people)
        first_begun = _remember(stack.folder / "begun", begun)
        stop = asyncio.Event()
        mirroring = Mirroring(services)
        showing = asyncio.create_task(mirroring.keep_showing(stop))
        await _live(stack, services, world, resumed[1] if resumed else None, console)
        await asyncio.to_thread(stack.wait_deployed)  # long done, but for the smallest cities
        stop.set()
        await showing
        await _show_the_rest(mirroring)
        async with services.ledger.reading() as conn:
            counts = await summary.counts(conn)
            new = await summary.planned_since(conn, begun)
            first = await summary.first_settled(conn)
            sizes = await summary.bytes_of_ledger(conn)
        from tasks.reconciliation.statement import write_statement

        await write_statement(services.ledger, stack.folder / "statement.jsonl")
    return {
        "seed": stack.plan.seed,
        **counts,
        "first_settled_s": round((first - first_begun).total_seconds(), 1) if first else None,
        "new_effects": new,
        "ledger_bytes": sum(sizes.values()),
        "ledger_bytes_per_settled_case": sum(sizes.values()) // max(1, counts["cases_settled"]),
    }


async def _live(
    stack: "Stack", services: "Services", world: dict[str, Any], resumed: datetime | None, console: Console
) -> None:
    from flows.sweep import sweep
    from models.ledger.queries import clock
    from tasks import steps
    from tasks.draining import drain

    begins, ends = datetime.fromisoformat(world["begins"]), datetime.fromisoformat(world["ends"])
    days = list(_working_days(services, max(begins, resumed or begins), ends))
    console.print(f"业务时钟快走：每一拍是一个工作日，{begins.date()} 至 {ends.date()}", markup=False)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("闭环", total=len(days))
        for now in days:
            stack.simulators.set_clock(now, rate=0)
            async with services.ledger.writing() as conn:
                await clock.set_clock(conn, business=now, rate=Decimal(0))
            # As where it stands for good: the dispatcher works all the time, sweeps back it.
            await (sweep() if now.weekday() == _SWEEP_ON else steps.everything(services))
            progress.update(bar, advance=1, description=f"闭环 {now.date()}")
    await drain(services, timeout_s=60)


def _working_days(services: "Services", begins: datetime, ends: datetime) -> Iterator[datetime]:
    """Ten o'clock of each working day, and of some days after the end, when nothing new comes."""
    from models.domain.workdays import business_day, start_of_day

    day, last = business_day(begins), business_day(ends) + timedelta(days=_AFTER_THE_END)
    while day <= last:
        if services.calendar.is_working(day) or day > business_day(ends):
            yield max(begins, start_of_day(day) + _AT_TEN)
        day += timedelta(days=1)


async def _show_the_rest(mirroring: Any) -> None:
    end = time.monotonic() + _MIRROR_PATIENCE_S
    while time.monotonic() < end:
        shown = await mirroring.show()
        if shown is None or not shown.behind:
            return


def _remember(path: Path, begun: datetime) -> datetime:
    """When the first run in this place began."""
    if not path.exists():
        path.write_text(begun.isoformat())
    return datetime.fromisoformat(path.read_text())


def _show(console: Console, summary: dict[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    for name, chinese in NAMES.items():
        table.add_row(chinese, str(summary[name]))
    console.print(table)
    console.print(
        f"可闭环 {summary['can_settle']} 件，已闭环 {summary['settled_of_these']} 件；"
        f"首件闭环 {summary['first_settled_s']} 秒；共 {summary['seconds']} 秒。"
        "详见 var/demo/summary.json；make up 可保持运行。",
        markup=False,
        highlight=False,
    )
