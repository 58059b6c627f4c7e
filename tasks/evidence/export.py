"""One case's evidence as a pack: its leaves with their proofs, the signed head, and a page for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.domain.errors import ShenguanError
from models.domain.merkle import HASH_BYTES, consistency_proof, hashes_in, inclusion_proofs
from models.evidence.folder import EvidenceFolder
from models.evidence.heads import Head
from models.evidence.pack import Item, write_pack
from models.evidence.signing import Verifier
from models.ledger.connection import Ledger
from models.ledger.months import named
from models.ledger.queries import cases, data_keys, evidence_log
from models.ledger.sealing import SealBroken, Sealing
from tasks.advice import CHECK_FIELD
from tasks.evidence.subjects import RAW_FIELD
from tasks.planning import BODY_FIELD


class CannotExport(ShenguanError):  # noqa: N818 - named as the finding it is
    """There is nothing to make a pack of. ``why`` is Chinese."""

    def __init__(self, case_no: str, why: str) -> None:
        super().__init__(case_no, why)
        self.case_no = case_no
        self.why = why

    def __str__(self) -> str:
        return f"{self.case_no}：{self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """The pack: ``leaves`` in it, ``opened`` with their plain bytes, ``waiting`` for the next head.

    ``closed`` could not be opened: their party was forgotten, or they are not whole.
    """

    case_no: str
    file: str
    leaves: int
    opened: int
    closed: int
    waiting: int
    size: int
    key: str


async def export_case(
    ledger: Ledger,
    folder: EvidenceFolder,
    verifier: Verifier,
    case_no: str,
    out: Path,
    *,
    opens: Sealing | None = None,
    since: Head | None = None,
) -> Exported:
    """Write the pack of a case. With ``opens`` the plain bytes and their salts are in it: personal data.

    ``since`` is a head the receiver has put by: the pack then shows that its head goes on from it.

    Raises:
        CannotExport: no such case, nothing of it is sealed yet, or the hashes beside the heads are cut.
    """
    head = folder.last_head()
    async with ledger.reading(snapshot=True) as conn:
        case = (await cases.find(conn, [case_no])).get(case_no)
        if case is None:
            raise CannotExport(case_no, "台账中没有这个办件")
        if months := await evidence_log.archived_since(conn, case["first_seen_at"]):
            raise CannotExport(case_no, f"{'、'.join(map(named, months))} 的留痕已归档，不在台账中")
        rows = await evidence_log.of_case(conn, case["id"], case_no)
        if opens is not None:
            await data_keys.load(conn, opens, [row["sealed"] for row in rows if row["sealed"] is not None])
    if head is None:
        raise CannotExport(case_no, "还没有签名头：请确认留痕在封存（shenguan doctor）")
    placed = [row for row in rows if row["position"] is not None and row["position"] < head.size]
    if not placed:
        raise CannotExport(case_no, "该办件的留痕尚未封存，请稍后再试")
    if any(row["leaf"] is None for row in placed):
        raise CannotExport(case_no, "留痕有缺失，请先运行 shenguan evidence verify")
    packed = folder.hashes(0, head.size)
    if len(packed) != head.size * HASH_BYTES:
        raise CannotExport(case_no, "散列文件短于签名头，请先运行 shenguan evidence verify")
    hashes = hashes_in(packed)
    proofs = inclusion_proofs(hashes, [row["position"] for row in placed])
    items = [_item(row, proofs[row["position"]], opens) for row in placed]
    goes_on = None
    if since is not None and 0 < since.size < head.size:
        goes_on = (since, consistency_proof(hashes, since.size))
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    write_pack(out, case_no, head, verifier, items, made_at=made_at, consistency=goes_on)
    opened = sum(item.plain is not None for item in items)
    return Exported(
        case_no=case_no,
        file=str(out),
        leaves=len(items),
        opened=opened,
        closed=sum(item.sealed is not None for item in items) - opened if opens is not None else 0,
        waiting=len(rows) - len(placed),
        size=head.size,
        key=verifier.key_id,
    )


def _item(row: Mapping[str, Any], proof: Sequence[bytes], opens: Sealing | None) -> Item:
    plain = salt = None
    sealed = None if row["sealed"] is None else bytes(row["sealed"])
    if opens is not None and sealed is not None:
        field = _field(row)
        try:
            plain = opens.open_sealed(field, row["own_id"], sealed)
            salt = opens.salt(field, row["own_id"], sealed)
        except SealBroken:
            plain = None
    return Item(
        position=row["position"],
        leaf=row["leaf"],
        proof=proof,
        sealed=sealed,
        plain=plain,
        salt=salt,
        business_key=row["business_key"],
        content_version=row["content_version"],
    )


def _field(row: Mapping[str, Any]) -> str:
    """In which column the sealed bytes lie: it is part of what they were sealed with."""
    if row["channel"] is not None:
        return BODY_FIELD
    return CHECK_FIELD if json.loads(row["leaf"])["kind"] == "lookup" else RAW_FIELD
