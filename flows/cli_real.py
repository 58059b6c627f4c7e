"""`shenguan real`: a city's real licences and inspections through the whole loop.

Own PostgreSQL and own simulators below ``var/real``; no Prefect, for nobody looks on. Time goes
forward once through both files. The city is ours, but for items that are live from the beginning.
"""

import asyncio
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli_import import Kind
from flows.cli_output import Json, as_json

if TYPE_CHECKING:
    from rich.console import Console

    from adapters.stack.plan import Plan
    from adapters.stack.stack import Stack
    from tasks.imports.lines import ImportFile, Line
    from tasks.imports.report import ImportReport

SINCE = date(2004, 1, 1)
"""The first day the working-day calendar knows."""
CITY = "yiyang"
FILES: Mapping[Kind, tuple[str, str]] = {
    "case": ("chicago_licenses.csv.gz", "chicago_licenses.toml"),
    "feedback": ("chicago_inspections.csv.gz", "chicago_inspections.toml"),
}
_LIVE_FROM = re.compile(r'^go_live_at = ".*"$', re.MULTILINE)


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command()(real)


def real(
    data: Annotated[Path, typer.Option(help="真实记录所在目录")] = Path("..") / "shared" / "data",
    again: Annotated[bool, typer.Option("--again", help="接着上次的台账再导入一遍，应全部为重复")] = False,
    json_out: Json = False,
) -> None:
    """真实的许可与检查记录走完整个闭环并由外部核对；数据不在时退出码 2。"""
    from flows.cli_findings import USAGE

    missing = [data / name for name, _ in FILES.values() if not (data / name).is_file()]
    if missing:
        typer.echo(f"没有真实记录：{'、'.join(str(path) for path in missing)}", err=True)
        raise typer.Exit(USAGE)
    raise typer.Exit(_real(Path.cwd(), data, again=again, json_out=json_out))


def _real(project: Path, data: Path, *, again: bool, json_out: bool) -> int:
    from rich.console import Console

    from adapters.stack.stack import Stack
    from config.logging import configure_logging
    from flows.cli_compare import compare_from_outside
    from flows.cli_findings import FINDINGS, FINE
    from flows.cli_import import read, write
    from tasks.imports.real_summary import RealSummary

    begun = time.monotonic()
    console = Console(stderr=json_out)
    mappings = project / "config" / "mappings"
    files = [read(kind, data / name, mappings / mapping) for kind, (name, mapping) in FILES.items()]
    plan = _plan(project, again=again)
    with Stack(plan) as stack:
        configure_logging(level="warning", form=stack.settings.log_format)
        (cases, feedback), counts = asyncio.run(_run(stack, files, console))
        verdict = compare_from_outside(project, stack, more=["--accepted-feed", str(_accepted(plan))])
    write("case", cases, project / "var" / "import")
    write("feedback", feedback, project / "var" / "import")
    seconds = round(time.monotonic() - begun, 1)
    summary = RealSummary.of(cases, feedback, verdict, counts=counts, seconds=seconds)
    (plan.folder / "summary.json").write_text(as_json(summary) + "\n", encoding="utf-8")
    if json_out:
        typer.echo(as_json(summary))
    else:
        _show([cases, feedback], list(summary.lines()))
    return FINE if summary.fine else FINDINGS


def _plan(project: Path, *, again: bool) -> "Plan":
    from adapters.stack.plan import Plan, Ports

    folder = project / "var" / "real"
    return Plan(
        folder=folder,
        project=project,
        ports=Ports.free(),
        seed=1,
        cases=1,
        city=CITY,
        worker=False,
        dispatcher=False,
        schedules=False,
        prefect=False,
        fresh=not again,
        quiet_since=SINCE,
        city_root=_own_city(project / "config" / CITY, folder / "city"),
    )


def _own_city(theirs: Path, root: Path) -> Path:
    """A copy of the city whose items are live since the calendar begins; nothing else differs."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(theirs, root / theirs.name)
    listing = root / theirs.name / "catalog.toml"
    live = f'go_live_at = "{SINCE.isoformat()}T00:00:00+08:00"'
    listing.write_text(_LIVE_FROM.sub(live, listing.read_text(encoding="utf-8")), encoding="utf-8")
    return root


def _accepted(plan: "Plan") -> Path:
    return plan.folder / "accepted.feed.jsonl"


async def _run(
    stack: "Stack", files: "Sequence[ImportFile]", console: "Console"
) -> "tuple[list[ImportReport], dict[str, Any]]":
    import json

    from rich.progress import Progress

    from models.ledger.queries import summary
    from tasks.city_loading import load_city_into
    from tasks.composition import open_services
    from tasks.imports.importing import by_week, import_files
    from tasks.reconciliation.statement import write_statement

    people = json.loads((stack.simulators.world / "liaisons.json").read_text(encoding="utf-8"))
    weeks = sum(1 for _ in by_week(files))
    async with open_services(stack.settings) as services:
        await load_city_into(services.ledger, services.sealing, services.city, people)
        with (
            _accepted(stack.plan).open("wb") as feed,
            Progress(console=console, disable=not console.is_terminal) as progress,
        ):
            bar = progress.add_task("导入", total=weeks)

            def kept(file: "ImportFile", lines: "Sequence[Line]", at: datetime) -> None:
                name = b"cases" if file.kind == "case" else b"feedback"
                moment = at.isoformat().encode()
                for line in lines:
                    raw = line.arrival.item.raw
                    feed.write(b'{"feed":"%b","published_at":"%b","record":%b}\n' % (name, moment, raw))

            reports = await import_files(
                services,
                files,
                on="record",
                tell=lambda moment: _tell(stack, moment),
                kept=kept,
                progress=lambda number, day: progress.update(
                    bar, completed=number, description=f"业务时间 {day}"
                ),
            )
        await write_statement(services.ledger, stack.folder / "statement.jsonl")
        async with services.ledger.reading() as conn:
            return reports, await summary.counts(conn)


def _tell(stack: "Stack", moment: datetime) -> None:
    stack.simulators.set_clock(moment, rate=0)


def _show(reports: "Sequence[ImportReport]", lines: Sequence[str]) -> None:
    from flows.cli_import import told

    for report in reports:
        for line in told(report):
            typer.echo(line)
    for line in lines:
        typer.echo(line)
