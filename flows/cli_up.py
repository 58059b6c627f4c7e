"""The standing stack: started, told where to look, and ended by Ctrl-C."""

import asyncio
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from adapters.stack.stack import Stack

FAST = 1440
"""Business minutes a machine minute while the systems are simulated: a day a minute."""


def run_up(project: Path, *, seed: int, cases: int) -> None:
    """Start everything below ``var/up`` and stay until Ctrl-C."""
    from adapters.stack.plan import up_plan
    from adapters.stack.stack import Stack
    from config.surroundings import given_settings

    console = Console()
    with Stack(up_plan(project, seed=seed, cases=cases, given=given_settings())) as stack:
        asyncio.run(_prepare(stack, console))
        for line in stack.where():
            console.print(line, markup=False, highlight=False)
        console.print("Ctrl-C 结束", markup=False)
        stack.stay()


async def _prepare(stack: "Stack", console: Console) -> None:
    """The city in the ledger, and its clock: fast while systems are simulated, else the machine's."""
    from models.ledger.queries import clock
    from tasks.city_loading import load_city_into
    from tasks.composition import open_services

    simulated = bool(stack.plan.simulated)
    people = []
    if simulated:
        people = json.loads((stack.simulators.world / "liaisons.json").read_text(encoding="utf-8"))
    async with open_services(stack.settings) as services:
        await load_city_into(services.ledger, services.sealing, services.city, people)
        if not simulated:
            return
        world = json.loads((stack.simulators.world / "world.json").read_text(encoding="utf-8"))
        async with services.ledger.writing() as conn:
            set_before = await clock.anchors(conn)
            now = await clock.business_now(conn) if set_before else datetime.fromisoformat(world["begins"])
            await clock.set_clock(conn, business=now, rate=Decimal(FAST))
        stack.simulators.set_clock(now, rate=FAST)
    console.print(f"业务时钟快走：一分钟为一天，现在是 {now.date()}", markup=False)
