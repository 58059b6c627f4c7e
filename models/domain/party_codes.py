"""Codes that name a party: 统一社会信用代码 (GB 32100-2015) and 公民身份号码 (GB 11643-1999).

A check answers with the rule that is broken, or None. Nothing here looks at who the party is.
"""

import re
import string
from datetime import date
from typing import Literal

Kind = Literal["uscc", "id_card", "registration", "organization", "unknown"]

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANIZATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORGANIZATION_CHECKS = "0123456789X"
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_USCC_LENGTH = 18
_ORGANIZATION_LENGTH = 9
# GB 11643-1999: these sequence numbers were kept for people born before 1900.
_CENTENARIANS = frozenset({"996", "997", "998", "999"})
_PAGE_MARK = re.compile(r"\(\s*(?:\d+\s*/\s*\d+)?\s*\)")
_NOTHING_SAID = frozenset({"UNDEFINED", "NULL", "NONE", "NAN"})
# Full-width signs to half-width, small letters to capitals; nothing else may change shape.
_PLAIN = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | str.maketrans(
    string.ascii_lowercase, string.ascii_uppercase
)


def check_uscc(text: str) -> str | None:
    """The rule this credit code breaks, or None when it holds.

    Rules: ``uscc-length``, ``uscc-alphabet``, ``uscc-organization`` (the GB 11714 digit inside),
    ``uscc-check``. Letters are lawful in the first eight places (N… and Y… codes have them).
    """
    if len(text) != _USCC_LENGTH:
        return "uscc-length"
    if any(sign not in _USCC_ALPHABET for sign in text):
        return "uscc-alphabet"
    if check_organization(text[8:17]):
        return "uscc-organization"
    return None if text[17] == uscc_check_sign(text) else "uscc-check"


def uscc_check_sign(text: str) -> str:
    """The eighteenth sign that belongs to the first seventeen (GB 32100-2015, mod 31)."""
    total = sum(
        _USCC_ALPHABET.index(sign) * weight for sign, weight in zip(text[:17], _USCC_WEIGHTS, strict=True)
    )
    return _USCC_ALPHABET[-total % 31]


def check_organization(text: str) -> str | None:
    """The rule this 组织机构代码 (GB 11714-1997, 9 signs, no hyphen) breaks, or None."""
    if not re.fullmatch(r"[0-9A-Z]{8}[0-9X]", text, re.ASCII):
        return "organization-shape"
    return None if text[8] == organization_check_sign(text) else "organization-check"


def organization_check_sign(text: str) -> str:
    """The ninth sign that belongs to the first eight (GB 11714-1997, mod 11)."""
    total = sum(int(sign, 36) * weight for sign, weight in zip(text[:8], _ORGANIZATION_WEIGHTS, strict=True))
    return _ORGANIZATION_CHECKS[-total % 11]


def check_id_card(text: str) -> str | None:
    """The rule this 18-sign id number breaks, or None.

    Rules: ``id-length``, ``id-alphabet``, ``id-date`` (no such day), ``id-check``. Whether the
    region ever existed is not asked: region tables change and are configuration.
    """
    if len(text) != _USCC_LENGTH:
        return "id-length"
    if not re.fullmatch(r"\d{17}[\dX]", text, re.ASCII):
        return "id-alphabet"
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return "id-date"
    return None if text[17] == id_card_check_sign(text) else "id-check"


def id_card_check_sign(text: str) -> str:
    """The eighteenth sign that belongs to the first seventeen digits (GB 11643-1999, mod 11)."""
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _ID_WEIGHTS, strict=True))
    return _ID_CHECKS[total % 11]


def upgrade_id_card(text: str) -> str:
    """The 18-sign form of a 15-digit id number; any other text comes back as it is."""
    if not re.fullmatch(r"\d{15}", text, re.ASCII):
        return text
    century = "18" if text[12:] in _CENTENARIANS else "19"
    body = f"{text[:6]}{century}{text[6:]}"
    return body + id_card_check_sign(body)


def clean_code(text: str) -> str:
    """The code inside a cell as departments really fill it, upper case; empty when there is none.

    Takes away what 双公示 return feeds are seen to add: full-width signs, spaces, a label up to
    its colon (统一社会信用代码：), page marks （1/1）, empty brackets, Chinese before or after,
    and words for nothing (undefined). Masking stars stay: a masked code is no code.
    """
    plain = "".join(text.translate(_PLAIN).translate(_PLAIN).split())
    while (without := _PAGE_MARK.sub("", plain)) != plain:
        plain = without
    before, _, after = plain.rpartition(":")
    plain = after or before.rpartition(":")[2]
    plain = re.sub(r"^[^0-9A-Z*]+|[^0-9A-Z*]+$", "", plain)
    return "" if plain in _NOTHING_SAID else plain


def clean_person_id(text: str, *, name: str = "", company_code: str = "") -> str:
    """A natural person's id number out of a cell, upgraded to 18 signs; empty when it holds none.

    Cells that repeat the person's name or the company's code say nothing and come back empty.
    """
    if name and text.strip() == name.strip():
        return ""
    cleaned = clean_code(text)
    return "" if company_code and cleaned == clean_code(company_code) else upgrade_id_card(cleaned)


def code_kind(text: str) -> Kind:
    """Which code a cleaned text is; an old 工商注册号 often stands where a credit code should."""
    if check_uscc(text) is None:
        return "uscc"
    if check_id_card(upgrade_id_card(text)) is None:
        return "id_card"
    if re.fullmatch(r"\d{13}|\d{15}", text, re.ASCII):
        return "registration"
    bare = text.replace("-", "")
    if len(bare) == _ORGANIZATION_LENGTH and check_organization(bare) is None:
        return "organization"
    return "unknown"
