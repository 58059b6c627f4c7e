"""The doctor's look at evidence: is it sealed, and do ledger and heads belong together."""

from pathlib import Path

from config.settings import Settings
from models.evidence.folder import EvidenceFolder
from models.evidence.heads import HeadUnreadable
from models.evidence.signing import Signer, SigningKeyBroken
from models.ledger.connection import Ledger
from models.ledger.queries import evidence
from models.ledger.queries.evidence import Seal
from tasks.doctor.diagnosis import Finding, attention, bad, fine
from tasks.evidence.sealer import EvidenceBroken, assert_follows, belongs

_LATE_S = 120.0
_WHAT = "留痕"
_VERIFY = "运行 shenguan evidence verify，见 docs/evidence.md"


async def look_at_evidence(settings: Settings) -> list[Finding]:
    """What is off: no key, leaves that nobody seals, a folder that does not fit the ledger."""
    async with (
        Ledger.open(settings.database_url.get_secret_value(), max_size=1) as ledger,
        ledger.reading(snapshot=True) as conn,
    ):
        seal = await evidence.last_seal(conn)
        behind = await evidence.backlog(conn)
    if behind["unsealed"] and behind["waits_s"] > _LATE_S:
        said = f"{behind['unsealed']} 条没有封存，最早的已等 {behind['waits_s'] / 60:.0f} 分钟"
        todo = "确认 shenguan dispatch 在运行、签名密钥已设、留痕目录可写"
        return [bad(_WHAT, said, todo)]
    if settings.evidence_key_file is None:
        said = f"本机不封存（未设签名密钥）；台账中 {behind['sealed']} 条已封存"
        todo = "在一台主机上运行 shenguan keys evidence，再设 SHENGUAN_EVIDENCE_KEY_FILE"
        return [attention(_WHAT, said, todo)]
    try:
        key = _compared(settings.evidence_key_file, settings.evidence_folder, seal, behind["age_s"] or 0)
    except SigningKeyBroken as broken:
        return [bad(_WHAT, str(broken), "从备份恢复签名密钥")]
    except (EvidenceBroken, HeadUnreadable) as broken:
        return [bad(_WHAT, str(broken), _VERIFY)]
    except OSError as failure:
        return [bad(_WHAT, f"留痕目录无法读取（{failure.strerror}）", "确认目录在、可读写")]
    return [fine(_WHAT, f"{behind['sealed']} 条已封存，公钥 {key}")]


def _compared(key_file: Path, place: Path, seal: Seal | None, age_s: float) -> str:
    """The key's id, when the last head and the ledger's last round belong together."""
    signer = Signer.load(key_file)
    head = EvidenceFolder(place).last_head()
    size = head.size if head else 0
    if head is not None and not head.is_signed_by(signer.verifier):
        raise EvidenceBroken("最后一个签名头不是本密钥所签", size)
    if seal is None and head is not None:
        raise EvidenceBroken("签名头已有，台账中却没有封存记录", size)
    if seal is not None and not belongs(seal, head):
        # A head may be a moment behind its round, never of another log.
        assert_follows(seal, head)
        if age_s > _LATE_S:
            raise EvidenceBroken("最近一次封存的签名头没有写出，请确认留痕目录可写", size)
    return signer.verifier.key_id
