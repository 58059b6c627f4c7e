"""The whole log against its heads: which leaf is the first that is not what was sealed.

The heads are believed as far as each is signed and names the one before; the hashes beside them as far
as they lead to a head's root; the ledger is believed nothing. Reads only what it is handed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from models.domain.merkle import HASH_BYTES, Peaks, leaf_hash
from models.evidence.folder import EvidenceFolder
from models.evidence.heads import NO_HEAD, Head, HeadUnreadable
from models.evidence.signing import Verifier

Kind = Literal[
    "heads",
    "hashes",
    "changed",
    "hash",
    "missing",
    "moved",
    "cut",
    "unsealed",
    "bytes",
    "seals",
    "kept",
    "archive",
    "pack",
]
HEAD_WITHIN_S = 120.0
"""A round whose head is not written after this was cut off, or its head was taken away."""
_LISTED = 50
_BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was sealed. ``said`` is Chinese; position and own id where known."""

    kind: Kind
    said: str
    position: int | None = None
    own_id: str | None = None


@dataclass(slots=True)
class Trusted:
    """How far heads and hashes can be believed: ``size`` leaves, under ``head``."""

    heads: int = 0
    size: int = 0
    head: Head | None = None
    findings: list[Finding] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    """Size → root of each head that is believed."""


def look_at_heads(folder: EvidenceFolder, verifier: Verifier, kept: Head | None = None) -> Trusted:
    """What heads and hashes prove by themselves; ``kept`` is a head somebody has put by."""
    trusted = Trusted()
    tree, previous = Peaks(), NO_HEAD
    try:
        for number, head in folder.heads():
            wrong = _wrong_head(head, verifier, previous, trusted.size)
            if wrong:
                trusted.findings.append(Finding("heads", f"签名头第 {number} 行{wrong}", trusted.size))
                break
            for block in _blocks(folder, tree.size, head.size):
                for at in range(0, len(block), HASH_BYTES):
                    tree.append(block[at : at + HASH_BYTES])
            if (tree.size, tree.root()) != (head.size, head.root):
                said = (
                    "散列文件短于签名头"
                    if tree.size < head.size
                    else f"散列文件第 {trusted.size} 至 {head.size - 1} 位与签名头第 {number} 行不符"
                )
                trusted.findings.append(Finding("hashes", said, trusted.size))
                break
            previous = head.digest()
            trusted.heads, trusted.size, trusted.head = number, head.size, head
            trusted.roots[head.size] = head.root
    except HeadUnreadable as garbled:
        trusted.findings.append(Finding("heads", str(garbled), trusted.size))
    if kept is not None:
        trusted.findings += _against_kept(folder, verifier, trusted, kept)
    return trusted


def _wrong_head(head: Head, verifier: Verifier, previous: bytes, size: int) -> str | None:
    if not head.is_signed_by(verifier):
        return "不是本密钥所签，或内容被改"
    if head.previous != previous:
        return "没有接在前一个签名头之后：前面的被删、被换或被调换"
    if head.size <= size:
        return "不比前一个签名头长"
    return None


def _blocks(folder: EvidenceFolder, begin: int, end: int) -> Iterator[bytes]:
    for at in range(begin, end, _BLOCK):
        block = folder.hashes(at, min(end, at + _BLOCK))
        yield block[: len(block) // HASH_BYTES * HASH_BYTES]


def _against_kept(
    folder: EvidenceFolder, verifier: Verifier, trusted: Trusted, kept: Head
) -> Iterator[Finding]:
    if not kept.is_signed_by(verifier):
        yield Finding("kept", "所保存的签名头不是本密钥所签")
        return
    if kept.size > trusted.size:
        yield Finding(
            "kept",
            f"所保存的签名头有 {kept.size} 条，现在的日志只能证明 {trusted.size} 条：日志被截短或回退",
            trusted.size,
        )
        return
    root = Peaks.of(
        block[at : at + HASH_BYTES]
        for block in _blocks(folder, 0, kept.size)
        for at in range(0, len(block), HASH_BYTES)
    ).root()
    if root != kept.root:
        yield Finding("kept", "现在的日志不是所保存的签名头那一份：整份被替换", 0)


class LogCheck:
    """Takes the ledger's positions in order and says which are not what was sealed.

    ``elsewhere`` are positions (from, up to but without) that lie in files which are not looked at.
    """

    def __init__(
        self, folder: EvidenceFolder, trusted: Trusted, elsewhere: Sequence[tuple[int, int]] = ()
    ) -> None:
        self._folder = folder
        self._trusted = trusted
        self._elsewhere = sorted(elsewhere)
        self._expected = 0
        self._block, self._block_of = b"", -1
        self.findings: list[Finding] = []
        self.bad = 0
        self.rows = 0
        self.elsewhere = 0
        """How many positions were passed over because they lie in such files."""

    def take(self, rows: Sequence[Mapping[str, Any]], whose: Mapping[int, str]) -> None:
        """Rows of position, number, leaf_hash, leaf; ``whose`` has own ids by leaf number for the gone."""
        for row in rows:
            self.rows += 1
            if row["position"] > self._expected:
                self._gap(self._expected, row["position"])
            sealed = self._sealed(row["position"])
            self._one(row, sealed, whose)
            self._expected = row["position"] + 1

    def end(self) -> None:
        """There are no more rows."""
        for begin, end in self._gone(self._expected, self._trusted.size):
            self.bad += end - begin
            said = f"第 {begin} 位起缺 {end - begin} 条，签名头证明有过：尾部被截去"
            self.findings.append(Finding("cut", said, begin))

    def _gap(self, begin: int, end: int) -> None:
        for first, after in self._gone(begin, end):
            self.bad += after - first
            self._note(Finding("missing", f"第 {first} 至 {after - 1} 位没有封存位置：被删除", first))

    def _gone(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """What of these positions is not in a file either."""
        for first, after in self._elsewhere:
            if first >= end or begin >= end:
                break
            if after <= begin:
                continue
            if first > begin:
                yield begin, first
            self.elsewhere += min(after, end) - max(first, begin)
            begin = after
        if begin < end:
            yield begin, end

    def _one(self, row: Mapping[str, Any], sealed: bytes | None, whose: Mapping[int, str]) -> None:
        position, stored = row["position"], bytes(row["leaf_hash"])
        if row["leaf"] is None:
            own_id = whose.get(row["number"])
            self._wrong("missing", f"第 {position} 位的留痕（编号 {row['number']}）被删除", position, own_id)
            return
        lies, own_id = leaf_hash(row["leaf"].encode()), own_id_in(row["leaf"]) or whose.get(row["number"])
        if sealed is None and lies == stored:
            return
        if sealed is None or lies == sealed:
            if stored != lies:
                self._wrong("hash", f"第 {position} 位的散列被改，内容仍是封存的", position, own_id)
            return
        if self._lies_elsewhere(lies):
            said = f"第 {position} 位是另一位置的留痕：次序被调换或插入"
            self._wrong("moved", said, position, own_id)
        else:
            self._wrong("changed", f"第 {position} 位的留痕内容被改", position, own_id)

    def _wrong(self, kind: Kind, said: str, position: int, own_id: str | None) -> None:
        self.bad += 1
        self._note(Finding(kind, said, position, own_id))

    def _note(self, finding: Finding) -> None:
        if len(self.findings) < _LISTED:
            self.findings.append(finding)

    def _sealed(self, position: int) -> bytes | None:
        if position >= self._trusted.size:
            return None
        at = position % _BLOCK
        if self._block_of != position // _BLOCK:
            self._block_of = position // _BLOCK
            self._block = self._folder.hashes(self._block_of * _BLOCK, (self._block_of + 1) * _BLOCK)
        return self._block[at * HASH_BYTES : (at + 1) * HASH_BYTES]

    def _lies_elsewhere(self, lies: bytes) -> bool:
        if self.bad >= _LISTED:
            return False
        return any(_holds(block, lies) for block in _blocks(self._folder, 0, self._trusted.size))


def _holds(block: bytes, lies: bytes) -> bool:
    at = block.find(lies)
    while at >= 0 and at % HASH_BYTES:
        at = block.find(lies, at + 1)
    return at >= 0


def look_at_seals(rows: Iterable[Mapping[str, Any]], trusted: Trusted) -> Iterator[Finding]:
    """The ledger's own rounds against the heads; the newest round may wait for its head."""
    last = None
    known = 0
    for row in rows:
        last = row
        root = trusted.roots.get(row["size"])
        known += root is not None
        if root is not None and root != bytes(row["root"]):
            yield Finding("seals", f"台账中大小为 {row['size']} 的封存记录被改", row["size"])
    if known < trusted.heads:
        yield Finding("seals", f"台账中的封存记录少于签名头：缺 {trusted.heads - known} 次", trusted.size)
    if last is None or last["size"] <= trusted.size:
        return
    before = trusted.head.digest() if trusted.head else NO_HEAD
    if bytes(last["previous_head"]) == before:
        if last["age_s"] > HEAD_WITHIN_S:
            said = f"台账在 {trusted.size} 条之后又封存过，签名头却一直没有写出，或已被删去"
            yield Finding("heads", said, trusted.size)
    else:
        said = f"台账记得更新的签名头，文件只到 {trusted.size} 条：签名头被回退或删去"
        yield Finding("heads", said, trusted.size)


def own_id_in(leaf: str) -> str | None:
    """The own id a leaf names; None in one that is no leaf of ours."""
    try:
        found = json.loads(leaf).get("own_id")
    except (ValueError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, str) and found.isascii() and found.isprintable() else None
