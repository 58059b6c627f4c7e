"""Check digits of credit codes (GB 32100-2015, GB 11714) and identity numbers (GB 11643)."""

from datetime import date

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_IDENTITY_CHECKS = "10X98765432"
_USCC_LENGTH = 18
_ORGANISATION_LENGTH = 9


def uscc_fits(code: str) -> bool:
    """Whether both check digits of a 统一社会信用代码 hold: its own and the inner GB 11714."""
    if len(code) != _USCC_LENGTH or any(c not in _ALPHABET for c in code):
        return False
    total = sum(_ALPHABET.index(c) * w for c, w in zip(code, _USCC_WEIGHTS, strict=False))
    return code[17] == _ALPHABET[(31 - total) % 31] and organisation_fits(code[8:17])


def organisation_fits(code: str) -> bool:
    """Whether the check digit of a 9-character 组织机构代码 holds."""
    if len(code) != _ORGANISATION_LENGTH or any(c not in _LETTERS for c in code):
        return False
    total = sum(_LETTERS.index(c) * w for c, w in zip(code, _ORGANISATION_WEIGHTS, strict=False))
    return code[8] == {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


def identity_fits(number: str) -> bool:
    """Whether an 18-digit 公民身份号码 has a real birth date and the right check character."""
    if len(number) != _USCC_LENGTH or not (number[:17].isascii() and number[:17].isdigit()):
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(c) * w for c, w in zip(number, _IDENTITY_WEIGHTS, strict=False))
    return number[17] == _IDENTITY_CHECKS[total % 11]
