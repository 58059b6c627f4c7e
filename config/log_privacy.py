"""What never stands in a log: keys that name personal data, and values that look like it."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from structlog.typing import EventDict, WrappedLogger

HIDDEN = "［已遮盖］"

PERSONAL_KEYS = frozenset(
    {
        "address", "body", "cell", "contact", "contact_name", "content", "company_name", "document",
        "email", "id_card", "id_number", "legal_person", "liaison_name", "mobile", "mobiles", "name",
        "params", "party", "party_name", "payload", "penalty", "person", "phone", "phones",
        "place_address", "place_of_business", "raw", "record", "row", "secret", "sms_content",
        "summary", "tel", "telephone", "text", "password", "token_secret", "database_url",
    }
)  # fmt: skip
# The fields of 双公示 that name a party or describe what it did.
_PERSONAL_FIELDS = re.compile(r"(?:XK|CF)_(?:XDR_.+|FRDB|FDDB|FR(?:_.+)?|NR|SY|WFXW|NR_ZKDX)", re.IGNORECASE)
_ID_CARD = re.compile(
    r"(?<![0-9A-Za-z])[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?![0-9A-Za-z])",
    re.ASCII,
)
_ID_CHECKS = "10X98765432"
_OF_AGE = 16
_MOBILE = re.compile(r"(?<![0-9A-Za-z.])(?:\+?86)?1[3-9]\d{9}(?![0-9A-Za-z])")
_DEEPEST = 6


class PersonalDataLogged(ValueError):  # noqa: N818 - named as the finding it is
    """A log line was given personal data. It names the keys, never the values."""

    def __init__(self, event: str, keys: tuple[str, ...]) -> None:
        super().__init__(event, keys)
        self.event = event
        self.keys = keys

    def __str__(self) -> str:
        return f"personal data in the log line {self.event}: {', '.join(self.keys)}"


class PrivacyGuard:
    """Hides personal keys at any depth, and values that look like an id or mobile number.

    With ``strict`` it raises :class:`PersonalDataLogged` instead of hiding.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """The line's fields, cleaned; a processor of structlog."""
        found: list[str] = []
        cleaned = {key: self._clean(key, value, found, 0) for key, value in event.items()}
        if found and self._strict:
            raise PersonalDataLogged(_hide(str(event.get("event", ""))), tuple(found))
        return cleaned

    def _clean(self, key: str, value: Any, found: list[str], depth: int) -> Any:
        if key.lower() in PERSONAL_KEYS or _PERSONAL_FIELDS.fullmatch(key):
            found.append(key)
            return HIDDEN
        if isinstance(value, str):
            hidden = _hide(value)
            if hidden != value:
                found.append(f"{key} (by its look)")
            return hidden
        if depth >= _DEEPEST and isinstance(value, Mapping | list | tuple | set | frozenset):
            return HIDDEN
        if isinstance(value, Mapping):
            return {inner: self._clean(str(inner), each, found, depth + 1) for inner, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            # What a list holds is judged by its look; its key was judged above.
            return [self._clean("", each, found, depth + 1) for each in value]
        return (
            value
            if value is None or isinstance(value, bool | int | float)
            else self._shown(key, value, found)
        )

    def _shown(self, key: str, value: Any, found: list[str]) -> str:
        return str(self._clean(key, str(value), found, _DEEPEST))


def looks_personal(text: str) -> bool:
    """Whether something in the text looks like an id or mobile number."""
    return _hide(text) != text


def _hide(text: str) -> str:
    return _MOBILE.sub(HIDDEN, _ID_CARD.sub(_id_hidden, text))


def _id_hidden(found: re.Match[str]) -> str:
    """The number, hidden unless it is a city's own (region, day, serial): too young, and its sign is wrong.

    Somebody of age is hidden whatever the check sign says: a mistyped number still names a person.
    """
    number = found[0].upper()
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return found[0]
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    of_age = born.year <= datetime.now(UTC).year - _OF_AGE
    return HIDDEN if of_age or number[17] in {"X", _ID_CHECKS[total % 11]} else found[0]
