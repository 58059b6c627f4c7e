"""A city as its files describe it: plain frozen values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Literal

Level = Literal["city", "county", "township"]
LEVELS = ("city", "county", "township")
ROLES = ("approval", "supervision", "enforcement")
MODES = ("silent", "trial", "live")
STAGES = ("acceptance", "completion")
REPORTERS = ("us", "department", "platform")
DOCUMENT_KINDS = ("委托书", "工作交付书", "工作备忘录")
EVENTS = ("accepted", "granted", "refused", "withdrawn", "terminated")
SCOPE_FIELDS = (
    "item_name",
    "item_code",
    "stage",
    "result",
    "document_title",
    "document_number",
    "licence_number",
    "licence_content",
    "decided_on",
    "valid_from",
    "valid_to",
    "party_name",
    "party_kind",
    "party_id_number",
    "legal_person",
    "contact",
    "phone",
    "address",
    "place_region",
    "place_address",
    "accepted_at",
    "completed_at",
    "attachments",
    "withdrawn_reason",
)
# A supervising department cannot work without them.
SCOPE_ALWAYS = ("item_name", "item_code", "stage")


@dataclass(frozen=True, slots=True)
class Region:
    """A region; six digits for city and county, nine for a township. ``local``: not in GB/T 2260."""

    code: str
    name: str
    level: str
    parent: str
    local: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A section (科、股、室); its id is unique within its department."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Department:
    """A department. ``unit`` and ``region`` find it for a duty; ``successor`` is a code or empty."""

    code: str
    name: str
    short: str
    level: str
    region: str
    unit: str
    role: str
    successor: str
    sections: tuple[Section, ...]

    def section(self, section_id: str) -> Section | None:
        """The section of this id, or None."""
        return next((each for each in self.sections if each.id == section_id), None)


@dataclass(frozen=True, slots=True)
class Document:
    """The responsibility document (委托书, 工作交付书, 工作备忘录) between both sides, 三(一)1."""

    kind: str
    title: str
    number: str


@dataclass(frozen=True, slots=True)
class Duty:
    """One supervision item that answers for an approval item.

    Either ``department`` is fixed, or ``unit`` and ``level`` find it by the place of business; the
    others are empty. ``section`` is a section id. ``reply_days`` are working days, 0 without one.
    """

    supervision_item: str
    name: str
    role: str
    department: str
    unit: str
    level: str
    section: str
    reply: str
    reply_days: int


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """One approval item of the list. ``observation_days`` are calendar days after completion.

    ``members`` are the item codes that a one-matter item (一件事) is made of.
    """

    code: str
    name: str
    kind: str
    approval_department: str
    approval_section: str
    go_live_at: datetime
    mode: str
    stages: tuple[str, ...]
    instant: bool
    urgent: bool
    observation_days: int
    scope: tuple[str, ...]
    reporter: str
    return_normal: bool
    document: Document
    duties: tuple[Duty, ...]
    members: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """The item as JSON values, for the ledger."""
        return asdict(self) | {"go_live_at": self.go_live_at.isoformat()}


@dataclass(frozen=True, slots=True)
class Catalog:
    """The list (审管联动事项清单) in one version; ``sha256`` is of the file's bytes."""

    version: str
    sha256: str
    items: Mapping[str, CatalogItem]
    not_applicable: Mapping[str, str]  # code → name


@dataclass(frozen=True, slots=True)
class StatusTable:
    """The sources' own codes: (source, status, result) → event, (source, kind) → is it a licence."""

    events: Mapping[tuple[str, str, str], str]
    kinds: Mapping[tuple[str, str], bool]
    names: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    def event(self, status: str, result: str | None, *, source: str = "platform") -> str | None:
        """accepted, granted, refused, withdrawn or terminated; None for a pair nobody declared."""
        return self.events.get((source, status, result or ""))

    def is_licence(self, kind: str, *, source: str = "platform") -> bool:
        """Whether cases of this kind go to the credit system as 行政许可."""
        return self.kinds.get((source, kind), False)


@dataclass(frozen=True, slots=True)
class Publication:
    """How long a penalty stays published (months), by severity, while the row is in force."""

    begins: date
    ends: date | None
    severity: str
    min_months: int
    max_months: int
    basis: str


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports a record type to the credit system: us, the department, or the platform."""

    record: str
    name: str
    reporter: str
    verify_days: int
    basis: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What a grade advises at acceptance, what it restricts, and on which legal basis."""

    grade: str
    name: str
    advice: tuple[str, ...]
    restricted: tuple[str, ...]
    basis: str


@dataclass(frozen=True, slots=True)
class Dictionaries:
    """Vocabulary. ``feedback`` and ``enumerations``: name → allowed words, in their order.

    ``fields`` holds the corrections of 双公示 under "xk" and "cf": code → length and choices,
    in the form the domain's field table takes.
    """

    feedback: Mapping[str, tuple[str, ...]]
    enumerations: Mapping[str, tuple[str, ...]]
    id_types: tuple[str, ...]
    long_term_date: date
    advice: Mapping[str, Advice]
    measures: Mapping[str, str]  # code → legal basis
    fields: Mapping[str, Mapping[str, Mapping[str, object]]]
