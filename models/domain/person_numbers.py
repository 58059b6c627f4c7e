"""Numbers that are a person's where a matter's number is expected: an id number, a mobile phone's."""

import re
from datetime import date

from models.domain.party_codes import id_card_check_sign

OF_AGE = 16
"""Nobody younger runs a business: a later day inside a number is the day the matter began."""
ANY_YEAR = 9999
"""For a record whose year nobody knows: any day inside its number may be a birthday."""
_ID = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[\dXx](?![0-9A-Za-z])", re.ASCII)
_MOBILE = re.compile(r"(?:\+?86)?1[3-9]\d{9}", re.ASCII)
_HALF_WIDTH = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}


def is_of_a_person(number: str, *, year: int) -> bool:
    """Whether a matter's number is a mobile number, or holds an id number of somebody of age in that year.

    City's own numbers often look alike (430900202607010012: region, day, serial), and one in eleven has the
    right check sign by chance; the day in them is no birthday of anybody of age.
    """
    plain = number.translate(_HALF_WIDTH).strip()
    return _MOBILE.fullmatch(plain) is not None or any(
        _is_id(found[0], year) for found in _ID.finditer(plain)
    )


def _is_id(text: str, year: int) -> bool:
    text = text.upper()
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14])).year
    except ValueError:
        return False
    # A serial has no X at its end: with one, a check sign that was mistyped counts as well.
    return born <= year - OF_AGE and text[17] in {"X", id_card_check_sign(text)}
