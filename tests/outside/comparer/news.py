"""Supervision results and credit records as they were served: well-formed, malformed, abnormal."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from comparer.cases import Case, Quarantine, dated
from comparer.evidence import Served, Statement, content_hash, instant
from comparer.findings import Findings

KINDS = frozenset({"read", "inspection", "measure", "penalty", "rectification", "policy"})
OPERATIONS = frozenset({"entry", "removal", "repair"})
WORDS = {
    "result": {None, "符合", "基本符合", "不符合"},
    "handling": {None, "通过", "限期整改", "移交执法"},
    "rectification": {None, "合格", "继续整改"},
}
MAX_NUMBER = 64


@dataclass
class News:
    """One supervision result or credit record by its number, with its distinct served versions.

    ``sure``: a correct system admits it, and ``targets`` are the approving departments it concerns;
    ``case`` is the case it answers, when that is plain; ``stray``: it comes from a department that
    has no duty in that case.
    """

    number: str
    versions: list[Served] = field(default_factory=list)
    sure: bool = True
    stray: bool = False
    case: Case | None = None
    targets: set[str] = field(default_factory=set)

    @property
    def newest(self) -> dict[str, Any]:
        """The record of the highest version."""
        newest: dict[str, Any] = max((s.record for s in self.versions), key=lambda r: int(r["version"]))
        return newest


@dataclass(frozen=True)
class Kind:
    """A kind of news: its name in our quarantine, the field that numbers it, what breaks it."""

    name: str
    number: str
    breaks: Callable[[dict[str, Any]], bool]


def read_news(kind: Kind, feed: list[Served], said: Statement, found: Findings) -> dict[str, News]:
    """The well-formed records of a feed by number; malformed ones have to lie in quarantine."""
    kept: dict[str, News] = {}
    malformed: dict[str, int] = defaultdict(int)
    unkeyed = 0
    seen: set[str] = set()
    for served in feed:
        digest = content_hash(served.record)
        if digest in seen:
            continue
        seen.add(digest)
        number = served.record.get(kind.number) if isinstance(served.record, dict) else None
        if not isinstance(number, str) or not 0 < len(number) <= MAX_NUMBER:
            unkeyed += 1
        elif kind.breaks(served.record):
            malformed[number] += 1
        else:
            kept.setdefault(number, News(number)).versions.append(served)
    rows = Quarantine(said, kind.name, set(kept) | set(malformed))
    missing = max(0, unkeyed - rows.spare)
    missing += sum(count - rows.take(number, count) for number, count in malformed.items())
    for _ in range(missing):
        found.absent("quarantine", kind.name, "损坏记录未进入隔离区")
    for number, news in kept.items():
        if rows.take(number, len(news.versions)):
            news.sure = False
    return kept


def feedback_breaks(record: dict[str, Any]) -> bool:
    """True when a feedback record certainly breaks the wire's rules."""
    return (
        not _whole(record.get("version"))
        or record.get("operation") not in ("i", "u", "d")
        or record.get("kind") not in KINDS
        or not isinstance(record.get("department"), str)
        or instant(record.get("happened_on")) is None
        or not dated(record.get("changed_at"))
        or any(record.get(name) not in words for name, words in WORDS.items())
        or (record["kind"] == "penalty" and not isinstance(record.get("penalty"), dict))
    )


def record_breaks(record: dict[str, Any]) -> bool:
    """True when a credit record certainly breaks the wire's rules."""
    party = record.get("party")
    return (
        not _whole(record.get("version"))
        or record.get("operation") not in OPERATIONS
        or not isinstance(party, dict)
        or not isinstance(party.get("name"), str)
    )


def abnormal(record: dict[str, Any]) -> bool:
    """True for what the approval side must hear of (三(二)2: normal results may be left out)."""
    if record["kind"] == "read":
        return False
    if record["kind"] != "inspection":
        return True
    odd = record.get("result") not in (None, "符合") or record.get("handling") not in (None, "通过")
    return odd or bool(record.get("measures") or record.get("penalty") or record.get("rectification"))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


FEEDBACK = Kind("feedback", "feedback_no", feedback_breaks)
CREDIT_RECORDS = Kind("credit_record", "record_no", record_breaks)
