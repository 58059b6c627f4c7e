"""What the clients hand inward: plain frozen values, no vendor's shapes.

Fields that hold personal data stay out of ``repr``, so that no log or traceback shows them.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from models.domain.errors import AlreadyDone, OutcomeUnknown, Refused, ShenguanError


@dataclass(frozen=True, slots=True)
class RawItem:
    """One record of a page: its exact bytes, and what they say.

    ``fault`` names why ``value`` is None although a record is there (``not-json``, ``too-deep``,
    ``too-large``); such a record goes to quarantine with its bytes and spoils nothing else.
    """

    raw: bytes = field(repr=False)
    value: Any = field(repr=False)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Records in the order they came; ``next_cursor`` also serves at the end, for what is new later."""

    items: tuple[RawItem, ...]
    next_cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receiver's word that it holds our content: the hash it names is the hash we sent.

    ``repeated`` says that it had it before this call. ``account`` is the receiving account, if told.
    """

    number: str
    at: datetime
    account: str | None
    content_sha256: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """What the receiver holds under an own id; compare ``content_sha256`` before believing it is ours."""

    own_id: str
    business_key: str
    content_sha256: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class CountRow:
    """How many effects the receiver stored on a day, and the digest over them.

    ``digest`` is SHA-256 over the sorted lines ``own_id SP content_sha256 LF``.
    """

    kind: str
    department: str | None
    stage: str | None
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class PartyQuery:
    """Whom to look up; ``ref`` is ours and comes back with the answer."""

    ref: str
    name: str = field(repr=False)
    id_type: str
    id_number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreditMeasure:
    """A measure that rests on a record, with its legal basis."""

    code: str
    basis: str


@dataclass(frozen=True, slots=True)
class CreditMark:
    """One record the credit system holds about a party."""

    record_no: str
    category: str
    measures: tuple[CreditMeasure, ...]
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class PartyCredit:
    """The answer about one party; ``number`` is the look-up's own, kept as evidence."""

    ref: str
    number: str
    checked_at: datetime
    grade: Literal["good", "ordinary", "bad"]
    records: tuple[CreditMark, ...]


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One stored effect as a receiver lists it; department and stage only where it counts by them."""

    own_id: str
    kind: str
    department: str | None
    stage: str | None
    business_key: str
    content_sha256: str


@dataclass(frozen=True, slots=True)
class ArrivalQuery:
    """A document of which somebody owes the credit system a report; ``ref`` comes back."""

    ref: str
    kind: str
    document_number: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """When the first report of a document arrived; None while there is none."""

    ref: str
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """What became of one report of a batch.

    ``accepted``: ``receipt`` is set and the hash they hold is ours. ``duplicate``: they already held
    something, ``stored_sha256`` says what; it is success only when that is ours (``receipt`` is then
    set too, if they gave it). ``refused``: ``fields`` are their ``name:rule`` pairs. ``unknown``:
    no answer, two answers, or one that cannot be read; ``reason`` says which.
    """

    own_id: str
    code: Literal["accepted", "duplicate", "refused", "unknown"]
    receipt: Receipt | None = None
    stored_sha256: str | None = None
    fields: tuple[str, ...] = ()
    reason: str = ""

    def finding(self, target: str) -> ShenguanError | None:
        """The error a single call would have raised; None when it is accepted."""
        match self.code:
            case "accepted":
                return None
            case "duplicate":
                return AlreadyDone(target, self.stored_sha256, self.receipt.number if self.receipt else None)
            case "refused":
                return Refused(target, "rule-broken", self.fields)
            case "unknown":
                return OutcomeUnknown(target, self.reason)


@dataclass(frozen=True, slots=True)
class SmsReceipt:
    """The gateway took the text; delivery is told later, under this group."""

    msg_group: str


@dataclass(frozen=True, slots=True)
class InboundReceipt:
    """A state report: what became of one text to one mobile.

    ``reference`` is ours, where the gateway gives it back.
    Times are the gateway's own digits (``yyyyMMddHHmmss``), empty when it gave none.
    """

    msg_group: str
    mobile: str = field(repr=False)
    status: str
    error_code: str
    submitted: str
    received: str
    gateway: str = "yunmas"
    reference: str = ""

    @property
    def delivered(self) -> bool:
        """Whether the phone has it."""
        return self.status == "DELIVRD"
