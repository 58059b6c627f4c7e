"""The log goes on after a restore from backup: from the last head that the ledger still has."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import structlog

from config.log_privacy import looks_personal
from models.domain.errors import ShenguanError
from models.evidence.audit import look_at_heads
from models.evidence.folder import EvidenceFolder
from models.evidence.heads import HeadUnreadable
from models.evidence.signing import Verifier
from models.ledger.connection import Ledger
from models.ledger.queries import evidence, quarantine
from tasks.evidence.sealer import BROKEN, Sealer

log = structlog.get_logger(__name__)

_LOOK_S = 0.2
_PATIENCE_S = 20.0


class CannotResume(ShenguanError):  # noqa: N818 - named as the finding it is
    """There is nothing to resume, or no head to resume from. ``why`` is Chinese."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why


class SealerAtWork(CannotResume):
    """Somebody seals just now; a moment later it goes."""


class NotBehind(CannotResume):
    """The ledger is not behind its heads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """From where the log goes on, and what the heads in the file ``lost`` had proven beyond it."""

    size: int
    lost_heads: int
    lost_leaves: int
    lost: str


async def resume(
    ledger: Ledger, folder: EvidenceFolder, verifier: Verifier, *, by: str, note: str
) -> Resumed:
    """Put the heads aside that a restored ledger does not know, and say so in a leaf.

    Raises:
        CannotResume: the ledger is not behind its heads, its last round has no head among them, the
            heads are not whole, a sealer works just now, or the note looks as if it named a person.
    """
    if looks_personal(note):
        raise CannotResume("说明中疑似含有身份证号或手机号，请去掉后再试")
    with folder.alone() as alone:
        if not alone:
            raise SealerAtWork("正在封存，请稍后再试")
        trusted = look_at_heads(folder, verifier)
        if trusted.head is None and not trusted.findings:
            raise NotBehind("还没有签名头，无须续接")
        heads = [head for _, head in folder.heads()]
        if trusted.findings or trusted.head is None:
            raise CannotResume("签名头本身不完整，请先运行 shenguan evidence verify")
        async with ledger.writing() as conn:
            if not await evidence.try_sealer_lock(conn):
                raise SealerAtWork("正在封存，请稍后再试")
            seal = await evidence.last_seal(conn)
            size = seal.size if seal else 0
            if size >= trusted.size:
                raise NotBehind("台账并不落后于签名头，无须续接")
            kept = [
                at for at, head in enumerate(heads, 1) if (head.size, head.root) == (size, seal and seal.root)
            ]
            if seal is not None and not kept:
                raise CannotResume("签名头中没有台账最后一次封存：不是同一份日志")
            lost_heads, lost_leaves = len(heads) - (kept[0] if kept else 0), trusted.size - size
            await evidence.say_resumed(
                conn,
                uuid4(),
                lost_heads=lost_heads,
                lost_leaves=lost_leaves,
                lost_head=trusted.head.digest(),
                by=by,
                note=note,
            )
            await quarantine.close_incidents(conn, BROKEN, [str(folder.path)])
            lost = f"heads.lost-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl"
            # In the transaction: a leaf that says so without its file would be worse than trying again.
            folder.go_back(size, kept[0] if kept else 0, lost)
    return Resumed(size=size, lost_heads=lost_heads, lost_leaves=lost_leaves, lost=lost)


async def resume_after_restore(ledger: Ledger, sealer: Sealer, *, by: str, note: str) -> str:
    """Let the log go on where the restored ledger is behind its heads; what became of it, in Chinese.

    Empty where nothing was to be done. It raises nothing: that sealing stands stops no effect.
    """
    if sealer.verifier is None:
        return "本机不封存留痕；封存的主机若报“留痕日志与签名头不符”，请在该主机运行 shenguan evidence resume"
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            done = await resume(ledger, sealer.folder, sealer.verifier, by=by, note=note)
        except SealerAtWork as busy:
            if time.monotonic() > until:
                return f"留痕未续接：{busy.why}，再运行 shenguan evidence resume"
            await asyncio.sleep(_LOOK_S)
        except NotBehind:
            return ""
        except (CannotResume, HeadUnreadable, OSError) as failed:
            log.error("evidence.not_resumed", error=type(failed).__name__, said=str(failed))  # noqa: TRY400
            return f"留痕未续接：{failed}；处理后请运行 shenguan evidence resume"
        else:
            log.warning("evidence.resumed", lost_heads=done.lost_heads, lost_leaves=done.lost_leaves)
            return (
                f"留痕已从第 {done.size} 条续接并在留痕中写明；恢复前的 {done.lost_leaves} 条留痕、"
                f"{done.lost_heads} 个签名头保存在 {done.lost}"
            )
