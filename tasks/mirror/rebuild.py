"""The whole mirror drawn again, from the ledger alone: what `shenguan mirror rebuild` does."""

import asyncio
import time
from dataclasses import dataclass

from models.domain.errors import ShenguanError
from models.ledger.queries import matters
from tasks.composition import Services
from tasks.mirror.runs import Mirrored, redraw_all
from tasks.mirror.showing import CASE_DEPLOYMENT, Mirroring

_PAUSE_S = 0.3


class NothingToShowIn(ShenguanError):  # noqa: N818 - named as the finding it is
    """There is no Prefect, or our deployment is not in it."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return f"连不上 Prefect，或其中没有部署 {CASE_DEPLOYMENT}；请先启动 Prefect 并部署（make up）"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was drawn: cases marked, runs found or made, lines written; ``behind`` is what is still missing.

    Beside a dispatcher that has the turn, runs and lines are written there and not counted here.
    """

    cases: int
    runs: int
    lines: int
    behind: int
    lines_behind: int
    seconds: float


async def rebuild(services: Services, *, timeout_s: float) -> Rebuilt:
    """Every case's run, state, tags and timeline as the ledger says; also into an empty Prefect.

    Safe to repeat: a run that is there is found by its key, a line that stands there is not written again.

    Raises:
        NothingToShowIn: there is no Prefect, or nothing is deployed in it.
    """
    begun = time.monotonic()
    mirroring = Mirroring(services)
    if await mirroring.show() is None:
        raise NothingToShowIn
    cases = await redraw_all(services.ledger)
    async with services.ledger.writing() as conn:
        await matters.forget_all(conn)
    runs = lines = 0
    shown: Mirrored | None = None
    while time.monotonic() - begun < timeout_s:
        shown = await mirroring.show()
        if shown is None:
            raise NothingToShowIn
        runs, lines = runs + shown.created + shown.moved, lines + shown.lines
        if not shown.behind and not shown.lines_behind:
            break
        if not (shown.created or shown.moved or shown.lines):
            await asyncio.sleep(_PAUSE_S)
    return Rebuilt(
        cases=cases,
        runs=runs,
        lines=lines,
        behind=shown.behind if shown else cases,
        lines_behind=shown.lines_behind if shown else cases,
        seconds=round(time.monotonic() - begun, 1),
    )
