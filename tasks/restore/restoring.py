"""After a restore: the senders stay locked until the ledger has taken over what the outside has.

In this order: read in what the sources have; hold every text the journal knows and the ledger does
not; adopt from the receivers' own lists what they hold of ours; only then, once every host's journal
was taken over, open the lock. Safe to repeat, and to begin again after an end in the midst.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog

from adapters.journal.journal import Journal
from adapters.journal.lines import Entry, Wave
from models.domain.errors import ShenguanError
from models.domain.keys import own_id
from models.domain.workdays import business_day
from models.ledger.bulk import Conn
from models.ledger.queries import clock, guard, quarantine, reconciling, restoring
from models.ledger.writer import HistoryRow, write_history
from tasks import steps
from tasks.composition import Services
from tasks.in_front import OPERATIONS_DESK, due_at
from tasks.reconciliation.reconciling import ACTOR, reconcile_day, total
from tasks.reconciliation.sides import PlatformSide, pages_of, sides
from tasks.restore.guarding import BROKEN, LOCKED, MESSAGES, MISSING
from tasks.restore.taking_over import take_over
from tasks.resuming import resume_after_restore

log = structlog.get_logger(__name__)

READ_IN = (
    steps.take_in_cases,
    steps.admit_cases,
    steps.route_waiting,
    steps.take_in_feedback,
    steps.admit_feedback,
    steps.take_in_credit_records,
    steps.admit_credit_records,
)
"""What makes the ledger know again what it is about; nothing of it leaves."""
_ROUNDS = 1000
_PAGE = 1000
_LOOK_S = 0.5
_PATIENCE_S = 30.0


class RestoreHalted(ShenguanError):  # noqa: N818 - named as the finding it is
    """The lock stays; ``why`` is a Chinese sentence that says what is missing."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was taken over. ``waiting_for`` are hosts whose journals are still missing: then it is locked.

    ``taken_over`` counts, of ``adopted``, the versions whose exact bytes this ledger does not have.
    """

    since: date
    adopted: int
    taken_over: int
    sent_again: int
    unexplained: int
    texts_held: int
    news_held: int
    waiting_for: tuple[str, ...]
    open: bool
    evidence: str = ""
    """What became of the log of evidence, in Chinese; empty where it was not behind its heads."""


async def after_restore(services: Services, *, by: str, lost: Sequence[str] = ()) -> Restored:
    """Take over what this host's journal and the receivers know, and open the lock when nothing is missing.

    ``lost`` names hosts whose journals are gone for good: texts of which nothing is proven are then
    held, all of them. ``by`` stands beside the opened lock.

    Raises:
        RestoreHalted: something that only a person can say is missing.
        NotDone, Unreadable: a receiver cannot be asked now. The lock stays.
    """
    journal, lock = await _locked(services, lost)
    await _leases_ended(services)
    await _read_in(services)
    waves = _after(journal, lock["ledger_mark"], missing_allowed=services.guard.host in lost)
    held = await _hold_texts(services, {each.own_id: each for wave in waves for each in wave.entries})
    news = 0
    first, days = await _days(services, lock["since"], waves, lost=bool(lost))
    if lost:
        news = await _unprovable(services, lock, days)
        held += news
    over = 0
    for side in sides(services):
        over += await take_over(services, side, days, without_journal=bool(lost))
    sums = total(
        [row for day in days for side in sides(services) for row in await reconcile_day(services, side, day)]
    )
    evidence = await resume_after_restore(
        services.ledger,
        services.sealer,
        by=by[:40],
        note="shenguan reconcile --after-restore："
        f"台账停在第 {lock['ledger_mark']} 次外发，外发日志已到第 {lock['journal_mark']} 次",
    )
    waiting = await _opened(services, journal, lock, by)
    return Restored(
        since=first,
        adopted=sums["adopted"] + over,
        taken_over=over,
        sent_again=sums["sent_again"],
        unexplained=sums["unexplained"],
        texts_held=held - news,
        news_held=news,
        waiting_for=tuple(waiting),
        open=not waiting,
        evidence=evidence,
    )


async def _read_in(services: Services) -> None:
    """Until nothing new comes: what is owed must be known before it is told from what they have."""
    for _ in range(_ROUNDS):
        did = [await step(services) for step in READ_IN]
        if not any(counts.get("new") for counts in did):
            return


async def _locked(services: Services, lost: Sequence[str]) -> tuple[Journal, dict[str, Any]]:
    """This host's journal, and the lock, which is set now where none stood."""
    watch = services.guard
    async with services.ledger.writing() as conn:
        why = await watch.may_send(conn)
        found = await guard.standing(conn)
        assert found is not None
        if why == BROKEN:
            raise RestoreHalted(MESSAGES[BROKEN])
        if why == MISSING and watch.host not in lost:
            raise RestoreHalted(
                f"本机（{watch.host}）没有这套台账的外发日志。请先找回；确已丢失的，"
                f"加 --lost {watch.host} 再运行，届时凡不能证明是否已发的短信一律暂挂，交由人工处理"
            )
        journal = watch.journal(found)
        await watch.lock(
            conn,
            "journal_missing" if why == MISSING else "asked",
            ledger_mark=found.mark,
            journal_mark=journal.last,
        )
        if lost:
            await guard.given_up(conn, lost)
        lock = await guard.open_lock(conn)
        assert lock is not None
    return journal, lock


async def _leases_ended(services: Services) -> None:
    """Whoever held a lease when the backup was made sends nothing under it: it runs out, and is taken up."""
    until = time.monotonic() + services.settings.lease_s + _PATIENCE_S
    while True:
        await steps.recover(services)
        async with services.ledger.reading() as conn:
            if not await restoring.leases(conn):
                return
        if time.monotonic() > until:
            raise RestoreHalted("仍有发送中的事项没有到期，请稍候再运行")
        await asyncio.sleep(_LOOK_S)


def _after(journal: Journal, mark: int, *, missing_allowed: bool) -> list[Wave]:
    """What the journal says was begun after the ledger's mark, oldest first."""
    if journal.identity is None:
        return []
    if journal.begins_after > mark and not missing_allowed:
        raise RestoreHalted(
            "本机外发日志已滚动，缺少备份之后最早的一段，不能证明其间的短信；"
            "请改用较新的备份，或以 --lost 声明本机日志不全"
        )
    return [wave for wave in journal.waves() if wave.mark > mark]


async def _hold_texts(services: Services, entries: dict[str, Entry]) -> int:
    """Hold the texts that left after the backup was made, and remember what each has told."""
    texts = [entry for entry in entries.values() if entry.about is not None]
    held = 0
    for at in range(0, len(texts), _PAGE):
        page = texts[at : at + _PAGE]
        async with services.ledger.writing() as conn:
            now = await clock.business_now(conn)
            due = due_at(services.calendar, now)
            held += await restoring.hold_lost_texts(
                conn,
                [_lost_text(entry) for entry in page],
                owner=OPERATIONS_DESK,
                due_at=due,
                business_now=now,
            )
            known = await restoring.hold_known_texts(
                conn, [entry.own_id for entry in page], owner=OPERATIONS_DESK, due_at=due
            )
            held += len(known)
            told = [
                (push, entry.own_id, liaison)
                for entry in page
                for push, liaison in (entry.about or {}).get("news", [])
            ]
            await guard.told_before(conn, told)
            await guard.fold_told(conn, [push for push, _, _ in told])
    return held


def _lost_text(entry: Entry) -> restoring.LostText:
    about = entry.about or {}
    _, day, _ = about["key"].split("|")
    return restoring.LostText(
        own_id=entry.own_id,
        target=about["target"],
        business_key=about["key"],
        content_sha256=about["sha256"],
        attempts=entry.attempt,
        reference=entry.own_id[2:12],
        business_day=day,
        news=len(about["news"]),
    )


async def _days(
    services: Services, locked: datetime, waves: Sequence[Wave], *, lost: bool
) -> tuple[date, list[date]]:
    """The business days from the last one the ledger surely knows whole until tomorrow.

    That is the day of the newest answer from before it was locked (a repetition of this command has
    written answers since), or of the first wave that only the journal knows. A ledger without an answer
    whose journals do not say it all begins on the day the first item went live.
    """
    async with services.ledger.reading() as conn:
        now = await clock.business_now(conn)
        last = await reconciling.last_business(conn, locked)
    known = [wave.day for wave in waves if wave.day is not None]
    if last is not None:
        known.append(business_day(last))
    elif lost or not waves or waves[0].day is None:
        known += [business_day(item.go_live_at) for item in services.city.catalog.items.values()]
    first = min([*known, business_day(now)]) - timedelta(days=1)
    count = (business_day(now) - first).days + 2
    return first, [first + timedelta(days=n) for n in range(count)]


async def _unprovable(services: Services, lock: dict[str, Any], days: Sequence[date]) -> int:
    """Without a journal: hold every open text and all news that waits or that the outside already caused."""
    stands_for = own_id("sms", f"restored|{lock['id']}", 1)
    async with services.ledger.writing() as conn:
        now = await clock.business_now(conn)
        due = due_at(services.calendar, now)
        await restoring.hold_known_texts(conn, None, owner=OPERATIONS_DESK, due_at=due)
        await restoring.hold_unprovable(conn, stands_for, owner=OPERATIONS_DESK, due_at=due, business_now=now)
        news = await restoring.fold_waiting(conn, stands_for)
    side = PlatformSide(services.platform)
    for day in days:
        counts = await side.counts(day)
        groups = sorted({(row.kind, row.department or "", row.stage or "") for row in counts})
        for group in (group for group in groups if group[0] == "push"):
            async for rows in pages_of(side, day, group, counts):
                news += await _told_perhaps(services, [row.own_id for row in rows], stands_for)
    return news


async def _told_perhaps(services: Services, pushes: Sequence[str], stands_for: str) -> int:
    async with services.ledger.writing() as conn:
        unknown = await restoring.not_accepted(conn, pushes)
        await guard.told_before(conn, [(push, stands_for, None) for push in unknown])
    return len(unknown)


async def _opened(services: Services, journal: Journal, lock: dict[str, Any], by: str) -> list[str]:
    """Open the lock, unless a host's journal is still to be taken over: those hosts."""
    watch = services.guard
    async with services.ledger.writing() as conn:
        identity = journal.begin(watch.host)
        await guard.join(conn, identity, watch.host)
        await guard.merged(conn, identity, lock["id"])
        await guard.lift_mark(conn, journal.refresh())
        waiting = await guard.unmerged(conn, lock["id"])
        if not waiting:
            await guard.unlock(conn, lock["id"], by)
            await _close(conn, lock["host"], watch.host)
            now = await clock.business_now(conn)
            write_history(
                conn,
                [
                    HistoryRow(
                        "senders", str(lock["id"]), None, "locked", "unlocked", "open", "restored", ACTOR, now
                    )
                ],
            )
    log.warning("senders.unlocked" if not waiting else "senders.still_locked", waiting_for=waiting)
    return waiting


async def _close(conn: Conn, *hosts: str) -> None:
    for kind in (LOCKED, MISSING):
        await quarantine.close_incidents(conn, kind, list(hosts))


async def new_host(services: Services) -> None:
    """This host begins its journal of a ledger that others send from; a person vouches that it is whole.

    Raises:
        RestoreHalted: the senders are locked, or this host has a journal already.
    """
    watch = services.guard
    async with services.ledger.writing() as conn:
        why = await watch.may_send(conn)
        found = await guard.standing(conn)
        assert found is not None
        if found.lock is not None or why not in {MISSING, None}:
            raise RestoreHalted("外发已锁定，新主机须待对账开锁之后再加入")
        if why == MISSING:
            journal = watch.journal(found)
            await guard.join(conn, journal.begin(watch.host), watch.host)
            journal.note_seen(found.mark)
            await quarantine.close_incidents(conn, MISSING, [watch.host])


async def new_ledger(services: Services, *, by: str) -> None:
    """This ledger is a new one, and the journal beside it another's; a person vouches for it.

    It gets an identity and a journal of its own, and its senders are open. The other journal stays.

    Raises:
        RestoreHalted: the ledger has sent already, or nothing is locked.
    """
    watch = services.guard
    async with services.ledger.writing() as conn:
        await watch.may_send(conn)
        lock = await guard.open_lock(conn)
        found = await guard.standing(conn)
        if lock is None or found is None or found.mark:
            raise RestoreHalted("台账没有因他套外发日志而锁定，或已外发过，不能声明为全新台账")
        found = replace(found, installation=uuid4(), lock=None)
        await guard.take_installation(conn, found.installation)
        await guard.join(conn, watch.journal(found).begin(watch.host), watch.host)
        await guard.unlock(conn, lock["id"], by)
        await _close(conn, lock["host"], watch.host)
