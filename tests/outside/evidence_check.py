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
import zlib
from datetime import datetime, timedelta, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

PREFIXES = {"push": "PS", "recall": "RC", "return": "RT", "credit_report": "CR", "sms": "SM"}

WORDS = {
    tuple(line.split()[:2]): line.split()[2]
    for line in """
channel push 推送
channel recall 撤回推送
channel return 回传审批方
channel credit_report 信用报送
channel sms 短信
system platform 政务服务平台
system credit 信用系统
system sms 短信网关
system sms2 备用短信网关
system aliyun 短信网关
system yunmas 短信网关
record case 办件
record feedback 反馈
record credit_record 信用记录
record sms_receipt 短信回执
record answer 接口答复
outcome accepted 对方接收
outcome already_done 对方已有同一份
outcome refused 对方拒收
outcome not_done 未办成，可再发
outcome unknown 结果未知
""".strip().splitlines()
}


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


def each_once(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name twice in one object")
    return dict(pairs)


def shown(at):
    return datetime.fromisoformat(at).astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%d %H:%M:%S")


def told(leaf):
    """The cells of fact and about."""
    kind = leaf["kind"]
    if kind == "intent":
        target = "sms" if leaf["channel"] == "sms" else leaf["target"]
        return (
            f"发出{word('channel', leaf['channel'])}（第 {leaf['attempt']} 次）",
            f"→ {word('system', target)}",
        )
    if kind == "answer":
        receipt = f"，回执 {leaf['receipt']}" if leaf["receipt"] else ""
        return f"得到答复（第 {leaf['attempt']} 次）", word("outcome", leaf["outcome"]) + receipt
    if kind == "inward":
        version = f"，第 {leaf['version']} 版" if leaf["version"] else ""
        return (
            f"收到{word('record', leaf['record'])}",
            f"{word('system', leaf['source'])} {leaf['key']}{version}",
        )
    return "收到信用查询答复", f"{word('system', 'credit')} {leaf['number']}"


def word(of, code):
    return WORDS.get((of, code), code)


def page_for_people(value, entries):
    """``目录.md`` as the page says it is made."""
    head = value["head"]
    lines = [
        f"# 办件 {value['case_no']} 留痕证据包",
        "",
        f"- 制作时间：{shown(value['made_at'])}",
        f"- 签名头：日志第 {head['size']} 条处，{shown(head['at'])}，根 `{head['root']}`",
        f"- 公钥编号：{head['key']}（请与公布的编号核对）",
        "- 核验：`shenguan evidence verify 本文件 --key 公布的公钥`；另写核验程序见 docs/evidence.md",
        "",
        "| 位置 | 时间 | 事实 | 对象与结果 | 编号 | 明文 |",
        "|--|--|--|--|--|--|",
    ]
    for entry in entries:
        leaf = json.loads(entry["leaf"])
        plain = "附" if entry["plain"] else "密封" if entry["sealed"] else "—"
        cells = [str(entry["position"]), shown(leaf["at"]), *told(leaf), leaf["own_id"], plain]
        lines.append("| " + " | ".join(cell.replace("|", "｜").replace("\n", " ") for cell in cells) + " |")
    return "".join(f"{line}\n" for line in lines)


def named(field, row):
    return len(field.encode()).to_bytes(4, "big") + field.encode() + row.encode()


def opened(sealed, data_key, field, own, dictionary):
    """The plain bytes of sealed ones, and their salt; ``dictionary`` is the page's."""
    if sealed[:1] not in {b"\2", b"\3"}:
        raise ValueError("not under a data key")
    cipher = AES if len(data_key) == 32 else SM4
    gcm = Cipher(cipher(data_key), GCM(sealed[17:29], sealed[-16:])).decryptor()
    gcm.authenticate_additional_data(sealed[:17] + named(field, own))
    plain = gcm.update(sealed[29:-16]) + gcm.finalize()
    if sealed[:1] == b"\3":
        inflating = zlib.decompressobj(-15, dictionary)
        plain = inflating.decompress(plain) + inflating.flush()
    salts = hmac.digest(data_key, b"shenguan evidence salt", "sha256")
    return plain, hmac.digest(salts, named(field, own), "sha256")


def check_pack(path, public_pem=None):
    """Everything that is wrong with a pack, in words; nothing where it proves what it says."""
    try:
        with zipfile.ZipFile(path) as pack:
            return wrong_in(pack, public_pem)
    except Exception as error:  # noqa: BLE001 - whatever it is, it proves nothing
        return [f"no pack: {type(error).__name__}"]


def wrong_in(pack, public_pem):
    if sum(info.file_size for info in pack.infolist()) > 256 * 1024 * 1024:
        return ["too large"]
    value = json.loads(pack.read("pack.json"), object_pairs_hook=each_once)
    public = load_pem_public_key(public_pem or pack.read("public.pem"))
    head, entries = value["head"], value["leaves"]
    wrong = []
    if said := wrong_signature(head, public):
        wrong.append(f"head: {said}")
    before = -1
    for entry in entries:
        position = entry["position"]
        if type(position) is not int or position <= before:
            wrong.append(f"{position}: order")
        before = position
        path_up = [bytes.fromhex(each) for each in entry["proof"]]
        root = root_by_path(position, head["size"], leaf_hash(entry["leaf"]), path_up)
        if root is None or root.hex() != head["root"]:
            wrong.append(f"{position}: not under the head")
            continue
        if said := wrong_in_entry(pack, entry, json.loads(entry["leaf"])):
            wrong.append(f"{position}: {said}")
    names = [info.filename for info in pack.infolist()]
    listed = {"pack.json", "public.pem", "目录.md"} | {
        e[kind] for e in entries for kind in ("sealed", "plain")
    }
    if len(set(names)) != len(names) or set(names) - listed:
        wrong.append("files that are not listed, or twice")
    if not wrong:
        wrong += another_case(value["case_no"], entries)
    if not wrong and pack.read("目录.md").decode("utf-8") != page_for_people(value, entries):
        wrong.append("another page for people")
    return wrong


def wrong_in_entry(pack, entry, leaf):
    name = f"bytes/{entry['position']:010d}"
    if entry["sealed"] not in (None, f"{name}.sealed") or entry["plain"] not in (None, f"{name}.plain"):
        return "another file's name"
    key, version = entry["business_key"], entry["content_version"]
    if leaf["kind"] in ("intent", "answer"):
        channels = [channel for channel, prefix in PREFIXES.items() if leaf["own_id"].startswith(prefix)]
        if [own_id(channel, key, version) for channel in channels] != [leaf["own_id"]]:
            return "another business key"
    elif leaf["kind"] not in ("inward", "lookup") or key is not None:
        return "no leaf of a case"
    if entry["sealed"] and sha256(pack.read(entry["sealed"])).hex() != leaf["sealed"]:
        return "other sealed bytes"
    if entry["plain"]:
        made = hmac.new(bytes.fromhex(entry["salt"]), pack.read(entry["plain"]), hashlib.sha256)
        if made.hexdigest() != leaf["commitment"]:
            return "other plain bytes"
    return None


def another_case(case_no, entries):
    """Leaves that name a case must name this one, and one must."""
    fit = []
    for entry in entries:
        leaf = json.loads(entry["leaf"])
        if leaf["kind"] == "inward" and leaf["record"] == "case":
            fit.append(leaf["key"] == case_no)
        elif leaf["kind"] in ("intent", "answer") and leaf["own_id"][:2] in ("PS", "RC"):
            fit.append(entry["business_key"].startswith(case_no + "|"))
    return [] if fit and all(fit) else ["another case"]


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
