"""The whole log verified against the heads outside the database, without trust in the ledger."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.evidence.archived import months_gone
from models.evidence.audit import Finding, LogCheck, look_at_heads, look_at_seals, own_id_in
from models.evidence.folder import EvidenceFolder
from models.evidence.heads import Head
from models.evidence.signing import Verifier
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import evidence_log
from tasks.evidence.archived import archived_files

UNSEALED_AFTER_S = 120.0
"""A leaf that is older and has no position was passed over, or nobody seals."""
_ROWS = 10_000
_LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LogVerified:
    """What the verifier found: the first of ``findings`` names the first bad leaf, ``bad`` counts them all.

    ``proven`` leaves stand under ``heads`` signed heads, ``leaves`` have a position in the ledger.
    """

    heads: int
    proven: int
    leaves: int
    key: str
    head_at: str | None
    bad: int
    archived: int
    """How many leaves lie in files that were not looked at."""
    archived_read: int
    """How many lie in files that were."""
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


async def verify_log(
    ledger: Ledger,
    folder: EvidenceFolder,
    verifier: Verifier,
    *,
    kept: Head | None = None,
    archive: Path | None = None,
) -> LogVerified:
    """Compare every leaf in the ledger with what was sealed; ``kept`` is a head put by elsewhere.

    ``archive`` is the folder of months that lie in files: their leaves are compared as well. Works with the
    audit role. The heads are read first: the ledger is never behind them.

    Raises:
        LedgerUnavailable: nothing is said.
    """
    trusted = look_at_heads(folder, verifier, kept)
    async with ledger.reading(snapshot=True) as conn:
        gone = months_gone(await evidence_log.archived_leaves(conn), folder, trusted)
        files = archived_files(gone, await evidence_log.archived(conn), archive)
        check = LogCheck(folder, trusted, files.elsewhere)
        async for rows in files.merged(_placed(conn)):
            odd = [row["number"] for row in rows if row["leaf"] is None or own_id_in(row["leaf"]) is None]
            check.take(rows, await evidence_log.whose(conn, odd) if odd else {})
        check.end()
        more = [
            *files.findings,
            *look_at_seals(await evidence_log.seals(conn), trusted),
            *await _beside(conn, files.months),
        ]
    leaves = [*check.findings]
    leaves.sort(key=lambda each: -1 if each.position is None else each.position)
    found = (*leaves, *trusted.findings, *more)
    return LogVerified(
        heads=trusted.heads,
        proven=trusted.size,
        leaves=check.rows,
        key=verifier.key_id,
        head_at=trusted.head.at if trusted.head else None,
        bad=check.bad,
        archived=check.elsewhere,
        archived_read=files.read,
        findings=found,
    )


async def _placed(conn: Conn) -> AsyncIterator[list[dict[str, Any]]]:
    after = -1
    while rows := await evidence_log.placed(conn, after, _ROWS):
        yield rows
        after = rows[-1]["position"]


async def _beside(conn: Conn, gone: Sequence[int]) -> list[Finding]:
    """What the log itself cannot show: leaves passed over, facts without leaves, other bytes."""
    found: list[Finding] = []
    passed = await evidence_log.never_sealed(conn, UNSEALED_AFTER_S)
    if passed["n"]:
        said = f"{passed['n']} 条留痕早已写下却没有封存，最早编号 {passed['number']}"
        found.append(Finding("unsealed", said, None, own_id_in(passed["leaf"])))
    for row in await evidence_log.without_leaf(conn, _LISTED, gone):
        said = f"编号 {row['number']} 的留痕不见了，台账仍指着它"
        found.append(Finding("missing", said, None, row["own_id"]))
    for row in await evidence_log.other_bytes(conn, _LISTED):
        said = "密封的原文不见了" if row["gone"] else "密封的原文不是留痕所记的那一份"
        found.append(Finding("bytes", said, row["position"], row["own_id"]))
    return found
