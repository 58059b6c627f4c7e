"""A second verifier, written from docs/evidence.md alone: standard library and `cryptography` only.

``python evidence_check.py PACK.zip [PUBLIC.pem]`` checks a pack; ``check_folder`` checks heads and hashes.
"""

import base64
import hashlib
import hmac
import json
import struct
import sys
import zipfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

PREFIXES = {"push": "PS", "recall": "RC", "return": "RT", "credit_report": "CR", "sms": "SM"}


def sha256(content):
    return hashlib.sha256(content).digest()


def leaf_hash(text):
    return sha256(b"\x00" + text.encode("utf-8"))


def tree_root(hashes):
    """By the definition: split at the largest power of two below the number of leaves."""
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return sha256(b"\x01" + tree_root(hashes[:half]) + tree_root(hashes[half:]))


def root_by_path(position, size, hashed, path):
    """Walk down as the definition splits, then up along the path; None where it has not the right length."""
    turns = []
    begin, end = 0, size
    while end - begin > 1:
        half = 1
        while half * 2 < end - begin:
            half *= 2
        goes_left = position < begin + half
        turns.append(goes_left)
        begin, end = (begin, begin + half) if goes_left else (begin + half, end)
    if len(turns) != len(path):
        return None
    for goes_left, sibling in zip(reversed(turns), path, strict=True):
        hashed = sha256(b"\x01" + hashed + sibling) if goes_left else sha256(b"\x01" + sibling + hashed)
    return hashed


def key_id(public):
    return sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hex()[:16]


def head_message(head):
    lines = ["shenguan-evidence-head-v1", str(head["size"]), head["root"], head["previous"], head["at"]]
    return "".join(f"{line}\n" for line in [*lines, head["key"]]).encode("utf-8")


def wrong_signature(head, public):
    if head["key"] != key_id(public):
        return "another key"
    try:
        public.verify(base64.b64decode(head["signature"]), head_message(head))
    except InvalidSignature:
        return "the signature does not fit"
    return None


def head_digest(head):
    return sha256(head_message(head) + base64.b64decode(head["signature"])).hex()


def own_id(channel, business_key, version):
    digest = sha256("\x1f".join((channel, business_key, str(version))).encode("utf-8"))
    return PREFIXES[channel] + base64.b32encode(digest).decode()[:30]


def check_pack(path, public_pem=None):
    """Everything that is wrong with a pack, in words; nothing where it proves what it says."""
    wrong = []
    with zipfile.ZipFile(path) as pack:
        value = json.loads(pack.read("pack.json"))
        public = load_pem_public_key(public_pem or pack.read("public.pem"))
        head = value["head"]
        if said := wrong_signature(head, public):
            wrong.append(f"head: {said}")
        before = -1
        for entry in value["leaves"]:
            position = entry["position"]
            if position <= before:
                wrong.append(f"{position}: order")
            before = position
            path_up = [bytes.fromhex(each) for each in entry["proof"]]
            root = root_by_path(position, head["size"], leaf_hash(entry["leaf"]), path_up)
            if root is None or root.hex() != head["root"]:
                wrong.append(f"{position}: not under the head")
                continue
            leaf = json.loads(entry["leaf"])
            if entry["sealed"] and sha256(pack.read(entry["sealed"])).hex() != leaf["sealed"]:
                wrong.append(f"{position}: other sealed bytes")
            if entry["plain"]:
                made = hmac.new(bytes.fromhex(entry["salt"]), pack.read(entry["plain"]), hashlib.sha256)
                if made.hexdigest() != leaf["commitment"]:
                    wrong.append(f"{position}: other plain bytes")
            key, version = entry["business_key"], entry["content_version"]
            if key and "channel" in leaf and own_id(leaf["channel"], key, version) != leaf["own_id"]:
                wrong.append(f"{position}: another business key")
    return wrong


def check_folder(folder, public_pem):
    """What is wrong with heads.jsonl and hashes.bin, and how many leaves they prove."""
    public = load_pem_public_key(public_pem)
    packed = (folder / "hashes.bin").read_bytes()
    hashes = [part for (part,) in struct.iter_unpack("32s", packed[: len(packed) // 32 * 32])]
    proven, previous = 0, "00" * 32
    for number, line in enumerate((folder / "heads.jsonl").read_text("utf-8").splitlines(), start=1):
        head = json.loads(line)
        said = wrong_signature(head, public)
        if said or head["previous"] != previous or head["size"] <= proven:
            return [f"head {number}: {said or 'does not follow'}"], proven
        if tree_root(hashes[: head["size"]]).hex() != head["root"]:
            return [f"head {number}: other hashes"], proven
        proven, previous = head["size"], head_digest(head)
    return [], proven


def archived_positions(folder, proven, leaves):
    """The positions that sealed ``archived`` leaves say lie in files; ``leaves`` are texts by position."""
    packed = (folder / "hashes.bin").read_bytes()
    gone = set()
    for position, text in leaves.items():
        if position >= proven or leaf_hash(text) != packed[position * 32 : position * 32 + 32]:
            continue
        leaf = json.loads(text)
        if leaf["kind"] != "archived":
            continue
        numbers = [number for begin, end in leaf["positions"] for number in range(begin, end)]
        rise = all(one < other for one, other in zip(numbers, [*numbers[1:], position], strict=True))
        if rise and len(numbers) == leaf["leaves"]:
            gone.update(numbers)
    return gone


def first_bad_leaf(folder, proven, leaves):
    """The first position whose leaf is not the one that was sealed, and is not excused as archived."""
    packed = (folder / "hashes.bin").read_bytes()
    gone = archived_positions(folder, proven, leaves)
    for position in range(proven):
        text = leaves.get(position)
        if text is None and position in gone:
            continue
        if text is None or leaf_hash(text) != packed[position * 32 : position * 32 + 32]:
            return position
    return None


if __name__ == "__main__":
    from pathlib import Path

    found = check_pack(sys.argv[1], Path(sys.argv[2]).read_bytes() if sys.argv[2:] else None)
    print("\n".join(found) or "nothing is wrong")
    sys.exit(bool(found))
