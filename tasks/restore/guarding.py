"""Nothing leaves from a ledger that is older than what the outside has.

Each intent transaction moves the ledger's mark on, and this host's journal has it on the disk before
the calls begin. A journal that knows a mark the ledger does not have proves that the ledger was taken
back: the senders are locked, in the ledger, until reconciliation has adopted what the outside holds.
"""

import asyncio
import contextlib
import socket
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from adapters.journal.journal import SUFFIX, Journal, JournalBroken
from adapters.journal.lines import Entry, Wave
from models.domain.errors import ShenguanError
from models.domain.lifecycles.effect import Channel
from models.domain.workdays import Calendar, business_day
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock, guard, quarantine
from tasks.in_front import OPERATIONS_DESK, due_at

log = structlog.get_logger(__name__)

LOCKED, MISSING, BROKEN = "senders_locked", "journal_missing", "journal_broken"
EMPTY = "ledger_empty"
"""What a lock says in a ledger that never sent; the incident is the lock's."""
MESSAGES = {
    LOCKED: "台账比对外已发出的内容旧（可能由备份恢复），外发已锁定；"
    "请运行 shenguan reconcile --after-restore",
    MISSING: "本机没有这套台账的外发日志，本机不外发；台账由备份恢复的请运行 shenguan reconcile"
    " --after-restore，新增的主机请运行 shenguan reconcile --new-host --by 经办人",
    EMPTY: "台账从未外发，本机却有外发日志（可能恢复到了首次外发之前的备份），外发已锁定；由备份恢复的请运行"
    " shenguan reconcile --after-restore，确为全新台账的请运行 shenguan reconcile --new-ledger --by 经办人",
    BROKEN: "本机外发日志不可信，本机不外发；请查看值班手册“外发日志”一节",
}


class LedgerIsOlder(ShenguanError):  # noqa: N818 - named as the finding it is
    """The journal knows a mark this ledger does not have: the ledger was restored."""

    def __init__(self, ledger_mark: int, journal_mark: int) -> None:
        super().__init__(ledger_mark, journal_mark)
        self.ledger_mark = ledger_mark
        self.journal_mark = journal_mark

    def __str__(self) -> str:
        return f"台账停在第 {self.ledger_mark} 次外发，外发日志已到第 {self.journal_mark} 次"


class SenderGuard:
    """One process's guard over its host's journal. Without a folder of its own nothing is sent."""

    def __init__(self, folder: Path, calendar: Calendar, *, most_bytes: int, host: str | None = None) -> None:
        self._folder = folder
        self._calendar = calendar
        self._most_bytes = most_bytes
        self.host = host or socket.gethostname()
        self._journal: Journal | None = None

    async def may_send(self, conn: Conn) -> str | None:
        """None when this process may lease what leaves, else why not; asked in each lease's transaction.

        A finding is written beside: the lock with its incident, or the incident alone.
        """
        found = await guard.standing(conn)
        if found is None:
            await guard.begin(conn)
            found = await guard.standing(conn)
            assert found is not None
        try:
            why = await self._looked(conn, found)
        except (JournalBroken, OSError) as broken:
            log.error("journal.broken", error=type(broken).__name__, said=str(broken))  # noqa: TRY400
            why = BROKEN
        if why in {MISSING, BROKEN}:
            await self._incident(conn, why, self.host)
        return why

    async def _looked(self, conn: Conn, found: guard.Standing) -> str | None:
        journal = self.journal(found)
        last = journal.refresh()
        if journal.identity is None:
            if found.mark > 0 or found.lock is not None:
                return MISSING
            other = self._beside()
            if other is None:
                await guard.join(conn, journal.begin(self.host), self.host)
                return None
            # Of a ledger that was put back to before its first send nothing is left but its journal.
            await guard.take_installation(conn, other)
            return await self._looked(conn, replace(found, installation=other))
        if found.lock is not None:
            return LOCKED
        # The journal was read before this statement: the mark has its own commit behind it.
        mark = last if found.mark >= last else (await self._marked(conn))
        if mark < last:
            await self.lock(conn, "ledger_older", ledger_mark=mark, journal_mark=last)
            return LOCKED
        if found.mark > last:
            journal.note_seen(found.mark)
        return None

    def _beside(self) -> UUID | None:
        """The installation whose journal was written last in this host's folder; None where there is none."""
        newest: dict[UUID, float] = {}
        for path in self._folder.glob(f"*/*{SUFFIX}"):
            with contextlib.suppress(ValueError, FileNotFoundError):
                installation = UUID(path.parent.name)
                newest[installation] = max(newest.get(installation, 0.0), path.stat().st_mtime)
        return max(newest, key=lambda each: newest[each], default=None)

    async def _marked(self, conn: Conn) -> int:
        # Read again: between our two looks another program of this host may have sent.
        found = await guard.standing(conn)
        return found.mark if found else 0

    def journal(self, found: guard.Standing) -> Journal:
        """This host's journal of that installation."""
        if self._journal is None or self._journal.installation != found.installation:
            self.close()
            folder = self._folder / str(found.installation)
            self._journal = Journal(folder, found.installation, most_bytes=self._most_bytes)
        return self._journal

    async def lock(self, conn: Conn, cause: str, *, ledger_mark: int, journal_mark: int) -> None:
        """Lock the senders of this ledger, with one incident."""
        locked = await guard.lock(
            conn, cause=cause, host=self.host, journal_mark=journal_mark, ledger_mark=ledger_mark
        )
        if locked:
            log.error("senders.locked", cause=cause, ledger_mark=ledger_mark, journal_mark=journal_mark)
            await self._incident(conn, LOCKED, self.host, EMPTY if not ledger_mark else LOCKED)

    async def marked(self, conn: Conn, channel: Channel, rows: Sequence[dict[str, Any]]) -> "Marked":
        """The mark of this wave and what the journal is to say; last in its intent transaction.

        Raises:
            LedgerIsOlder: nothing of the wave may be intended.
        """
        about = await _about(conn, rows) if channel is Channel.SMS else {}
        mark, now = await guard.next_mark(conn)
        if self._journal is None or mark <= self._journal.last:
            raise LedgerIsOlder(mark, self._journal.last if self._journal else 0)
        entries = tuple(Entry(row["own_id"], row["attempts"], about.get(row["own_id"])) for row in rows)
        return Marked(self._journal, Wave(mark, entries, business_day(now)))

    async def remembers(self, conn: Conn, own_ids: Collection[str]) -> set[str]:
        """Those of these own ids that this host once sent, as its journal has it.

        A restored ledger may never learn of them again: a case that was pushed and withdrawn since.
        """
        found = await guard.standing(conn)
        if found is None or not own_ids:
            return set()
        wanted = set(own_ids)
        waves = self.journal(found).waves()
        return {entry.own_id for wave in waves for entry in wave.entries if entry.own_id in wanted}

    def close(self) -> None:
        """Let the journal go."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    async def _incident(self, conn: Conn, kind: str, key: str, message: str = "") -> None:
        now = await clock.business_now(conn)
        await quarantine.open_incidents_once(
            conn,
            [
                quarantine.NewIncident(
                    kind=kind,
                    key=key,
                    count=1,
                    message=MESSAGES[message or kind],
                    owner=OPERATIONS_DESK,
                    since=now,
                    due_at=due_at(self._calendar, now),
                )
            ],
        )


class Marked:
    """A wave whose intent is committed and that may leave once the journal has it."""

    def __init__(self, journal: Journal, wave: Wave) -> None:
        self._journal = journal
        self._wave = wave

    async def written(self) -> bool:
        """Whether the wave is in the journal, on the disk. If not, none of it may leave."""
        try:
            await asyncio.to_thread(self._journal.append, self._wave.mark, self._wave.entries, self._wave.day)
        except (OSError, JournalBroken) as failed:
            log.error("journal.unwritable", error=type(failed).__name__)  # noqa: TRY400
            return False
        return True


async def _about(conn: Conn, rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    told = await guard.news_of(conn, [row["own_id"] for row in rows])
    return {
        row["own_id"]: {
            "target": row["target"],
            "key": row["business_key"],
            "sha256": row["content_sha256"],
            "news": told.get(row["own_id"], []),
        }
        for row in rows
    }


async def is_locked(ledger: Ledger) -> bool:
    """Whether the senders of this ledger are locked."""
    async with ledger.reading() as conn:
        return await guard.open_lock(conn) is not None
