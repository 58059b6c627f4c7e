"""The log goes on after a restore from backup: from the last head that the ledger still has."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from models.domain.errors import ShenguanError
from models.evidence.audit import look_at_heads
from models.evidence.folder import EvidenceFolder
from models.evidence.signing import Verifier
from models.ledger.connection import Ledger
from models.ledger.queries import evidence, quarantine
from tasks.sealer import BROKEN


class CannotResume(ShenguanError):  # noqa: N818 - named as the finding it is
    """There is nothing to resume, or no head to resume from. ``why`` is Chinese."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why


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
            heads are not whole, or a sealer works just now.
    """
    with folder.alone() as alone:
        if not alone:
            raise CannotResume("正在封存，请稍后再试")
        trusted = look_at_heads(folder, verifier)
        heads = [head for _, head in folder.heads()]
        if trusted.findings or trusted.head is None:
            raise CannotResume("签名头本身不完整，请先运行 shenguan evidence verify")
        async with ledger.writing() as conn:
            if not await evidence.try_sealer_lock(conn):
                raise CannotResume("正在封存，请稍后再试")
            seal = await evidence.last_seal(conn)
            size = seal.size if seal else 0
            if size >= trusted.size:
                raise CannotResume("台账并不落后于签名头，无须续接")
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
            lost = f"heads.lost-{datetime.now(UTC):%Y%m%dT%H%M%S}.jsonl"
            # In the transaction: a leaf that says so without its file would be worse than trying again.
            folder.go_back(size, kept[0] if kept else 0, lost)
    return Resumed(size=size, lost_heads=lost_heads, lost_leaves=lost_leaves, lost=lost)
