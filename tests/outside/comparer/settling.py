"""Which cases can settle by the world's own data, and which of them our statement calls settled."""

from collections import defaultdict
from datetime import datetime, timedelta

from comparer.cases import Case
from comparer.city import City
from comparer.evidence import Statement, Stored, instant
from comparer.news import News, abnormal
from comparer.pushes import Pushes, parse_key, section_of


def can_settle(
    cases: dict[str, Case],
    pushes: Pushes,
    held: list[Stored],
    *,
    feedback: dict[str, News],
    said: Statement,
    city: City,
    now: datetime | None,
) -> set[str]:
    """The case numbers that nothing in the data keeps open.

    Completed by a clean newest version; every duty routed; every section it was pushed to has a
    reachable liaison (live items); none of its effects refused; no abnormal or doubtful result
    about it; every requested reply given; and its observation period over at ``now`` (business
    time; None when unknown, then nobody's period counts as over).
    """
    queued = {case.case_no for case, _ in pushes.unrouted}
    refused = {str(row.get("case_no")) for row in said.effects if row.get("state") == "refused"}
    unreachable = _unreachable(held, cases, city)
    answers: dict[str, list[News]] = defaultdict(list)
    for one in feedback.values():
        for number in {str(served.record.get("case_no")) for served in one.versions}:
            answers[number].append(one)
    found = set()
    for number, case in cases.items():
        if case.fate not in {"live", "trial"} or case.broken or number in queued | refused:
            continue
        if case.withdrawn or case.newest.stage != "completion" or not case.newest.sure:
            continue
        if case.fate == "live" and number in unreachable:
            continue
        if any(not one.sure or abnormal(one.newest) for one in answers[number]):
            continue
        if _replies_missing(case, answers[number]) or not _period_over(case, now):
            continue
        found.add(number)
    return found


def settled(said: Statement) -> set[str]:
    """The case numbers our statement calls settled."""
    return {number for number, row in said.cases.items() if row.get("state") == "settled"}


def _unreachable(held: list[Stored], cases: dict[str, Case], city: City) -> set[str]:
    """Cases with a push to a section none of whose liaisons has a phone, or whose first has none."""
    numbers = set()
    for effect in held:
        key = parse_key(effect.business_key)
        if effect.kind != "push" or key is None:
            continue
        here = city.liaisons_of(key.department, section_of(key, cases))
        if not here or not all(one.phone for one in here):
            numbers.add(key.case_no)
    return numbers


def _replies_missing(case: Case, answers: list[News]) -> bool:
    """True when a duty asks for a reply and no result of it was served."""
    replied = {str(one.newest.get("supervision_item")) for one in answers if one.newest["kind"] != "read"}
    return any(
        duty.get("reply") == "requested" and str(duty.get("supervision_item")) not in replied
        for duty in case.item.get("duty", [])
    )


def _period_over(case: Case, now: datetime | None) -> bool:
    completed = instant(case.newest.record.get("completed_at"))
    if now is None or completed is None:
        return False
    return completed + timedelta(days=int(case.item.get("observation_days") or 0) + 1) <= now
