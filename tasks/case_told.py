"""The file of one case in the words people read. Nothing of the party stands in it."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverTold:
    """One duty: whose it is, where it stands, and what it waits for (``due``: business time)."""

    supervision_item: str
    supervision_name: str
    role: str
    department: str
    section: str
    state: str
    state_name: str
    reason: str
    claimed_at: datetime | None
    read_at: datetime | None
    owner: str
    waits: str
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectTold:
    """One thing done to the outside. ``next_try`` is machine time, where another try is to come."""

    own_id: str
    channel: str
    channel_name: str
    stage: str
    target: str
    content_version: int
    state: str
    state_name: str
    reason: str
    receipt: str | None
    receipt_at: datetime | None
    receipt_account: str | None
    attempts: int
    last_answer: str
    next_try: datetime | None
    owner: str | None
    due_at: datetime | None
    decided_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTold:
    """One piece of news for a liaison, known by number and section, and the text that carries it."""

    stage: str
    department: str
    section: str
    liaison: str | None
    reference: str | None
    state: str
    news_in_text: int | None
    receipt: str
    at: datetime
    owner: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class CheckTold:
    """The credit look-up: its number, the grade, the advice and the basis of the advice."""

    source: str
    number: str
    checked_at: datetime
    grade: str
    grade_name: str
    advice: str
    basis: str
    records: int


@dataclass(frozen=True, slots=True)
class FeedbackTold:
    """One supervision result."""

    number: str
    kind: str
    department: str
    happened_on: date
    result: str | None
    abnormal: bool
    withdrawn: bool
    rectification_due: date | None


@dataclass(frozen=True, slots=True)
class LicenceTold:
    """The licence the case brought or changed."""

    number: str
    state: str
    state_name: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline, in business time."""

    at: datetime
    what: str
    event: str
    state: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTold:
    """The whole file of one case."""

    case_no: str
    data_version: int
    item_code: str
    item_name: str
    item_version: str
    department: str
    region: str
    mode: str
    mode_name: str
    state: str
    state_name: str
    result: str | None
    result_name: str
    accepted_at: datetime
    completed_at: datetime | None
    observe_until: date | None
    business_now: datetime
    waits: str
    handovers: tuple[HandoverTold, ...]
    effects: tuple[EffectTold, ...]
    texts: tuple[TextTold, ...]
    credit_check: CheckTold | None
    feedback: tuple[FeedbackTold, ...]
    licence: LicenceTold | None
    timeline: tuple[Moment, ...]
