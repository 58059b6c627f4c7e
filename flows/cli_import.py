"""`shenguan cases import` and `shenguan feedback import`: files from a department's own system."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli_output import Json, as_json, begin_work, say

if TYPE_CHECKING:
    from tasks.imports.importing import ClockChoice
    from tasks.imports.lines import ImportFile
    from tasks.imports.report import ImportReport

REPORTS = Path("var") / "import"
Kind = Literal["case", "feedback"]
NAMES: Mapping[Kind, str] = {"case": "cases", "feedback": "feedback"}

File = Annotated[Path, typer.Argument(help="CSV、CSV.gz 或 XLSX 文件", exists=True, dir_okay=False)]
MappingFile = Annotated[
    Path, typer.Option("--mapping", help="映射文件（写法见 docs/import.md）", exists=True, dir_okay=False)
]
Clock = Annotated[
    str | None,
    typer.Option(
        "--clock",
        help="record：业务时钟随记录日期走；now：按现在办。默认：业务时钟是模拟的用 record，否则 now",
        metavar="record|now",
    ),
]


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    cases = typer.Typer(help="部门自建系统的办件", no_args_is_help=True)
    cases.command("import")(import_cases)
    feedback = typer.Typer(help="部门自建系统的监管反馈", no_args_is_help=True)
    feedback.command("import")(import_feedback)
    app.add_typer(cases, name="cases")
    app.add_typer(feedback, name="feedback")


def import_cases(file: File, mapping: MappingFile, clock: Clock = None, json_out: Json = False) -> None:
    """导入办件：每行接收、重复或隔离（行号与原因）；另存 var/import/cases.json。有隔离时退出码 1。"""
    _import("case", file, mapping, clock, json_out=json_out)


def import_feedback(file: File, mapping: MappingFile, clock: Clock = None, json_out: Json = False) -> None:
    """导入监管反馈，按办件编号对应，不论来源；另存 var/import/feedback.json。有隔离时退出码 1。"""
    _import("feedback", file, mapping, clock, json_out=json_out)


def _import(kind: Kind, path: Path, mapping: Path, asked: str | None, *, json_out: bool) -> None:
    from flows.cli_findings import FINDINGS, FINE

    if asked not in {None, "record", "now"}:
        raise typer.BadParameter("只能是 record 或 now", param_hint="--clock")
    file = read(kind, path, mapping)
    begin_work(log_level="warning")
    report = asyncio.run(_run(file, asked))  # type: ignore[arg-type]
    write(kind, report)
    say(report, told(report), json_out=json_out)
    fine = report.adds_up and not (report.quarantined or report.still_quarantined or report.waiting)
    raise typer.Exit(FINE if fine else FINDINGS)


def read(kind: Kind, path: Path, mapping: Path) -> "ImportFile":
    """The file, read to its end; ends the command with every problem where it or its mapping is unusable."""
    from adapters.files import FileUnreadable, MappingWrong, load_mapping
    from flows.cli_findings import USAGE
    from tasks.imports.lines import read_file

    try:
        return read_file(path, load_mapping(mapping), kind)
    except MappingWrong as wrong:
        problems = wrong.problems
        typer.echo(f"{wrong.file} 有 {len(problems)} 处问题：", err=True)
    except FileUnreadable as wrong:
        problems = (str(wrong),)
    for problem in problems:
        typer.echo(f"  {problem}", err=True)
    raise typer.Exit(USAGE)


async def _run(file: "ImportFile", asked: "ClockChoice | None") -> "ImportReport":
    from tasks.composition import open_services
    from tasks.imports.importing import choose_clock, import_files

    async with open_services() as services:
        (report,) = await import_files(services, [file], on=await choose_clock(services, asked))
    return report


def write(kind: Kind, report: "ImportReport", folder: Path = REPORTS) -> Path:
    """The report beside those of other imports."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAMES[kind]}.json"
    path.write_text(as_json(report) + "\n", encoding="utf-8")
    return path


def told(report: "ImportReport") -> Iterator[str]:
    """The report for people."""
    from models.domain.reasons import reason_name

    yield (
        f"{report.file}：共 {report.rows} 行，接收 {report.admitted}，重复 {report.repeated}，"
        f"隔离 {report.quarantined}，用时 {report.seconds:.1f} 秒"
    )
    if report.secret:
        yield f"  涉密 {report.secret} 行，未予接收，只记数量"
    if report.waiting:
        yield f"  尚待核对 {report.waiting} 行，请再运行一次同一命令"
    if report.still_quarantined:
        yield f"  重复行中有 {report.still_quarantined} 行仍在隔离，等人处理（shenguan quarantine list）"
    for rule, count in report.by_rule.items():
        yield f"  {reason_name(rule)}〔{rule}〕{count} 行，首见第 {report.first_line_of_rule[rule]} 行"
