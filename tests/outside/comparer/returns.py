"""Returns to the approval side: supervision results and credit records."""

from collections import defaultdict
from typing import Any

from comparer.absences import missing
from comparer.cases import Case
from comparer.evidence import Served, Statement, Stored
from comparer.findings import Findings
from comparer.news import News, abnormal
from comparer.pushes import near

# fields a return has to hold as served, and fields that must be as served where it holds them
FEEDBACK_TELLS = ("feedback_no", "kind", "result", "handling", "rectification")
FEEDBACK_SAYS = (
    *("rectification_due", "happened_on", "case_no", "licence_number", "item_code", "supervision_item"),
    *("department", "measures", "summary"),
)
RECORD_TELLS = ("record_no", "operation", "category")
RECORD_SAYS = ("from", "to", "measures")


def compare_feedback_returns(
    news: dict[str, News], held: list[Stored], said: Statement, found: Findings
) -> None:
    """Counts supervision results that did not come back, or that should not have."""
    stored: dict[str, list[Stored]] = defaultdict(list)
    for effect in held:
        if effect.kind in {"feedback", "return"} and "|feedback|" in effect.business_key:
            stored[effect.business_key.rsplit("|", 2)[0]].append(effect)
    for number, effects in stored.items():
        one = news.get(number)
        if one is None:
            found.add("unexpected", "return", number, "没有这条监管反馈,不应回传")
            continue
        wanted = [served.record for served in one.versions if _returned(served.record, one.case)]
        targets = one.targets
        for effect in effects:
            target = effect.business_key.rsplit("|", 1)[1]
            if one.stray:
                found.add("unexpected", "return", effect.business_key, "非职责部门的反馈不应回传")
            elif not wanted:
                found.add("unexpected", "return", effect.business_key, "正常或已阅的反馈不应回传")
            elif targets and target not in targets:
                found.add("unexpected", "return", effect.business_key, "回传给了别的审批部门")
            elif not any(_feedback(effect.content, record) for record in wanted):
                found.add("unexpected", "return", effect.business_key, "回传内容与监管反馈不同")
    for number, one in news.items():
        if not one.sure or not _returned(one.newest, one.case):
            continue
        effects = stored.get(number, [])
        last = max(effects, key=lambda e: (e.content_version, e.order), default=None)
        if last is not None and _feedback(last.content, one.newest):
            continue
        keys = [f"{number}|feedback|{target}" for target in one.targets]
        rows = [row for key in keys for row in said.effects_of("return", key)]
        later = [row for row in rows if last is None or row.get("own_id") != last.own_id]
        missing(found, later, "return", number, "异常监管反馈没有回传审批部门")


def compare_record_returns(
    news: dict[str, News], held: list[Stored], said: Statement, window: float, found: Findings
) -> None:
    """Counts credit records that did not come back to the platform version by version."""
    stored: dict[str, list[Stored]] = defaultdict(list)
    for effect in held:
        if effect.kind in {"credit_record", "return"} and "|credit_record|" in effect.business_key:
            stored[effect.business_key.rsplit("|", 2)[0]].append(effect)
    for number, effects in stored.items():
        one = news.get(number)
        for effect in effects:
            if one is None or not any(_record(effect.content, s.record) for s in one.versions):
                found.add("unexpected", "return", effect.business_key, "没有这一版信用记录,不应回传")
    for number, one in news.items():
        if not one.sure:
            continue
        key = f"{number}|credit_record|platform"
        contents = [effect.content for effect in stored.get(number, [])]
        there = {effect.own_id for effect in stored.get(number, [])}
        for served in one.versions:
            if _overtaken(served, one.versions, window):
                continue
            if not any(_record(content, served.record, exactly=True) for content in contents):
                rows = [row for row in said.effects_of("return", key) if row.get("own_id") not in there]
                missing(found, rows, "return", key, f"信用记录第{served.record['version']}版没有回传")


def _overtaken(served: Served, versions: list[Served], window: float) -> bool:
    """True when a newer version was served before this one, or within the window after it."""
    for other in versions:
        if other.record["version"] <= served.record["version"]:
            continue
        if other.order < served.order or near(served, other, window):
            return True
    return False


def _returned(record: dict[str, Any], case: Case | None) -> bool:
    normal_too = case is not None and bool(case.item.get("return_normal"))
    return abnormal(record) or (normal_too and record["kind"] != "read")


def _feedback(content: Any, record: dict[str, Any]) -> bool:
    return _says(content, record, FEEDBACK_TELLS, FEEDBACK_SAYS)


def _record(content: Any, record: dict[str, Any], *, exactly: bool = False) -> bool:
    return _says(content, record, RECORD_TELLS, (*RECORD_SAYS, "version") if exactly else RECORD_SAYS)


def _says(content: Any, record: dict[str, Any], tells: tuple[str, ...], says: tuple[str, ...]) -> bool:
    """True when the content holds every telling field as served, and no other field differently."""
    if not isinstance(content, dict):
        return False
    held = {name: value for name, value in content.items() if value not in (None, "", [])}
    told = all(held.get(name) == (record.get(name) or None) for name in tells)
    return told and all(held[name] == record.get(name) for name in says if name in held)
