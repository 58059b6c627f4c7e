"""How the text of one 双公示 field is read, and what to tell a clerk when it cannot be."""

import re
from collections.abc import Callable, Mapping
from datetime import date

from models.domain.party_codes import check_organization, check_uscc
from models.domain.shuanggongshi_fields import Field, Form

_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_JOINTS = re.compile(r"[、，,；;]")
_OTHER = "其他-"

# Rule → what is wrong, in the words of a finding.
REASONS: Mapping[str, str] = {
    "uscc-length": "应为 18 位",
    "uscc-alphabet": "含有代码不用的字符",
    "uscc-organization": "主体标识码校验位不符",
    "uscc-check": "校验位不符",
    "organization-shape": "应为 9 位，不带连字符",
    "organization-check": "校验位不符",
    "id-length": "应为 18 位",
    "id-alphabet": "应为 17 位数字加校验位",
    "id-date": "出生日期不存在",
    "id-check": "校验位不符",
    "date": "应为 YYYY-MM-DD 的真实日期",
    "amount": "应为以万元为单位的数字，至多 6 位小数",
    "choice": "不在可选范围内",
    "signs": "含有不能存储的字符",
}


def broken_form(field: Field, text: str) -> str | None:
    """The rule this text breaks as a value of this field, or None; lengths are asked elsewhere."""
    # PostgreSQL stores no NUL, UTF-8 no lone surrogate.
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        return "signs"
    return _CHECKS[field.form](field, text)


def day_of(text: str) -> date | None:
    """The day a ``YYYY-MM-DD`` text names, or None."""
    # fromisoformat also reads 20260101 and 2026-W01-1, which the wire does not know.
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _listed(text: str, choices: tuple[str, ...]) -> bool:
    # 其他 needs the concrete kind written after it.
    return text in choices or (text.startswith(_OTHER) and len(text) > len(_OTHER))


def _choices(field: Field, text: str) -> str | None:
    return None if all(_listed(part, field.choices) for part in _JOINTS.split(text)) else "choice"


_CHECKS: Mapping[Form, Callable[[Field, str], str | None]] = {
    Form.TEXT: lambda _field, _text: None,
    Form.USCC: lambda _field, text: check_uscc(text),
    Form.ORGANIZATION: lambda _field, text: check_organization(text),
    Form.DATE: lambda _field, text: None if day_of(text) else "date",
    Form.AMOUNT: lambda _field, text: None if _AMOUNT.fullmatch(text) else "amount",
    Form.CHOICE: lambda field, text: None if text in field.choices else "choice",
    Form.OPEN_CHOICE: lambda field, text: None if _listed(text, field.choices) else "choice",
    Form.CHOICES: _choices,
}
