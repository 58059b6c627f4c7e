"""The standing stack: started, told where to look, and ended by Ctrl-C."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from adapters.stack.stack import Stack

_AFTER_THE_END = timedelta(days=60)
"""Business time for what is still on its way when the simulated world sends nothing new."""

_PATIENCE_S = 5.0
_LONGEST_S = 60.0
"""A machine that slept goes on where it fell asleep."""


def run_up(
    project: Path, *, seed: int, cases: int, second_gateway: bool = False, as_json: bool = False
) -> None:
    """Start everything below ``var/up`` and stay until Ctrl-C.

    While it stands its settings lie beside it, so that ``shenguan status`` and others find its ledger.
    """
    from adapters.stack.plan import up_plan
    from adapters.stack.stack import Stack
    from config.surroundings import given_settings, leave_settings
    from flows.cli_output import STANDING, say
    from tasks.results import Standing

    console = Console(stderr=as_json, highlight=False, markup=False)
    plan = up_plan(project, seed=seed, cases=cases, given=given_settings(), second_gateway=second_gateway)
    with Stack(plan) as stack:
        look = asyncio.run(_prepare(stack, console))
        leave_settings(project / STANDING, stack.environment())
        try:
            say(Standing(tuple(stack.where())), [*stack.where(), "Ctrl-C 结束"], json_out=as_json)
            stack.stay(look)
        except KeyboardInterrupt:
            # It was told how to end, and is ended so: that is no failure.
            console.print("正在结束…")
        finally:
            (project / STANDING).unlink(missing_ok=True)
    console.print("已结束，没有留下进程；再次启动会接着办")


async def _prepare(stack: "Stack", console: Console) -> Callable[[], None] | None:
    """The city in the ledger, and its clock; what is to be done every few seconds from now on."""
    from adapters.stack.stack import LOOK_S
    from tasks.city_loading import load_city_into
    from tasks.composition import open_services
    from tasks.fast_clock import assert_real, begin_fast

    simulated, world = stack.plan.simulated, stack.simulators.world
    people = None
    if "platform" in simulated:
        people = json.loads((world / "liaisons.json").read_text(encoding="utf-8"))
    async with open_services(stack.settings) as services:
        if not stack.plan.all_simulated:
            await assert_real(services.ledger)
            await load_city_into(services.ledger, services.sealing, services.city, people)
            return None
        made = json.loads((world / "world.json").read_text(encoding="utf-8"))
        ends = datetime.fromisoformat(made["ends"]) + _AFTER_THE_END
        begins = datetime.fromisoformat(made["begins"])
        reached = await begin_fast(services.ledger, begins=begins, ends=ends, longest_s=2 * LOOK_S)
        await load_city_into(services.ledger, services.sealing, services.city, people)
    stack.simulators.set_clock(reached.now, rate=reached.rate)
    console.print(f"业务时钟快走：十秒为一天，现在是 {reached.now.date()}")
    return lambda: asyncio.run(_keep_clock(stack, ends))


async def _keep_clock(stack: "Stack", ends: datetime) -> None:
    from models.ledger.connection import Ledger, LedgerUnavailable
    from tasks.fast_clock import keep_fast

    url = stack.settings.database_url.get_secret_value()
    with suppress(LedgerUnavailable, OSError):  # whoever is away is asked again at the next look
        async with Ledger.open(url, max_size=1, patience_s=_PATIENCE_S) as ledger:
            reached = await keep_fast(ledger, ends=ends, longest_s=_LONGEST_S)
        stack.simulators.set_clock(reached.now, rate=reached.rate)
