"""Which case or item a supervision result is about, and whether that is beyond doubt.

Beyond doubt: its case number names a live or trial case, its licence number or its party and item
name exactly one such case, and it comes from a department that case was routed to; or it shares a
change of policy about an item of the list. What names nothing at all, or a case of other
departments, has to lie with a person.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from comparer.cases import Case
from comparer.city import City
from comparer.codes import plain
from comparer.evidence import Statement
from comparer.findings import Findings
from comparer.news import News


def match_cases(
    news: dict[str, News], cases: dict[str, Case], pushed: dict[str, set[str]], city: City
) -> None:
    """Sets the case and the approving departments of each result, and whether both are sure."""
    licences: dict[str, list[Case]] = defaultdict(list)
    parties: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases.values():
        if case.fate not in {"live", "trial"}:
            continue
        for number in {r.record.get("licence_number") for r in case.records} - {None}:
            licences[str(number)].append(case)
        for code in {_party(r.record) for r in case.records} - {""}:
            parties[code, str(case.item.get("code"))].append(case)
    for one in news.values():
        record = one.newest
        if record.get("case_no"):
            found = [cases[record["case_no"]]] if record["case_no"] in cases else []
        elif record.get("licence_number"):
            found = licences.get(str(record["licence_number"]), [])
        else:
            found = parties.get((_party(record), str(record.get("item_code"))), [])
        _settle(one, found, pushed, city)


def _settle(one: News, found: list[Case], pushed: dict[str, set[str]], city: City) -> None:
    record, senders = one.newest, {city.successor(s.record["department"]) for s in one.versions}
    same = len({(s.record.get("case_no"), s.record.get("licence_number")) for s in one.versions}) == 1
    whole = all(s.record["operation"] in ("i", "u") for s in one.versions)
    one.case = max(found, key=lambda c: c.newest.served.order, default=None)
    for case in found:
        one.targets |= _approving((r.record.get("department") for r in case.records), case, city)
    if one.case is None:
        item = city.items.get(str(record.get("item_code")))
        if item is not None and record["kind"] == "policy":
            one.targets = {city.successor(str(item.get("approval_department")))}
            one.sure = one.sure and whole and same
            return
        one.sure = False
        return
    theirs = set().union(*(pushed.get(case.case_no, set()) for case in found))
    named = record["kind"] not in {"read", "policy"} and bool(record.get("case_no"))
    one.stray = named and not senders & theirs and one.case.fate == "live"
    duties = {str(duty.get("supervision_item")) for duty in one.case.item.get("duty", [])}
    certain = (
        one.case.fate in {"live", "trial"}
        and senders <= theirs
        and (record.get("supervision_item") is None or str(record["supervision_item"]) in duties)
        and not any(case.withdrawn or not any(r.sure for r in case.records) for case in found)
    )
    one.sure = one.sure and whole and same and len(found) == 1 and certain


def compare_strays(news: dict[str, News], said: Statement, found: Findings) -> None:
    """Counts results that name nothing, or a case of other departments, and lie with nobody."""
    names = ("case_no", "licence_number", "item_code", "supervision_item", "party")
    kept = {str(row.get("record_key")) for row in said.quarantine if row.get("owner") and row.get("due_at")}
    kept |= {str(row.get("key")) for row in said.incidents if row.get("owner")}
    for number, one in news.items():
        record = one.newest
        nameless = record["kind"] not in {"read", "policy"} and not any(record.get(name) for name in names)
        if not (nameless or one.stray) or record["operation"] == "d":
            continue
        if not any(number == key or key.endswith(number) or key.startswith(number) for key in kept):
            found.absent("feedback", number, "无法对应办件或来自非职责部门的反馈没有交人处理")


def _approving(departments: Iterable[Any], case: Case, city: City) -> set[str]:
    codes = {str(code) for code in (*departments, case.item.get("approval_department")) if code}
    return codes | {city.successor(code) for code in codes}


def _party(record: dict[str, Any]) -> str:
    party = record.get("party")
    return plain(party["id_number"]) if isinstance(party, dict) and party.get("id_number") else ""
