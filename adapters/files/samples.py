"""Invented values for what a source lacks: derived from a column, the same every time, and nobody's.

Everything that has room for it says 样本. Codes have none: they lie where no authority ever assigns.
Two different numbers never get the same code; other texts meet about as seldom as two of a thousand
million.
"""

import hashlib
from collections.abc import Callable, Mapping

from models.domain.party_codes import organization_check_sign, uscc_check_sign

_BODIES = 99_999  # PDY00001 to PDY99999 are kept for private numbering (GB 11714)
_PLACES = 10_000  # 99xxxx is no region
_BIRTHS = 45 * 12 * 28
_SERIALS = 999
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_NUMBER_DIGITS = 9


def uscc(value: str) -> str:
    """A 统一社会信用代码 that passes its checks, over a body and a region that are never assigned."""
    serial = _number(value) % (_BODIES * _PLACES)
    body = f"PDY{serial % _BODIES + 1:05d}"
    code = f"9199{serial // _BODIES:04d}{body}{organization_check_sign(body)}"
    return code + uscc_check_sign(code)


def id_number(value: str) -> str:
    """An id number of eighteen signs that passes its check, of a region that issues none."""
    serial = _number(value) % (_BIRTHS * _SERIALS * 100)
    turn, place = divmod(serial, _BIRTHS)
    birth = f"{1961 + place // 336}{place // 28 % 12 + 1:02d}{place % 28 + 1:02d}"
    body = f"9900{turn // _SERIALS:02d}{birth}{turn % _SERIALS + 1:03d}"
    return body + "10X98765432"[sum(int(s) * w for s, w in zip(body, _ID_WEIGHTS, strict=True)) % 11]


def phone(value: str) -> str:
    """A mobile number under a prefix that was never allotted."""
    return f"154{_number(value) % 100_000_000:08d}"


def name(value: str) -> str:
    """A person's name that is none."""
    return f"样本人{_number(value) % 1_000_000:06d}"


def document(value: str) -> str:
    """A decision's number."""
    return f"样本许字〔{value}〕号"


def address(value: str) -> str:
    """An address that is none."""
    return f"样本路{_number(value) % 10_000}号"


KINDS: Mapping[str, Callable[[str], str]] = {
    "uscc": uscc,
    "id_number": id_number,
    "phone": phone,
    "name": name,
    "document": document,
    "address": address,
}


def _number(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) <= _NUMBER_DIGITS:
        return int(value)
    return int.from_bytes(hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()[:8])
