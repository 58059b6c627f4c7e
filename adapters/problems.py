"""RFC 9457 problems: which documented answers prove what, and to whom.

Only a problem document with a code of this table, under its own status, is believed. The same status
without it may come from anything between the two systems.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

from adapters.strict_json import NotStrict, read
from adapters.transport import Answer
from models.domain.errors import (
    AlreadyDone,
    NotAdmitted,
    NotDone,
    OutcomeUnknown,
    Refused,
    ShenguanError,
    Throttled,
)


class Meaning(Enum):
    """What a documented problem proves about the request it answers."""

    NOT_DONE = "nothing happened, and it may go again"
    REFUSED = "their final no"
    CONFLICT = "they hold other content under this id or key"
    ABSENT = "there is nothing there"
    REPEATED = "an earlier copy of this very request arrived: what became of that is not told"


CODES: Mapping[tuple[int, str], Meaning] = {
    (400, "malformed"): Meaning.REFUSED,
    (401, "signature-missing"): Meaning.NOT_DONE,
    (401, "signature-invalid"): Meaning.NOT_DONE,
    (401, "signature-expired"): Meaning.NOT_DONE,
    (401, "nonce-replayed"): Meaning.REPEATED,
    (401, "unknown-key"): Meaning.NOT_DONE,
    (404, "not-found"): Meaning.ABSENT,
    (405, "method-not-allowed"): Meaning.NOT_DONE,
    (409, "content-conflict"): Meaning.CONFLICT,
    (413, "too-large"): Meaning.REFUSED,
    (415, "media-type"): Meaning.REFUSED,
    (422, "rule-broken"): Meaning.REFUSED,
    (429, "throttled"): Meaning.NOT_DONE,
    (503, "not-processed"): Meaning.NOT_DONE,
}

_OUR_KEY = frozenset({"signature-missing", "signature-invalid", "unknown-key"})
"""What another call will meet as well. An expired signature may be one worker's clock, or its sleep."""
_WAIT_LIMIT_S = 24 * 3600.0
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Problem:
    """A documented problem. ``fields`` are ``name:rule`` pairs without values."""

    meaning: Meaning
    code: str
    fields: tuple[str, ...]
    stored_sha256: str | None
    retry_after: float | None


def read_problem(answer: Answer) -> Problem | None:
    """The documented problem this answer is; None when it is none."""
    if not answer.headers.get("content-type", "").lower().startswith("application/problem+json"):
        return None
    try:
        body = read(answer.body)
    except NotStrict:
        return None
    code = body.get("code") if isinstance(body, dict) else None
    meaning = CODES.get((answer.status, code)) if isinstance(code, str) else None
    if meaning is None:
        return None
    stored = body.get("stored_sha256")
    return Problem(
        meaning,
        str(code),
        named_fields(body.get("errors")),
        stored if isinstance(stored, str) and _HASH.fullmatch(stored) else None,
        retry_after(answer),
    )


def effect_finding(answer: Answer, target: str) -> ShenguanError:
    """What an answer that is not success says about an effect; without proof, the outcome is unknown."""
    problem = read_problem(answer)
    if problem is None:
        return OutcomeUnknown(target, f"status {answer.status} without a documented problem")
    match problem.meaning:
        case Meaning.REFUSED:
            return Refused(target, problem.code, problem.fields)
        case Meaning.CONFLICT:
            return AlreadyDone(target, problem.stored_sha256)
        case Meaning.REPEATED:
            return OutcomeUnknown(target, problem.code)
        case Meaning.NOT_DONE | Meaning.ABSENT:
            return _not_done(problem, target)


def _not_done(problem: Problem, target: str) -> NotDone:
    if problem.retry_after is not None or problem.code == "throttled":
        return Throttled(target, problem.code, problem.retry_after)
    if problem.code in _OUR_KEY:
        return NotAdmitted(target, problem.code)
    return NotDone(target, problem.code)


def named_fields(errors: Any) -> tuple[str, ...]:
    """``name:rule`` of each reported field; what does not look like a name becomes ``?``."""
    if not isinstance(errors, list):
        return ()
    return tuple(
        f"{_name(error.get('field'))}:{_name(error.get('rule'))}"
        for error in errors[:50]
        if isinstance(error, dict)
    )


def retry_after(answer: Answer) -> float | None:
    """The seconds the receiver asks to wait, at most a day; None when it did not say."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), _WAIT_LIMIT_S)
    try:
        until = parsedate_to_datetime(said)
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        asked = (until - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(asked, 0.0), _WAIT_LIMIT_S)


def _name(value: Any) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else "?"
