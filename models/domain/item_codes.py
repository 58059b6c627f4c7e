"""Codes that name a matter: 实施编码, 监管事项目录编码 and 办件编号.

Only the 31-sign form of an 实施编码 has parts worth reading (GB/T 39046-2020); every other
form, and every case number, is an opaque text.
"""

import re
from dataclasses import dataclass

MAX_CASE_NO = 64
_IMPLEMENTATION = re.compile(
    r"(?P<agency>[0-9A-HJ-NPQRTUWXY]{18})(?P<level>[1-9])(?P<catalog>[0-9A-Z]{12})", re.ASCII
)
_SUPERVISION_ITEM = re.compile(r"\d{14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ItemCode:
    """The parts of a 31-sign 实施编码: 实施主体 (18), 行使层级 (1), 基本编码 (12)."""

    agency: str
    level: str
    catalog: str

    def __str__(self) -> str:
        return f"{self.agency}{self.level}{self.catalog}"


def parse_item_code(text: str) -> ItemCode | None:
    """The parts of an 实施编码, or None when the text has another form (it stays a valid key)."""
    match = _IMPLEMENTATION.fullmatch(text)
    return ItemCode(match["agency"], match["level"], match["catalog"]) if match else None


def check_case_no(text: str) -> str | None:
    """The rule a case number breaks (``case-no-empty``, ``-length``, ``-signs``), or None.

    It is kept as it came; only what would break a line, a key or a page is refused:
    surrounding blanks, control signs and our own key separator ``|``.
    """
    if not text:
        return "case-no-empty"
    if len(text) > MAX_CASE_NO:
        return "case-no-length"
    if text != text.strip() or "|" in text or not text.isprintable():
        return "case-no-signs"
    return None


def check_supervision_item(text: str) -> str | None:
    """The rule a 监管事项目录编码 breaks (``supervision-item-shape``: 14 digits), or None."""
    return None if _SUPERVISION_ITEM.fullmatch(text) else "supervision-item-shape"
