"""Commands that run the product: demo, up, dispatch, listen, drain."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_output import Json, begin_work, busy, say

SecondGateway = Annotated[
    bool, typer.Option("--second-gateway", help="另起一个备用短信网关仿真（阿里云形态）")
]


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.command()(demo)
    app.command()(up)
    app.command()(dispatch)
    app.command()(listen)
    app.command()(drain)


def demo(
    seed: Annotated[int, typer.Option(help="演示城市的种子")] = 20260701,
    cases: Annotated[int, typer.Option(help="办件数", min=1)] = 2000,
    second_gateway: SecondGateway = False,
    json_out: Json = False,
) -> None:
    """整个闭环在本机跑一遍，自行结束；结果在 var/demo/summary.json。"""
    from flows.cli_demo import run_demo

    raise typer.Exit(
        run_demo(Path.cwd(), seed=seed, cases=cases, second_gateway=second_gateway, as_json=json_out)
    )


def up(
    seed: Annotated[int, typer.Option(help="演示城市的种子（接入真实系统时不用）")] = 20260701,
    cases: Annotated[int, typer.Option(help="演示城市的办件数", min=1)] = 2000,
    second_gateway: SecondGateway = False,
    json_out: Json = False,
) -> None:
    """启动并保持运行：PostgreSQL、Prefect 界面、执行器、分发器、回执监听；Ctrl-C 结束。"""
    from flows.cli_up import run_up

    run_up(Path.cwd(), seed=seed, cases=cases, second_gateway=second_gateway, as_json=json_out)


def dispatch(
    rest_s: Annotated[float, typer.Option(help="空闲时隔多少秒询问一次新办件", min=0.05)] = 0.3,
    lane: Annotated[
        list[str] | None,
        typer.Option(
            help="只办这一路（可重复）：cases、admission、pushes、texts、credit、rest；其余由另一进程办"
        ),
    ] = None,
    json_out: Json = False,
) -> None:
    """持续分发：取回、核对、推送、提醒；不依赖 Prefect。收到 SIGTERM 或 Ctrl-C 后办完手头的再退出。"""
    from tasks.dispatcher import LANES, run_dispatcher
    from tasks.results import Ended

    if unknown := sorted(set(lane or ()) - set(LANES)):
        raise typer.BadParameter(
            f"没有这一路：{'、'.join(unknown)}；有 {'、'.join(LANES)}", param_hint="--lane"
        )
    begin_work()
    begun = time.monotonic()
    asyncio.run(run_dispatcher(rest_s=rest_s, only=lane or LANES))
    done = Ended("dispatch", round(time.monotonic() - begun, 1))
    say(done, [f"分发已结束，运行 {done.seconds:.0f} 秒"], json_out=json_out)


def listen(json_out: Json = False) -> None:
    """接收短信回执，直到 SIGTERM 或 Ctrl-C。"""
    from tasks.listening import run_listener
    from tasks.results import Ended

    begin_work()
    begun = time.monotonic()
    asyncio.run(run_listener())
    done = Ended("listen", round(time.monotonic() - begun, 1))
    say(done, [f"回执监听已结束，运行 {done.seconds:.0f} 秒"], json_out=json_out)


def drain(
    timeout: Annotated[float, typer.Option(help="最多秒数", min=1)] = 600,
    json_out: Json = False,
) -> None:
    """把到期该办的事办完，然后退出；仍有暂挂或被拒时退出码为 3。"""
    from flows.cli_findings import FINDINGS, FINE, HELD_REMAIN
    from tasks.draining import run_drain

    begin_work()
    with busy("办理到期事项"):
        done = asyncio.run(run_drain(timeout_s=timeout))
    said = f"处理 {done.rounds} 轮，用时 {done.seconds:.1f} 秒；待办 {done.due}，被拒或暂挂 {done.stopped}"
    say(done, [said], json_out=json_out)
    raise typer.Exit(FINDINGS if done.due else HELD_REMAIN if done.stopped else FINE)
