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

FAST = 8640
"""Business seconds a machine second while the systems are simulated: a day in ten seconds."""


def run_up(project: Path, *, seed: int, cases: int, as_json: bool = False) -> None:
    """Start everything below ``var/up`` and stay until Ctrl-C.

    While it stands its settings lie beside it, so that ``shenguan status`` and others find its ledger.
    """
    from adapters.stack.plan import up_plan
    from adapters.stack.stack import Stack
    from config.surroundings import given_settings, leave_settings
    from flows.cli_output import STANDING, say
    from tasks.results import Standing

    console = Console(stderr=as_json)
    with Stack(up_plan(project, seed=seed, cases=cases, given=given_settings())) as stack:
        asyncio.run(_prepare(stack, console))
        leave_settings(project / STANDING, stack.environment())
        try:
            say(Standing(tuple(stack.where())), [*stack.where(), "Ctrl-C 结束"], json_out=as_json)
            stack.stay()
        finally:
            (project / STANDING).unlink(missing_ok=True)


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
    console.print(f"业务时钟快走：十秒为一天，现在是 {now.date()}", markup=False)
