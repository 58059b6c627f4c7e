"""The sealer: gives leaves their positions, lets the tree grow, and signs a head outside the database.

Positions are committed first, then the head is written: a crash between the two leaves a seal without
its head, which the next round writes from the seal. Every seal names the head before it, so that a
folder or a ledger that went back in time, each by itself, is found at the next round.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from models.domain.errors import ShenguanError
from models.domain.merkle import HASH_BYTES, Peaks, hashes_in
from models.domain.workdays import Calendar
from models.evidence.folder import EvidenceFolder
from models.evidence.heads import NO_HEAD, Head, HeadUnreadable, sign_head
from models.evidence.signing import Signer, Verifier
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger, LedgerUnavailable
from models.ledger.queries import clock, evidence, quarantine
from models.ledger.queries.evidence import Seal
from tasks.in_front import OPERATIONS_DESK, due_at

log = structlog.get_logger(__name__)

LEAVES_A_ROUND = 50_000
STOPPED, BROKEN = "evidence_stopped", "evidence_broken"


class EvidenceBroken(ShenguanError):  # noqa: N818 - named as the finding it is
    """Ledger and heads do not belong together; nothing is sealed until a person has looked.

    ``reason`` is a Chinese sentence, ``size`` the size of the last head that was read.
    """

    def __init__(self, reason: str, size: int) -> None:
        super().__init__(reason, size)
        self.reason = reason
        self.size = size

    def __str__(self) -> str:
        return f"留痕日志与签名头不符（第 {self.size} 条处）：{self.reason}"


class SealingStopped(ShenguanError):  # noqa: N818
    """The heads cannot be written. Leaves go on being committed; they wait for their head."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"留痕签名头写不进 {self.path}：{self.reason}"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one round did."""

    leaves: int = 0
    heads: int = 0


class Sealer:
    """Seals for one process: at most every ``every_s`` seconds, alone among all processes.

    Without a signer this process leaves it to others.
    """

    def __init__(
        self,
        ledger: Ledger,
        calendar: Calendar,
        folder: EvidenceFolder,
        signer: Signer | None,
        *,
        every_s: float,
    ) -> None:
        self._ledger = ledger
        self._calendar = calendar
        self._folder = folder
        self._signer = signer
        self._every_s = every_s
        self._next = 0.0
        self._told: set[str] = set()
        self._wrote = False

    @property
    def folder(self) -> EvidenceFolder:
        """Where the heads lie."""
        return self._folder

    @property
    def verifier(self) -> Verifier | None:
        """What checks the heads of the sealing host; None on a host that does not seal."""
        return self._signer.verifier if self._signer else None

    async def seal(self, *, now: bool = False) -> Sealed:
        """Seal what is new, and let the month begin; ``now`` does not wait until the time has come.

        Raises:
            EvidenceBroken, SealingStopped: told as an incident before it is raised.
            LedgerUnavailable: nothing was sealed, or the next round writes the head.
        """
        if time.monotonic() < self._next and not now:
            return Sealed()
        self._next = time.monotonic() + self._every_s
        async with self._ledger.writing() as conn:
            await evidence.begin_month(conn)
        if self._signer is None:
            return Sealed()
        try:
            with self._folder.alone() as alone:
                done = await self._round(self._signer) if alone else Sealed()
        except OSError as failure:
            stopped = SealingStopped(str(self._folder.path), failure.strerror or type(failure).__name__)
            await self._tell(STOPPED, stopped)
            raise stopped from failure
        except HeadUnreadable as garbled:
            broken = EvidenceBroken(str(garbled), 0)
            await self._tell(BROKEN, broken)
            raise broken from garbled
        except EvidenceBroken as broken:
            await self._tell(BROKEN, broken)
            raise
        if done.heads:
            # The log goes on: whatever does not belong together later is told anew.
            self._told.discard(BROKEN)
            await self._healed()
            log.info("evidence.sealed", leaves=done.leaves, heads=done.heads)
        return done

    async def _round(self, signer: Signer) -> Sealed:
        head = await asyncio.to_thread(self._folder.last_head)
        if head is not None and not head.is_signed_by(signer.verifier):
            raise EvidenceBroken("最后一个签名头不是本密钥所签", head.size)
        heads = 0
        async with self._ledger.writing() as conn:
            if not await evidence.try_sealer_lock(conn):
                return Sealed()
            seal = await evidence.last_seal(conn)
            if seal is not None and not belongs(seal, head):
                # The seal was committed, its head was not written.
                assert_follows(seal, head)
                begin = head.size if head else 0
                missing = await evidence.hashes(conn, begin, seal.size)
                head = await self._write(signer, seal, missing, begin)
                heads += 1
            elif seal is None and head is not None:
                raise EvidenceBroken("签名头已有，台账中却没有封存记录", head.size)
            new, hashes = await _grow(conn, seal, head)
        if new is not None:
            await self._write(signer, new, hashes, head.size if head else 0)
            heads += 1
        return Sealed(len(hashes) // HASH_BYTES, heads)

    async def _write(self, signer: Signer, seal: Seal, hashes: bytes, begin: int) -> Head:
        if len(hashes) != (seal.size - begin) * HASH_BYTES:
            raise EvidenceBroken("台账中的封存位置有缺号", begin)
        if self._folder.hash_count() < begin:
            raise EvidenceBroken("散列文件短于签名头", begin)
        head = sign_head(
            signer, size=seal.size, root=seal.root, previous=seal.previous_head, at=_written(seal.sealed_at)
        )
        await asyncio.to_thread(self._folder.append, head, hashes)
        return head

    async def _tell(self, kind: str, finding: ShenguanError) -> None:
        """One incident, however often it is found; it must not hide what happened."""
        log.error("evidence.not_sealed", kind=kind, said=str(finding))
        if kind in self._told:
            return
        with contextlib.suppress(LedgerUnavailable):
            await self._open_incident(kind, finding)
            self._told.add(kind)

    async def _open_incident(self, kind: str, finding: ShenguanError) -> None:
        async with self._ledger.writing() as conn:
            now = await clock.business_now(conn)
            incident = quarantine.NewIncident(
                kind=kind,
                key=str(self._folder.path),
                count=1,
                message=f"{finding}；详见 docs/evidence.md，先运行 shenguan evidence verify",
                owner=OPERATIONS_DESK,
                since=now,
                due_at=due_at(self._calendar, now),
            )
            await quarantine.open_incidents(conn, [incident])

    async def _healed(self) -> None:
        """A head was written: writing works again. What does not belong together heals by a person only."""
        if STOPPED in self._told or not self._wrote:
            async with self._ledger.writing() as conn:
                await quarantine.close_incidents(conn, STOPPED, [str(self._folder.path)])
            self._told.discard(STOPPED)
            self._wrote = True


def belongs(seal: Seal, head: Head | None) -> bool:
    """Whether this head says what the ledger's last round says."""
    return (
        head is not None
        and (head.size, head.root, head.previous) == (seal.size, seal.root, seal.previous_head)
        and head.at == _written(seal.sealed_at)
    )


def assert_follows(seal: Seal, head: Head | None) -> None:
    """Returns when the round only waits for its head to be written.

    Raises:
        EvidenceBroken: heads or ledger went back, or they are of two logs.
    """
    if (head.digest() if head else NO_HEAD) == seal.previous_head and seal.size > (head.size if head else 0):
        return
    if head is None:
        raise EvidenceBroken("签名头文件不见了，台账中却有封存记录", 0)
    if head.size > seal.size:
        raise EvidenceBroken("台账中的封存记录少于签名头：台账被截短，或已从备份恢复", head.size)
    raise EvidenceBroken("签名头少于台账中的封存记录，或不是同一份日志", head.size)


async def _grow(conn: Conn, seal: Seal | None, head: Head | None) -> tuple[Seal | None, bytes]:
    size, high = (seal.size, seal.high) if seal else (0, 0)
    placed = await evidence.place(conn, size, LEAVES_A_ROUND)
    if not placed.count:
        return None, b""
    tree = Peaks.from_bytes(size, bytes(seal.peaks) if seal else b"")
    if seal is not None and tree.root() != seal.root:
        raise EvidenceBroken("台账中的封存记录自相矛盾", size)
    hashes = bytes(placed.hashes)
    for each in hashes_in(hashes):
        tree.append(each)
    new = await evidence.add_seal(
        conn,
        tree,
        high=max(high, placed.high),
        after_xid=placed.after_xid,
        scanned_xid=placed.scanned_xid,
        previous_head=head.digest() if head else NO_HEAD,
    )
    return new, hashes


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
