"""Keys are derived, not drawn: the same fact always gets the same key.

Own ids are kept for ever and go to the outside; row ids are UUIDs known before the row is
written, so that sealed columns can name their row.
"""

import base64
import hashlib
import uuid
from collections.abc import Iterable

_NAMESPACE = uuid.UUID("6f0f8e52-6a3c-5d9b-9f5e-2f6a1c1d7a10")
_SEPARATOR = "\x1f"


def row_id(kind: str, *parts: str) -> uuid.UUID:
    """The UUID of the row of this kind that these parts name."""
    return uuid.uuid5(_NAMESPACE, _SEPARATOR.join((kind, *parts)))


def own_id(channel: str, business_key: str, content_version: int | str) -> str:
    """The id an outward effect carries: 32 characters, first the channel's two letters.

    A digest takes its window as the version.
    """
    digest = hashlib.sha256(_SEPARATOR.join((channel, business_key, str(content_version))).encode()).digest()
    return f"{_PREFIXES[channel]}{base64.b32encode(digest).decode()[:30]}"


def reference_of(sms_own_id: str) -> str:
    """What a text is known by over the phone and at a gateway: ten characters, shared by no two."""
    return sms_own_id[2:12]


def batch_id(own_ids: Iterable[str]) -> str:
    """The idempotency key of one call that carries many effects."""
    return hashlib.sha256("\n".join(own_ids).encode()).hexdigest()


def push_key(case_no: str, stage: str, department: str, supervision_item: str) -> str:
    """What makes two pushes the same business."""
    return f"{case_no}|{stage}|{department}|{supervision_item}"


def recall_key(case_no: str, department: str, supervision_item: str) -> str:
    """What makes two recalls the same business."""
    return f"{case_no}|recall|{department}|{supervision_item}"


def feedback_return_key(feedback_no: str, department: str) -> str:
    """A supervision result on its way back to one approving department."""
    return f"{feedback_no}|feedback|{department}"


def credit_record_return_key(record_no: str) -> str:
    """A credit record on its way back to the approval side."""
    return f"{record_no}|credit_record|platform"


def decision_key(kind: str, document_number: str, party_mark: str) -> str:
    """A decision about one party, as 双公示 counts it: XK or CF, document number, party.

    ``party_mark`` is a keyed hash: this text is kept in plain, and an id number's bare hash is soon guessed.
    """
    return f"{kind}|{document_number}|{party_mark}"


_PREFIXES = {
    "push": "PS",
    "recall": "RC",
    "return": "RT",
    "credit_report": "CR",
    "sms": "SM",
}
CHANNEL_OF = {prefix: channel for channel, prefix in _PREFIXES.items()}
"""The channel of an own id, by its first two letters."""
