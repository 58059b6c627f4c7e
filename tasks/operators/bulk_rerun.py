"""Many refused or held effects at once: looked at first, then asked for again, batch by batch.

Safe beside dispatcher, sweeps and another bulk rerun: an effect in somebody else's hands is passed over,
the same own ids go, and each is written to its case's timeline under the operator's name. Never a text.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from models.domain.lifecycles.effect import EffectEvent
from models.domain.messages import CHANNELS, EFFECT_KINDS, SYSTEMS, state_name
from models.domain.reasons import answer_name, reason_name
from models.ledger.queries import asking, bulk_rerun, clock, summary
from models.ledger.queries.bulk_rerun import Place
from models.ledger.writer import HistoryRow, write_history
from tasks import steps
from tasks.composition import Services
from tasks.operators.rerun_form import Wanted

log = structlog.get_logger(__name__)

LISTED = 500
"""Rows a dry run shows."""
_ROUNDS = 3
_ENDED = {"accepted": "accepted", "delivered": "accepted", "refused": "refused", "held": "held"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One effect that would go again, in the words people read."""

    own_id: str
    case_no: str | None
    what: str
    target: str
    state: str
    reason: str
    answer: str


@dataclass(frozen=True, slots=True)
class Group:
    """So many of one kind, for one target and reason."""

    what: str
    target: str
    state: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a filter chooses; ``would_go`` is no more than its limit, ``listed`` the longest stopped.

    ``left`` says of what the filter names, and never goes again, why not; empty where there is none.
    """

    filter: str
    total: int
    would_go: int
    groups: tuple[Group, ...]
    listed: tuple[Chosen, ...]
    left: str


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a bulk rerun has come. What it asked for became accepted, refused, held or waiting."""

    would_go: int
    asked: int = 0
    became: Counter[str] = field(default_factory=Counter)
    why_waiting: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Percent of what was to go."""
        return 100.0 if not self.would_go else min(100.0, 100.0 * self.asked / self.would_go)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRerun:
    """What a bulk rerun did, or with ``dry_run`` what it would do."""

    dry_run: bool
    found: Found
    by: str | None = None
    asked: int = 0
    accepted: int = 0
    refused: int = 0
    held: int = 0
    waiting: int = 0
    why_waiting: tuple[tuple[str, int], ...] = ()


Report = Callable[[Progress], Awaitable[None]]


async def look(services: Services, wanted: Wanted) -> BulkRerun:
    """A dry run: what would go, and nothing goes."""
    return BulkRerun(dry_run=True, found=(await _find(services, wanted))[0])


async def rerun_failed(
    services: Services, wanted: Wanted, *, actor: str, report: Report | None = None
) -> BulkRerun:
    """Ask for the chosen effects again in batches and send them; ``report`` is told after each batch.

    What stood refused when it began goes once, though it be refused again meanwhile. What an open breaker
    or a pause keeps back counts as waiting, and goes by itself later.

    Raises:
        LedgerUnavailable: what was asked for until then stays asked for.
    """
    found, begun = await _find(services, wanted)
    progress = Progress(would_go=found.would_go)
    after: Place | None = None
    size = min(services.settings.batch_size, 200)
    while progress.asked < found.would_go:
        limit = min(size, found.would_go - progress.asked)
        rows, asked = await _ask(services, wanted, begun=begun, after=after, limit=limit, actor=actor)
        if not rows:
            break
        after = Place(rows[-1]["at"], rows[-1]["own_id"])
        progress.asked += len(asked)
        await _send(services, asked, progress)
        if report is not None:
            await report(progress)
    log.info("bulk_rerun.done", asked=progress.asked, **progress.became)
    return BulkRerun(
        dry_run=False,
        found=found,
        by=actor,
        asked=progress.asked,
        accepted=progress.became["accepted"],
        refused=progress.became["refused"],
        held=progress.became["held"],
        waiting=progress.became["waiting"],
        why_waiting=tuple(progress.why_waiting.most_common()),
    )


async def _find(services: Services, wanted: Wanted) -> tuple[Found, datetime]:
    async with services.ledger.reading(snapshot=True) as conn:
        begun = await summary.machine_now(conn)
        groups = await bulk_rerun.count(conn, wanted.chosen, begun=begun)
        limit = min(LISTED, wanted.limit)
        rows = await bulk_rerun.page(conn, wanted.chosen, begun=begun, after=None, limit=limit, lock=False)
        left = await bulk_rerun.count_left(conn, wanted.chosen, begun=begun)
    total = sum(row["n"] for row in groups)
    found = Found(
        filter=wanted.said,
        total=total,
        would_go=min(total, wanted.limit),
        groups=tuple(
            Group(_what(row), _target(row), state_name("effect", row["state"]), _why(row), row["n"])
            for row in groups
        ),
        listed=tuple(_chosen(row) for row in rows),
        left=_left(left),
    )
    return found, begun


async def _ask(
    services: Services, wanted: Wanted, *, begun: datetime, after: Place | None, limit: int, actor: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows met, and those asked for again, each with its line of history in the same transaction."""
    async with services.ledger.writing() as conn:
        rows = await bulk_rerun.page(conn, wanted.chosen, begun=begun, after=after, limit=limit, lock=True)
        before = {row["own_id"]: row["state"] for row in rows}
        asked = await asking.ask_these_again(conn, list(before))
        now = await clock.business_now(conn)
        event = EffectEvent.ASKED_AGAIN.value
        write_history(
            conn,
            [
                HistoryRow(
                    "effect",
                    row["own_id"],
                    row["case_id"],
                    before[row["own_id"]],
                    event,
                    row["state"],
                    None,
                    actor,
                    now,
                )
                for row in asked
            ],
        )
    return rows, asked


async def _send(services: Services, asked: list[dict[str, Any]], progress: Progress) -> None:
    """Send what was asked for, by the protocol, and count where it stands then."""
    own_ids = [row["own_id"] for row in asked]
    cases = sorted({row["case_id"] for row in asked if row["case_id"] is not None})
    standing: list[dict[str, Any]] = []
    for _ in range(_ROUNDS if cases else 0):
        sent = await steps.send_for_cases(services, cases)
        async with services.ledger.reading() as conn:
            standing = await bulk_rerun.states_of(conn, own_ids)
        if not sum(sent.values()) or all(row["state"] in _ENDED for row in standing):
            break
    if not cases:
        async with services.ledger.reading() as conn:
            standing = await bulk_rerun.states_of(conn, own_ids)
    for row in standing:
        name = _ENDED.get(row["state"], "waiting")
        progress.became[name] += row["n"]
        if name == "waiting":
            progress.why_waiting[_why_it_waits(row)] += row["n"]


def _why_it_waits(row: dict[str, Any]) -> str:
    """What waits behind an open breaker is told with whose it is: it goes by itself when that heals."""
    if row["reason"] == "asked_again" and row["dead"]:
        whose = row["department"] or SYSTEMS.get(row["dead"], row["dead"])
        return f"对方中断（{whose}），恢复后自动发出"
    return reason_name(row["reason"]) or state_name("effect", row["state"])


def _left(found: dict[str, int]) -> str:
    if not found:
        return ""
    told = "，".join(f"{_why({'reason': reason})} {count} 项" for reason, count in found.items())
    return f"另有不能再试的：{told}；逐件的办法见看板“暂挂与被拒”"


def _chosen(row: dict[str, Any]) -> Chosen:
    return Chosen(
        own_id=row["own_id"],
        case_no=row["case_no"],
        what=_what(row) + (f"（{EFFECT_KINDS.get(row['stage'], row['stage'])}）" if row["stage"] else ""),
        target=_target(row),
        state=state_name("effect", row["state"]),
        reason=_why(row),
        answer=answer_name(row["answer"]),
    )


def _what(row: dict[str, Any]) -> str:
    return CHANNELS.get(row["channel"], row["channel"])


def _target(row: dict[str, Any]) -> str:
    return str(row["department"] or SYSTEMS.get(row["target"], row["target"]))


def _why(row: dict[str, Any]) -> str:
    return reason_name(row["reason"])
