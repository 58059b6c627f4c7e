"""What became of each served case: which records count, and what the item makes of them.

A record is *clean* (a correct system admits it), *malformed* (a correct system sends it to
quarantine) or *doubtful* (a check a careful system may or may not make: a broken check digit,
an unknown region, odd characters). A doubtful record is owed like a clean one, unless our
statement shows it in quarantine.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from comparer.city import City, went_live
from comparer.codes import id_holds, uscc_holds
from comparer.evidence import Served, Statement, content_hash, instant
from comparer.findings import Findings

MAX_CASE_NO, LONG_TEXT = 64, 200
PARTY_FIELDS = {"name", "kind", "id_type", "id_number", "legal_person", "contact", "phone", "address"}
FIELDS = {
    *("case_no", "data_version", "operation", "changed_at", "region", "secrecy", "place_of_business"),
    *("item_code", "item_name", "department", "status", "result", "accepted_at", "completed_at", "document"),
    *("licence_number", "licence_action", "content", "decided_on", "valid_from", "valid_to", "attachments"),
    *("party", "credit_check", "parent_case_no"),
}
PARTY_KINDS = frozenset({"法人及非法人组织", "自然人", "个体工商户"})


@dataclass
class CaseRecord:
    """One distinct served version of a case. ``sure`` is False when it may lie in quarantine."""

    served: Served
    record: dict[str, Any]
    version: int
    stage: str
    withdrawn: bool
    sure: bool = True

    def older_than(self, other: "CaseRecord") -> bool:
        """True when the other is a newer version."""
        return self.version < other.version


@dataclass
class Case:
    """A case by its number. ``fate`` is live, trial, silent, stock, not_applicable, unknown_item,
    secret, mixed or malformed; only live and trial owe anything outside."""

    case_no: str
    fate: str
    item: dict[str, Any]
    records: list[CaseRecord] = field(default_factory=list)
    broken: bool = False

    @property
    def newest(self) -> CaseRecord:
        """The record of the highest version."""
        return max(self.records, key=lambda r: r.version)

    @property
    def withdrawn(self) -> bool:
        """True when a served version withdraws the case."""
        return any(r.withdrawn for r in self.records)

    @property
    def reinstated(self) -> bool:
        """True when a version newer than a withdrawal is no withdrawal."""
        return self.withdrawn and not self.newest.withdrawn

    def of_stage(self, stage: str) -> list[CaseRecord]:
        """The records that tell of acceptance, or of completion."""
        return [r for r in self.records if r.stage == stage and not r.withdrawn]


def read_cases(
    feed: list[Served], city: City, said: Statement, found: Findings
) -> tuple[dict[str, Case], Counter[str]]:
    """Every case the feed names, with its fate; and counts of what owes nothing, by fate.

    What owes nothing must still be accounted for (quarantine, incident, count); what is not,
    is counted as silent here.
    """
    kept: dict[str, list[Served]] = {}
    malformed: dict[str, list[Served]] = {}
    secret: set[str] = set()
    seen: set[str] = set()
    unkeyed = 0
    for served in feed:
        digest = content_hash(served.record)
        if digest in seen:
            continue
        seen.add(digest)
        record = served.record
        if isinstance(record, dict) and record.get("secrecy", "none") not in ("none", None):
            secret.add(str(record.get("case_no")))
            continue
        number = record.get("case_no") if isinstance(record, dict) else None
        if not isinstance(number, str) or not 0 < len(number) <= MAX_CASE_NO:
            unkeyed += 1
        elif breaks(record, city):
            malformed.setdefault(number, []).append(served)
        else:
            kept.setdefault(number, []).append(served)
    quarantined = Quarantine(said, "case", set(kept) | set(malformed))
    if unkeyed > quarantined.spare:
        for _ in range(unkeyed - quarantined.spare):
            found.absent("quarantine", "-", "无编号的损坏记录未进入隔离区")
    for number in sorted(set(malformed)):
        for _ in range(len(malformed[number]) - quarantined.take(number, len(malformed[number]))):
            found.absent("quarantine", number, "损坏记录未进入隔离区")
    cases = {number: _case(number, rows, city, quarantined) for number, rows in kept.items()}
    for number in malformed:
        if number in cases:
            cases[number].broken = True
    for number in secret & set(cases):
        cases[number].fate = "mixed"
    fates = Counter(case.fate for case in cases.values())
    fates["secret"] = len(secret)
    _account(cases, secret, said, found)
    return cases, fates


def breaks(record: dict[str, Any], city: City) -> str:
    """The rule a record certainly breaks, or an empty text."""
    version, party = record.get("data_version"), record.get("party")
    pair = (record.get("status"), record.get("result") or "")
    rules = {
        "data_version": not isinstance(version, int) or isinstance(version, bool) or version < 0,
        "operation": record.get("operation") not in ("i", "u", "d"),
    }
    if record.get("operation") != "d":
        rules |= {
            "item_code": not isinstance(record.get("item_code"), str) or not record["item_code"],
            "status": pair not in city.pairs,
            "party": not isinstance(party, dict) or not isinstance(party.get("name"), str),
            "accepted_at": record.get("accepted_at") is not None and not dated(record["accepted_at"]),
            "completed_at": record.get("completed_at") is not None and not dated(record["completed_at"]),
        }
    return next((rule for rule, broken in rules.items() if broken), "")


def dated(value: Any) -> bool:
    """True for a moment that says its own offset."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def doubtful(record: dict[str, Any], city: City) -> bool:
    """True when a careful system might stop a record that another would admit."""
    party = record.get("party")
    if not isinstance(party, dict) or record.get("status") not in city.stages:
        return True
    number = party.get("id_number")
    holds = id_holds(number) if party.get("id_type") == "身份证" else uscc_holds(number)
    place = record.get("place_of_business")
    regions = [record.get("region"), place.get("region") if isinstance(place, dict) else None]
    completed = city.stages[record["status"]] == "completion"
    return (
        not holds
        or set(record) != FIELDS
        or set(party) != PARTY_FIELDS
        or party.get("kind") not in PARTY_KINDS
        or any(not isinstance(record.get(name), str) for name in ("item_name", "item_code", "changed_at"))
        or instant(record["changed_at"]) is None
        or record.get("secrecy") != "none"
        or any(not isinstance(region, str) or region not in city.regions for region in regions)
        or record.get("department") not in city.departments
        or (completed and record.get("completed_at") is None)
        or record.get("accepted_at") is None
        or _dates_odd(record)
        or _odd(record)
    )


def _dates_odd(record: dict[str, Any]) -> bool:
    dates = [record.get(name) for name in ("decided_on", "valid_from", "valid_to")]
    if any(date is not None and instant(date) is None for date in dates):
        return True
    accepted, completed = instant(record.get("accepted_at")), instant(record.get("completed_at"))
    backwards = accepted is not None and completed is not None and completed < accepted
    first, last = instant(record.get("valid_from")), instant(record.get("valid_to"))
    return backwards or (first is not None and last is not None and last < first)


def _odd(value: Any) -> bool:
    """True for a text anywhere inside that is very long, or holds NUL or half a character."""
    if isinstance(value, dict):
        return any(_odd(v) for v in value.values())
    if isinstance(value, list):
        return any(_odd(v) for v in value)
    if isinstance(value, float):
        return True
    if not isinstance(value, str):
        return False
    strange = any(c < " " or "\ud800" <= c <= "\udfff" or c == "\ufffd" for c in value)
    return len(value) > LONG_TEXT or strange


class Quarantine:
    """Our open quarantine rows of one kind, given out to the records they can stand for."""

    def __init__(self, said: Statement, kind: str, known: set[str]) -> None:
        self.rows: Counter[str] = Counter()
        self.spare = 0
        for row in said.quarantine:
            if not str(row.get("record_kind") or "").startswith(kind):
                continue
            if not row.get("owner") or not row.get("due_at"):
                continue
            key = str(row.get("record_key") or "")
            stem = next((s for s in (key, *(key.rsplit(m, 1)[0] for m in "|#@/ ")) if s in known), None)
            if stem is None:
                self.spare += 1
            else:
                self.rows[stem] += 1

    def take(self, key: str, wanted: int) -> int:
        """How many of the wanted rows exist for this key; those are used up."""
        taken = min(wanted, self.rows[key])
        self.rows[key] -= taken
        if taken < wanted and not key.isprintable():
            # A number that cannot be kept is filed under a name of our own.
            given = min(wanted - taken, self.spare)
            self.spare -= given
            taken += given
        return taken


def _case(number: str, rows: list[Served], city: City, quarantined: Quarantine) -> Case:
    records = []
    for served in rows:
        record = served.record
        withdrawn = record["operation"] == "d"
        stage = city.stages.get(str(record.get("status")), "")
        records.append(CaseRecord(served, record, record["data_version"], stage, withdrawn))
    suspects = [r for r in records if doubtful(r.record, city)]
    suspects += [r for r in records if r not in suspects]
    held = quarantined.take(number, len(suspects))
    doubted = sum(doubtful(r.record, city) for r in suspects)
    for one in suspects[: doubted if 0 < held <= doubted else held]:
        one.sure = False
    named = [r for r in records if isinstance(r.record.get("item_code"), str)]
    code = max(named, key=lambda r: r.version).record["item_code"] if named else ""
    item = city.items.get(code, {})
    first = min(named, key=lambda r: r.served.order).record if named else {}
    case = Case(number, _fate(code, item, first, city), item, records)
    if len({r.record["item_code"] for r in named}) > 1:
        for one in records:
            one.sure = False
    if not any(r.sure for r in records):
        case.broken = True
    return case


def _fate(code: str, item: dict[str, Any], record: dict[str, Any], city: City) -> str:
    if code in city.not_applicable:
        return "not_applicable"
    if not item:
        return "unknown_item" if code else "withdrawn_unseen"
    mode = str(item.get("mode"))
    if mode in {"live", "trial"} and not went_live(item, record.get("accepted_at")):
        return "stock"
    return mode


def _account(cases: dict[str, Case], secret: set[str], said: Statement, found: Findings) -> None:
    """Checks that what owes nothing outside is still accounted for here."""
    counted = said.counts.get("cases_secret", 0)
    if counted < len(secret):
        found.absent("secret", "-", f"涉密办件 {len(secret)} 件,我方只计 {counted} 件")
    aside = [c for c in cases.values() if c.fate == "not_applicable" and any(r.sure for r in c.records)]
    unseen = [c for c in aside if c.case_no not in said.cases]
    if unseen and said.counts.get("cases_not_applicable", 0) < len(aside):
        found.absent("not_applicable", unseen[0].case_no, f"不适用办件 {len(aside)} 件,我方计数不足")
    unknown: dict[str, set[str]] = {}
    for case in cases.values():
        sure = [r for r in case.records if r.sure]
        if case.fate == "unknown_item" and sure:
            unknown.setdefault(sure[-1].record["item_code"], set()).add(case.case_no)
        if case.fate in {"silent", "stock"} and sure and case.case_no not in said.cases:
            found.absent("case", case.case_no, "已下发的办件我方台账中没有")
    for code, numbers in unknown.items():
        owned_rows = (row for row in said.incidents if row.get("owner"))
        rows = [row for row in owned_rows if str(row.get("key") or "").endswith(code)]
        if not rows:
            found.absent("incident", code, "未知事项编码没有异常单")
        elif len(rows) > 1:
            found.add("doubled", "incident", code, "同一未知事项编码有多张异常单")
        elif int(rows[0].get("count") or 0) < len(numbers):
            found.absent("incident", code, f"未知事项编码涉及 {len(numbers)} 件,异常单计数不足")
