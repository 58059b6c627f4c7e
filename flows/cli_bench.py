"""`shenguan bench`: measurements of this machine, where the product runs from a checkout.

The programs that measure live in ``benchmarks/``, beside the rooms and not in the wheel: each is run as the
program it is, and writes its figures to ``var/bench/``.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli_output import Json, as_json

PROJECT = Path(__file__).parents[1]
RESULTS = Path("var") / "bench"

bench = typer.Typer(help="测量本机上的速度。", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.add_typer(bench, name="bench")
    bench.command("latency")(latency)
    bench.command("mirror")(mirror)


def latency(
    phase: Annotated[
        list[str] | None,
        typer.Option(help="只测这些，可重复：rest、10/s、burst、rest-prefect-stopped、10/s-prefect-stopped"),
    ] = None,
    json_out: Json = False,
) -> None:
    """从平台发布到推送成功、首条短信用多久（p50、p95、p99），约十二分钟；达不到承诺时退出码为 1。"""
    from flows.bench_shapes import Latency

    asked = [part for name in phase or () for part in ("--phase", name)]
    raise typer.Exit(_run("latency", asked, Latency, json_out=json_out))


def mirror(
    once: Annotated[int, typer.Option(help="动一次的办件数", min=1)] = 20000,
    six: Annotated[int, typer.Option(help="动六次的办件数", min=1)] = 2000,
    json_out: Json = False,
) -> None:
    """镜像的速度与落后、Prefect 数据库清理前后与一年后的大小；每秒五件时落后超过 5 秒，退出码为 1。"""
    from flows.bench_shapes import Mirror

    raise typer.Exit(_run("mirror_pace", ["--once", str(once), "--six", str(six)], Mirror, json_out=json_out))


def _run(program: str, asked: Sequence[str], shape: Any, *, json_out: bool) -> int:
    """The program's exit code; its table is on the screen, or its figures as JSON."""
    from flows.cli_findings import FINDINGS, FINE, USAGE

    if not (PROJECT / "benchmarks" / f"{program}.py").is_file():
        typer.echo(
            f"此处没有测量程序：缺 {PROJECT / 'benchmarks'}。它只随源代码提供，"
            "请在源代码目录安装后运行（make bench-latency、make bench-mirror）",
            err=True,
        )
        return USAGE
    argv = [sys.executable, "-m", f"benchmarks.{program}", *asked]
    out = subprocess.DEVNULL if json_out else None
    code = subprocess.run(argv, cwd=PROJECT, check=False, stdout=out).returncode  # noqa: S603 - our own program
    if json_out and code in {FINE, FINDINGS}:
        from pydantic import TypeAdapter

        adapter: TypeAdapter[Any] = TypeAdapter(shape)
        written = PROJECT / RESULTS / f"{program.removesuffix('_pace')}.json"
        typer.echo(as_json(adapter.validate_json(written.read_bytes())))
    return code
