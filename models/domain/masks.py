"""What people see in place of a name, a phone number or an id number."""

_STAR = "*"
_PHONE_ENDS = (3, 4)
_ID_ENDS = (1, 2)


def mask_name(name: str) -> str:
    """The first sign and two stars (张**), whatever the length: the length tells too."""
    name = name.strip()
    return f"{name[0]}**" if name else ""


def mask_phone(phone: str) -> str:
    """The first three and last four signs: 180****1999. A short number is all stars."""
    return _keep_ends(phone.strip(), *_PHONE_ENDS)


def mask_id_number(number: str) -> str:
    """The first sign and the last two: 4***************1X. A short number is all stars."""
    return _keep_ends(number.strip(), *_ID_ENDS)


def _keep_ends(text: str, head: int, tail: int) -> str:
    hidden = len(text) - head - tail
    # Fewer hidden signs than shown ones would be no mask.
    if hidden < tail:
        return _STAR * len(text)
    return f"{text[:head]}{_STAR * hidden}{text[-tail:]}"
