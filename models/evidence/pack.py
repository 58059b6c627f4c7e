"""A pack: what the log holds about one case, for somebody who has neither our ledger nor our keys.

A zip file: ``pack.json`` with the leaves, their proofs and the signed head, ``public.pem``, ``bytes/`` with
the sealed bytes and, where it was opened, the plain ones, and ``目录.md`` for people. To be checked without
a database; ``docs/evidence.md`` says how, byte by byte.
"""

import hashlib
import hmac
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.domain.errors import ShenguanError
from models.domain.keys import CHANNEL_OF, own_id
from models.domain.merkle import is_consistent, leaf_hash, root_from_inclusion
from models.evidence.audit import Finding, own_id_in
from models.evidence.heads import Head, HeadUnreadable, read_head
from models.evidence.index import Listed, index_of
from models.evidence.members import MOST_JSON, Members, MembersUnfit, opened
from models.evidence.signing import SigningKeyBroken, Verifier

PACK, PUBLIC, INDEX = "pack.json", "public.pem", "目录.md"
_EFFECT, _MESSAGES = ("intent", "answer"), ("inward", "lookup")
_OF_A_CASE = ("PS", "RC")
"""Effects whose business key begins with the case's number."""


class PackUnreadable(ShenguanError):  # noqa: N818 - named as the finding it is
    """The file is no pack of ours. ``reason`` is Chinese."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}：{self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One leaf of a pack with its proof; ``plain`` and ``salt`` only where it was opened."""

    position: int
    leaf: str
    proof: Sequence[bytes]
    sealed: bytes | None = None
    plain: bytes | None = None
    salt: bytes | None = None
    business_key: str | None = None
    content_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackVerified:
    """What a pack proves: ``leaves`` stand under the head, ``opened`` of them with their plain bytes.

    ``own_key``: the public key came with the pack, so that its id must be compared with the published one.
    """

    case_no: str
    leaves: int
    opened: int
    size: int
    head_at: str
    key: str
    own_key: bool
    findings: tuple[Finding, ...]


def write_pack(
    path: Path,
    case_no: str,
    head: Head,
    verifier: Verifier,
    items: Sequence[Item],
    *,
    made_at: str,
    consistency: tuple[Head, Sequence[bytes]] | None = None,
) -> None:
    """Write the pack, its page for people included."""
    entries = [_entry(item) for item in items]
    value = {
        "v": 1,
        "case_no": case_no,
        "made_at": made_at,
        "head": json.loads(head.line()),
        "leaves": entries,
        "consistency": consistency
        and {
            "head": json.loads(consistency[0].line()),
            "proof": [each.hex() for each in consistency[1]],
        },
    }
    # It may hold personal data: its owner's, from the first byte on.
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr(PACK, json.dumps(value, ensure_ascii=False, indent=1))
        pack.writestr(PUBLIC, verifier.pem())
        pack.writestr(INDEX, _index(case_no, made_at, head, entries))
        for item in items:
            for kind, content in (("sealed", item.sealed), ("plain", item.plain)):
                if content is not None:
                    pack.writestr(_name(item.position, kind), content)


def _name(position: int, kind: str) -> str:
    return f"bytes/{position:010d}.{kind}"


def _entry(item: Item) -> dict[str, Any]:
    return {
        "position": item.position,
        "leaf": item.leaf,
        "proof": [each.hex() for each in item.proof],
        "sealed": None if item.sealed is None else _name(item.position, "sealed"),
        "plain": None if item.plain is None else _name(item.position, "plain"),
        "salt": None if item.salt is None else item.salt.hex(),
        "business_key": item.business_key,
        "content_version": item.content_version,
    }


def verify_pack(path: Path, verifier: Verifier | None = None, *, kept: Head | None = None) -> PackVerified:
    """What this pack proves. With ``verifier`` the key that came with it is not believed.

    ``kept`` is a head somebody has put by: the pack must then show that its own head goes on from it.

    Raises:
        PackUnreadable: it is no pack.
    """
    try:
        with opened(path) as members:
            return _verified(members, verifier, kept)
    except MembersUnfit as unfit:
        raise PackUnreadable(str(path), unfit.reason) from unfit
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError) as broken:
        raise PackUnreadable(str(path), "不是留痕证据包，或文件损坏") from broken
    except (LookupError, ValueError, TypeError, RecursionError, HeadUnreadable, SigningKeyBroken) as garbled:
        raise PackUnreadable(str(path), "证据包内容残缺或格式不对") from garbled


def _verified(members: Members, verifier: Verifier | None, kept: Head | None) -> PackVerified:
    value = json.loads(members.read(PACK, MOST_JSON), object_pairs_hook=_each_once)
    case_no, made_at = _text(value["case_no"]), _text(value["made_at"])
    entries = [_checked(entry) for entry in value["leaves"]]
    if value["v"] != 1:
        raise ValueError(value["v"])
    own = Verifier.from_pem(members.read(PUBLIC), said=PUBLIC)
    head = read_head(json.dumps(value["head"]).encode())
    key = verifier or own
    found = [*_head(head, key, own), *_members(members, entries), *_leaves(members, entries, head)]
    if not found:
        found += _about(case_no, [json.loads(entry["leaf"]) for entry in entries], entries)
    if not found and members.read(INDEX) != _index(case_no, made_at, head, entries):
        found.append(Finding("pack", f"{INDEX} 不是由包内留痕写出的那一份：被改"))
    if kept is not None:
        found += _kept(value.get("consistency"), head, key, kept)
    return PackVerified(
        case_no=case_no,
        leaves=len(entries),
        opened=sum(entry["plain"] is not None for entry in entries),
        size=head.size,
        head_at=head.at,
        key=key.key_id,
        own_key=verifier is None,
        findings=tuple(found),
    )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name twice")
    return made


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value))
    value.encode()
    return value


def _checked(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """An entry of the form that we write.

    Raises:
        KeyError, ValueError, TypeError: it is of another.
    """
    position = entry["position"]
    if type(position) is not int or position < 0:
        raise TypeError(type(position))
    _text(entry["leaf"])
    for kind in ("sealed", "plain"):
        if entry[kind] is not None:
            _text(entry[kind])
    if (entry["plain"] is None) != (entry["salt"] is None):
        raise ValueError("salt")
    if entry["business_key"] is not None:
        _text(entry["business_key"])
    return entry


def _index(case_no: str, made_at: str, head: Head, entries: Iterable[Mapping[str, Any]]) -> bytes:
    listed = (
        Listed(e["position"], e["leaf"], sealed=e["sealed"] is not None, plain=e["plain"] is not None)
        for e in entries
    )
    return index_of(case_no, made_at, head, listed).encode()


def _members(members: Members, entries: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    listed = {PACK, PUBLIC, INDEX} | {entry[kind] for entry in entries for kind in ("sealed", "plain")}
    for name in {info.filename for info in members} - listed:
        yield Finding("pack", f"包内有目录之外的文件 {name!a}：不是证据的一部分")


def _about(
    case_no: str, leaves: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """Whether the leaves are of this case, as far as they name one; one at least must."""
    named = False
    for leaf, entry in zip(leaves, entries, strict=True):
        if leaf["kind"] == "inward" and leaf["record"] == "case":
            is_its = leaf["key"] == case_no
        elif leaf["kind"] in _EFFECT and leaf["own_id"][:2] in _OF_A_CASE:
            is_its = entry["business_key"].startswith(f"{case_no}|")
        else:
            continue
        named = True
        if not is_its:
            said = f"第 {entry['position']} 位是另一办件的留痕，不是所称的办件"
            yield Finding("pack", said, entry["position"], own_id_in(entry["leaf"]))
    if not named:
        yield Finding("pack", "包内没有一条留痕指明是所称的办件")


def _head(head: Head, key: Verifier, own: Verifier) -> Iterator[Finding]:
    if own.key_id != key.key_id:
        yield Finding("heads", f"包内公钥（{own.key_id}）不是所给的公钥（{key.key_id}）")
    if not head.is_signed_by(key):
        yield Finding("heads", "签名头不是该公钥所签，或内容被改")


def _leaves(members: Members, entries: Sequence[Mapping[str, Any]], head: Head) -> Iterator[Finding]:
    before = -1
    if not entries:
        yield Finding("pack", "包内没有留痕")
    for entry in entries:
        position, text = entry["position"], entry["leaf"]
        name = own_id_in(text)
        if position <= before:
            yield Finding("moved", f"第 {position} 位的次序不对或重复", position, name)
        before = max(before, position)
        proof = [bytes.fromhex(each) for each in entry["proof"]]
        if root_from_inclusion(position, head.size, leaf_hash(text.encode()), proof) != head.root:
            yield Finding(
                "changed", f"第 {position} 位的留痕不在签名头之下：内容、位置或证明被改", position, name
            )
            continue
        leaf = json.loads(text)
        wrong = _kind(leaf, entry) or _bytes(members, entry, leaf)
        if wrong:
            yield Finding("bytes", f"第 {position} 位{wrong}", position, name)


def _kind(leaf: Mapping[str, Any], entry: Mapping[str, Any]) -> str | None:
    key, version = entry["business_key"], entry["content_version"]
    if leaf["kind"] in _EFFECT:
        channel = CHANNEL_OF.get(leaf["own_id"][:2])
        if channel is None or key is None or own_id(channel, key, version) != leaf["own_id"]:
            return "的动作编号与业务键不符"
        return None
    if leaf["kind"] not in _MESSAGES:
        return "的留痕不属于任何办件"
    return "的留痕不是动作，却写有业务键" if key is not None else None


def _bytes(members: Members, entry: Mapping[str, Any], leaf: Mapping[str, Any]) -> str | None:
    if any(entry[kind] not in (None, _name(entry["position"], kind)) for kind in ("sealed", "plain")):
        return "的原文不在它的文件中"
    if entry["sealed"] is not None:
        sealed = members.read(entry["sealed"])
        if hashlib.sha256(sealed).hexdigest() != leaf.get("sealed"):
            return "的密封原文不是留痕所记的那一份"
    if entry["plain"] is not None:
        salted = hmac.digest(bytes.fromhex(entry["salt"]), members.read(entry["plain"]), "sha256").hex()
        if salted != leaf.get("commitment"):
            return "的明文不是留痕所承诺的那一份"
    return None


def _kept(consistency: Any, head: Head, key: Verifier, kept: Head) -> Iterator[Finding]:
    if not kept.is_signed_by(key):
        yield Finding("kept", "所保存的签名头不是该公钥所签")
        return
    if kept.size == head.size:
        proof: list[bytes] = []
    elif consistency is None or read_head(json.dumps(consistency["head"]).encode()) != kept:
        yield Finding("kept", "包内没有从所保存的签名头到本包签名头的证明：请以 --since 重新导出")
        return
    else:
        proof = [bytes.fromhex(each) for each in consistency["proof"]]
    if not is_consistent(kept.size, kept.root, head.size, head.root, proof):
        yield Finding("kept", "本包的日志不是所保存的签名头那一份的延续")
