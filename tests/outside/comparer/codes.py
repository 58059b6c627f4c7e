"""Check digits of the codes a record carries, from the standards' own tables (GB 32100, 11714, 11643)."""

_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_LENGTH, _ID_LENGTH = 18, 18


def uscc_holds(code: object) -> bool:
    """True when a unified social credit code passes its own and its inner check digit."""
    if not isinstance(code, str) or len(code) != _USCC_LENGTH or any(c not in _USCC for c in code):
        return False
    total = sum(_USCC.index(c) * pow(3, place, 31) for place, c in enumerate(code[:17]))
    if _USCC[(31 - total % 31) % 31] != code[17]:
        return False
    inner = 11 - sum(_USCC36.index(c) * w for c, w in zip(code[8:16], _INNER, strict=True)) % 11
    return code[16] == {10: "X", 11: "0"}.get(inner, str(inner))


def id_holds(code: object) -> bool:
    """True when a citizen's number of 18 characters passes its check digit."""
    if not isinstance(code, str) or len(code) != _ID_LENGTH or not code[:17].isdecimal():
        return False
    total = sum(int(c) * pow(2, 17 - place, 11) for place, c in enumerate(code[:17]))
    return "10X98765432"[total % 11] == code[17].upper()


def plain(code: object) -> str:
    """The code without the dirt of real feeds: label before, brackets after, blanks, lower case."""
    text = str(code).strip().split("：")[-1].split(":")[-1]
    return text.split("（")[0].split("(")[0].strip().upper()


_USCC36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_INNER = (3, 7, 9, 10, 5, 8, 4, 2)
