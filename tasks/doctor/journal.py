"""The doctor's look at this host's journal: is it there, writable, to be believed, and the ledger's own."""

import os
from collections.abc import Iterator
from pathlib import Path

from adapters.journal.journal import SUFFIX, Journal, JournalBroken
from config.settings import Settings
from models.ledger.connection import Ledger
from models.ledger.queries import guard
from models.ledger.queries.guard import Standing
from tasks.doctor.diagnosis import Finding, bad, fine
from tasks.restore.guarding import BROKEN, EMPTY, LOCKED, MESSAGES, MISSING

_WHAT = "外发日志"
_READ = "见值班手册“外发日志”一节"
_RESTORED = "由备份恢复的台账：在每台外发的主机上运行 shenguan reconcile --after-restore"


async def look_at_journal(settings: Settings) -> list[Finding]:
    """One line: why this host may not send, or how far its journal has come. Nothing is written."""
    folder = settings.journal_folder
    async with Ledger.open(settings.database_url.get_secret_value(), max_size=1) as ledger:
        try:
            # As the senders do: the journal first, so that the ledger's mark cannot be the older look.
            async with ledger.reading() as conn:
                found = await guard.standing(conn)
            journal = _of(settings, found)
            last = journal.refresh() if journal else 0
            async with ledger.reading() as conn:
                found = await guard.standing(conn) or found
        except JournalBroken as broken:
            return [bad(_WHAT, f"{MESSAGES[BROKEN].split('，', 1)[0]}（{broken.why}），本机不外发", _READ)]
        except OSError as failure:
            return [bad(_WHAT, f"{folder} 无法读取（{failure.strerror}），本机不外发", "确认目录在、可读写")]
    if found is not None and found.lock is not None:
        return [bad(_WHAT, MESSAGES[LOCKED].split("；", 1)[0], _RESTORED)]
    if blocked := next(_unwritable(folder, journal), None):
        return [bad(_WHAT, f"{blocked} 不可写，本机不外发", "改正该目录的属主与权限，确认磁盘没有写满")]
    return [_compared(folder, found, journal, last)]


def _of(settings: Settings, found: Standing | None) -> Journal | None:
    if found is None:
        return None
    folder = settings.journal_folder / str(found.installation)
    return Journal(folder, found.installation, most_bytes=settings.journal_mebibytes * 1024 * 1024)


def _compared(folder: Path, found: Standing | None, journal: Journal | None, last: int) -> Finding:
    if found is None or journal is None or (journal.identity is None and not found.mark):
        if any(folder.glob(f"*/*{SUFFIX}")):
            return bad(_WHAT, MESSAGES[EMPTY].split("；", 1)[0], MESSAGES[EMPTY].split("；", 1)[1])
        return fine(_WHAT, f"尚未外发，{folder} 可写")
    if journal.identity is None:
        return bad(_WHAT, MESSAGES[MISSING].split("；", 1)[0], MESSAGES[MISSING].split("；", 1)[1])
    if last > found.mark:
        said = f"日志已到第 {last} 次外发，台账只到第 {found.mark} 次：台账比对外已发出的内容旧"
        return bad(_WHAT, said, _RESTORED)
    dropped = f"，第 {journal.begins_after} 次及以前已不留存" if journal.begins_after else ""
    return fine(_WHAT, f"到第 {last} 次外发，台账到第 {found.mark} 次{dropped}")


def _unwritable(folder: Path, journal: Journal | None) -> Iterator[Path]:
    """What of the journal, or else of what it will be made in, this user may not write."""
    place = journal.folder if journal is not None and journal.folder.exists() else folder
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield place
    yield from (path for path in sorted(place.glob(f"*{SUFFIX}")) if not os.access(path, os.W_OK))
