"""The dispatcher: a supervised process that carries the work out, whether Prefect is up or not.

Several may run, on one machine or on many: they share what the ledger leases, and each feed is read,
each look-up made by one of them at a time.
"""

import asyncio
import gc
import signal
from collections.abc import Collection

from models.domain.lifecycles.effect import Channel
from models.ledger.queries.bell import ANYTHING, CHECK, NEWS
from tasks import steps
from tasks.composition import Services, open_services
from tasks.desk.keeping import keep_desk
from tasks.draining import worked
from tasks.lanes import Lane, Turn
from tasks.mirror.batch_runs import BatchRuns
from tasks.mirror.showing import Mirroring
from tasks.steps import Counts
from tasks.watching import Watch

_OTHER_FEEDS_S = 2.0
"""How often feeds are asked at rest whose news is nobody's first moment."""
_AFTER_NEWS_S = 0.2
_AT_REST_S = 1.0
"""How often lanes look that are woken when something is due: for what becomes due by time alone."""

_DESK = "desk"
_COLLECT_AFTER = 20_000
"""Objects made and not let go before the collector looks; a batch makes as many, and lets go of them."""

ALONE = frozenset(
    {
        "take_in_cases",
        "take_in_feedback",
        "take_in_credit_records",
        "check_parties",
        "settle",
        _DESK,
    }
)
"""What one process at a time does: two would ask the same or walk the same."""

FEEDS = frozenset({"take_in_cases", "take_in_feedback", "take_in_credit_records"})

FOLLOWERS = {
    "take_in_cases": ("admit_cases",),
    "admit_cases": ("send_pushes", "check_parties"),
    "send_pushes": ("tell_liaisons",),
    "tell_liaisons": ("match_receipts",),
    "close_observed": ("settle",),
}
"""What a step's finds make due in another lane, so that it need not wait for its question."""


LANES = ("cases", "admission", "pushes", "texts", "credit", "rest")
"""The lanes by name; a process may do some of them and leave the others to another one."""

HEARS = {
    "cases": set(),
    "admission": {"case"},
    "pushes": {Channel.PUSH.value},
    "texts": {NEWS, Channel.SMS.value},
    "credit": {CHECK, "credit_record", Channel.CREDIT_REPORT.value},
    "rest": {"feedback", "sms_receipt", Channel.RECALL.value, Channel.RETURN.value},
}
"""What wakes each lane when another process rings: where many work, few of them need to look."""


async def run_dispatcher(*, rest_s: float = 0.3, only: Collection[str] = LANES) -> None:
    """Work until SIGTERM; at rest the platform's cases are asked for every ``rest_s`` seconds."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with open_services() as services:
        settle_memory()
        await dispatch(services, stop, rest_s=rest_s, only=only)


async def dispatch(
    services: Services,
    stop: asyncio.Event,
    *,
    rest_s: float = 0.3,
    tell_s: float = 60.0,
    only: Collection[str] = LANES,
) -> None:
    """Every lane, the bell and the pictures in Prefect, until ``stop``; what is in hand is finished first.

    ``only`` leaves the other lanes to other processes, which the ledger wakes; whoever takes in the cases
    also shows them in Prefect.
    """
    lanes: list[Lane] = []
    batches = BatchRuns(services)

    def rung(what: Collection[str]) -> None:
        # Whoever rings for anything may have set the clock on: what a source shows follows it.
        unasked = FEEDS if ANYTHING in what else ()
        for lane in lanes:
            if ANYTHING in what or HEARS[lane.name] & set(what):
                lane.wake(unasked)

    def followed(did: dict[str, Counts]) -> None:
        batches.note(did)
        followers = {
            follower for name, counts in did.items() if worked(counts) for follower in FOLLOWERS.get(name, ())
        }
        if followers:
            for lane in lanes:
                lane.wake(followers)

    mine = [(name, turns) for name, turns in _lanes(rest_s) if name in only]
    shows = "cases" in only
    works = {turn.step.__name__ for _, turns in mine for turn in turns} | ({_DESK} if shows else set())
    watch = Watch(services.settings.database_url.get_secret_value(), ALONE & works, rung)
    lanes += [Lane(name, turns, services, ours=watch.is_ours, after=followed) for name, turns in mine]
    async with asyncio.TaskGroup() as beside:
        beside.create_task(watch.keep_listening(stop))
        if shows:
            beside.create_task(Mirroring(services).keep_showing(stop))
            beside.create_task(keep_desk(services, stop, ours=lambda: watch.is_ours(_DESK)))
        beside.create_task(batches.keep_telling(stop, every_s=tell_s))
        for lane in lanes:
            pause = rest_s if lane.name == "cases" else max(rest_s, _AT_REST_S)
            beside.create_task(lane.run(stop, rest_s=pause))
        await stop.wait()
        rung({ANYTHING})


def settle_memory() -> None:
    """What was loaded to start stays: the collector need not walk it again, and walks the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _lanes(rest_s: float) -> list[tuple[str, list[Turn]]]:
    """The first moment's lanes, one for the credit system, and one for all that is left."""
    first = [
        # A page is admitted while the next one is asked for.
        ("cases", [Turn(steps.take_in_cases, every_s=rest_s, again_s=min(rest_s, _AFTER_NEWS_S))]),
        ("admission", [Turn(steps.admit_cases)]),
        ("pushes", [Turn(steps.send_pushes)]),
        ("texts", [Turn(steps.tell_liaisons)]),
        (
            "credit",
            [
                Turn(steps.check_parties),
                Turn(steps.send_reports),
                Turn(steps.take_in_credit_records, every_s=max(rest_s, _OTHER_FEEDS_S)),
                Turn(steps.admit_credit_records, follows="take_in_credit_records"),
            ],
        ),
    ]
    taken = {turn.step for _, turns in first for turn in turns}
    rest = [
        Turn(step, every_s=max(rest_s, _OTHER_FEEDS_S)) if step is steps.take_in_feedback else Turn(step)
        for step in steps.EVERY_STEP
        if step not in taken
    ]
    return [*first, ("rest", rest)]
