"""``目录.md`` of a pack: its leaves for people, made of nothing but the pack itself.

Whoever verifies a pack makes it again and compares: the words and their order are a part of the format.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from models.domain.messages import CHANNELS, RECORD_KINDS, SYSTEMS
from models.domain.workdays import SHANGHAI
from models.evidence.heads import Head

OUTCOMES: Mapping[str, str] = {
    "accepted": "对方接收",
    "already_done": "对方已有同一份",
    "refused": "对方拒收",
    "not_done": "未办成，可再发",
    "unknown": "结果未知",
}


class Listed(NamedTuple):
    """A leaf of the pack, and whether its sealed and its plain bytes are in it."""

    position: int
    leaf: str
    sealed: bool
    plain: bool


def index_of(case_no: str, made_at: str, head: Head, listed: Iterable[Listed]) -> str:
    """The page.

    Raises:
        KeyError, ValueError: a leaf of another kind, or a time that is none.
    """
    lines = [
        f"# 办件 {case_no} 留痕证据包",
        "",
        f"- 制作时间：{_shown(made_at)}",
        f"- 签名头：日志第 {head.size} 条处，{_shown(head.at)}，根 `{head.root.hex()}`",
        f"- 公钥编号：{head.key}（请与公布的编号核对）",
        "- 核验：`shenguan evidence verify 本文件 --key 公布的公钥`；另写核验程序见 docs/evidence.md",
        "",
        "| 位置 | 时间 | 事实 | 对象与结果 | 编号 | 明文 |",
        "|--|--|--|--|--|--|",
    ]
    for each in listed:
        leaf = json.loads(each.leaf)
        fact, about = _TELL[leaf["kind"]](leaf)
        plain = "附" if each.plain else "密封" if each.sealed else "—"
        cells = (str(each.position), _shown(leaf["at"]), fact, about, leaf["own_id"], plain)
        lines.append("| " + " | ".join(cell.replace("|", "｜").replace("\n", " ") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _intent(leaf: dict[str, Any]) -> tuple[str, str]:
    # a text's target is its phone's keyed hash: nobody reads that
    target = SYSTEMS["sms"] if leaf["channel"] == "sms" else SYSTEMS.get(leaf["target"], leaf["target"])
    return f"发出{CHANNELS.get(leaf['channel'], leaf['channel'])}（第 {leaf['attempt']} 次）", f"→ {target}"


def _answer(leaf: dict[str, Any]) -> tuple[str, str]:
    said = OUTCOMES.get(leaf["outcome"], leaf["outcome"])
    receipt = f"，回执 {leaf['receipt']}" if leaf["receipt"] else ""
    return f"得到答复（第 {leaf['attempt']} 次）", f"{said}{receipt}"


def _inward(leaf: dict[str, Any]) -> tuple[str, str]:
    kind = RECORD_KINDS.get(leaf["record"], leaf["record"])
    version = f"，第 {leaf['version']} 版" if leaf["version"] else ""
    return f"收到{kind}", f"{SYSTEMS.get(leaf['source'], leaf['source'])} {leaf['key']}{version}"


def _lookup(leaf: dict[str, Any]) -> tuple[str, str]:
    return "收到信用查询答复", f"{SYSTEMS['credit']} {leaf['number']}"


_TELL: Mapping[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "intent": _intent,
    "answer": _answer,
    "inward": _inward,
    "lookup": _lookup,
}


def _shown(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
