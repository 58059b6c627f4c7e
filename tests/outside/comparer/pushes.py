"""Pushes and recalls: what each case owes to whom, against what the platform holds."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from comparer.absences import missing
from comparer.cases import Case, CaseRecord
from comparer.city import City, Route
from comparer.content import Expected
from comparer.evidence import Served, Statement, Stored, owned
from comparer.findings import Findings

STAGES = ("acceptance", "completion")
PARTS = 4
TOGETHER, SLIPPED, ALONE = 0, 1, 2
FEW, FEW_OF = 5, 10  # five, or one in ten


@dataclass(frozen=True)
class Patience:
    """How far apart, in seconds of the feed's clock, two records may be published and still be read
    together (``window``), or in the wrong order by a late second reading (``reread``)."""

    window: float
    reread: float


@dataclass(frozen=True)
class Key:
    """The business key of a push or recall, taken apart; a case number may hold any character."""

    case_no: str
    stage: str
    department: str
    supervision_item: str

    def __str__(self) -> str:
        return f"{self.case_no}|{self.stage}|{self.department}|{self.supervision_item}"


def parse_key(text: str) -> Key | None:
    """The four parts of a business key; None when it has not four."""
    parts = text.rsplit("|", PARTS - 1)
    return Key(*parts) if len(parts) == PARTS else None


def section_of(key: Key, cases: dict[str, Case]) -> str:
    """The section that answers for a pushed supervision item, by the item's own duties."""
    case = cases.get(key.case_no)
    for duty in case.item.get("duty", []) if case else []:
        if str(duty.get("supervision_item")) == key.supervision_item:
            return str(duty.get("section") or "")
    return ""


@dataclass
class Push:
    """One push that may be there: freely (TOGETHER), with few exceptions (SLIPPED), or that has to
    be (ALONE). ``final`` are the records whose content may stand last, ``ever`` all of them."""

    key: Key
    owed: int
    final: list[CaseRecord]
    ever: list[CaseRecord]
    case: Case


@dataclass
class Pushes:
    """Everything the cases owe to supervising departments; ``unrouted`` are duties for the queue."""

    owed: dict[str, Push]
    unrouted: list[tuple[Case, str]]
    routed: dict[str, set[str]]


def owed_pushes(cases: Iterable[Case], city: City, patience: Patience, held: set[str]) -> Pushes:
    """The pushes every live or trial case owes, by business key. ``held`` are the keys the platform holds."""
    owed: dict[str, Push] = {}
    unrouted: list[tuple[Case, str]] = []
    routed: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        if case.fate not in {"live", "trial", "mixed"}:
            continue
        for duty in case.item.get("duty", []):
            supervised = str(duty.get("supervision_item"))
            routes = [(r, city.route(duty, r.record)) for r in case.records if not r.withdrawn]
            routed[case.case_no] |= {route.department for _, route in routes if route.department}
            for stage in STAGES:
                for push in _of_stage(case, stage, supervised, routes, patience):
                    owed.setdefault(str(push.key), push)
            if not routes:
                continue
            newest = max(routes, key=lambda pair: pair[0].version)[1]
            gone = any(f"{case.case_no}|{s}|{newest.department}|{supervised}" in held for s in STAGES)
            if (newest.department is None or not newest.sure) and not gone:
                unrouted.append((case, supervised))
    return Pushes(owed, unrouted, routed)


def _of_stage(
    case: Case, stage: str, supervised: str, routes: list[tuple[CaseRecord, Route]], patience: Patience
) -> list[Push]:
    records = case.of_stage(stage)
    wanted = stage in case.item.get("stages", STAGES)
    if not records or not wanted or (stage == "acceptance" and case.item.get("instant")):
        return []
    newest = max(record.version for record in records)
    last = [record for record in records if record.version == newest]
    seen = {id(record): how_seen(record, case, stage, patience) for record in records}
    settled = all(record.sure and seen[id(record)] == ALONE for record in last) and not case.reinstated
    best = max((seen[id(record)] for record in records if record.sure), default=TOGETHER)
    if case.fate == "mixed" or case.reinstated:
        best = TOGETHER
    departments = {route.department for record, route in routes if record in records and route.department}
    certain = {(route.department, route.sure) for _, route in routes}
    return [
        Push(
            key=Key(case.case_no, stage, department, supervised),
            owed=best if certain == {(department, True)} else TOGETHER,
            final=last if settled else records,
            ever=records,
            case=case,
        )
        for department in departments
    ]


def how_seen(record: CaseRecord, case: Case, stage: str, patience: Patience) -> int:
    """Whether a system had to see this record as the newest of its stage.

    TOGETHER: something newer that ends the stage was published before it, or so soon after it that
    one reading may hold both. SLIPPED: so soon that a record which slipped behind the cursor may
    have been read after it, which happens to few. ALONE: neither.
    """
    seen = ALONE
    for other in case.records:
        ends = other.withdrawn or other.stage != stage
        if not ends or not record.older_than(other):
            continue
        if other.served.order < record.served.order or near(record.served, other.served, patience.window):
            return TOGETHER
        if near(record.served, other.served, patience.reread):
            seen = SLIPPED
    return seen


def near(before: Served, after: Served, window: float) -> bool:
    """True when two records were published within the window, or nobody knows when."""
    return before.at is None or after.at is None or after.at - before.at <= window


def compare_pushes(
    pushes: Pushes,
    held: list[Stored],
    *,
    said: Statement,
    city: City,
    cases: dict[str, Case],
    found: Findings,
) -> None:
    """Counts what is wrong with pushes: absent, not owed, or of another content."""
    by_key: dict[str, list[Stored]] = defaultdict(list)
    for effect in held:
        if effect.kind == "push":
            by_key[effect.business_key].append(effect)
    for text, effects in by_key.items():
        push = pushes.owed.get(text)
        if push is None:
            for _ in effects:
                found.add("unexpected", "push", text, _why_not(text, cases))
            continue
        _check_contents(push, effects, said, city, found)
    gone = [
        push
        for text, push in pushes.owed.items()
        if push.owed and text not in by_key and not _superseded(said, push)
    ]
    slipped = [push for push in gone if push.owed == SLIPPED and not said.effects_of("push", str(push.key))]
    in_reach = sum(push.owed == SLIPPED for push in pushes.owed.values())
    forgiven = len(slipped) <= max(FEW, in_reach // FEW_OF)
    for push in gone:
        if push.owed == ALONE or not forgiven:
            rows = said.effects_of("push", str(push.key))
            missing(found, rows, "push", str(push.key), "应推送而对方没有")
    _check_queue(pushes.unrouted, said, found)


def _check_contents(push: Push, effects: list[Stored], said: Statement, city: City, found: Findings) -> None:
    ever = [Expected(record.record, push.key.stage, push.case.item) for record in push.ever]
    final = [Expected(record.record, push.key.stage, push.case.item) for record in push.final]
    ordered = sorted(effects, key=lambda e: (e.content_version, e.order))
    sections = city.sections_of(push.key.department, section_of(push.key, {push.case.case_no: push.case}))
    for effect in ordered:
        wrong = [expected.wrong(effect.content) for expected in ever]
        if all(wrong):
            why = f"内容或字段不属于任何一版办件的推送范围:{wrong[-1]}"
            found.add("unexpected", "push", str(push.key), why)
            return
        if effect.section and effect.section not in sections:
            found.add("unexpected", "push", str(push.key), "推送给了不负责的科室")
    last = ordered[-1].content
    if push.owed and all(expected.wrong(last) for expected in final):
        rows = said.effects_of("push", str(push.key))
        newer = [row for row in rows if row.get("own_id") != ordered[-1].own_id]
        if not push.case.withdrawn:
            missing(found, newer, "push", str(push.key), "最新一版范围内的内容没有推送")


def _check_queue(unrouted: list[tuple[Case, str]], said: Statement, found: Findings) -> None:
    """A duty without a department lies in the dispatching queue, with an owner and a due date."""
    rows = [row for row in said.handovers if owned(row)]
    queued = {(str(row.get("case_no")), str(row.get("supervision_item"))) for row in rows}
    for case, supervised in unrouted:
        if case.fate == "mixed" or case.withdrawn or not any(r.sure for r in case.records):
            continue
        by_incident = any(case.case_no in str(row.get("key")) and row.get("owner") for row in said.incidents)
        if (case.case_no, supervised) not in queued and not by_incident:
            found.absent("handover", f"{case.case_no}|{supervised}", "没有匹配部门的监管事项不在待分派之列")


def compare_recalls(cases: dict[str, Case], held: list[Stored], said: Statement, found: Findings) -> None:
    """Counts recalls that are missing for what was pushed of a withdrawn case, or that nothing asked for."""
    pushed: dict[tuple[str, str, str], list[Stored]] = defaultdict(list)
    recalled: dict[tuple[str, str, str], list[Stored]] = defaultdict(list)
    for effect in held:
        key = parse_key(effect.business_key)
        if key is not None and effect.kind in {"push", "recall"}:
            book = pushed if effect.kind == "push" else recalled
            book[key.case_no, key.department, key.supervision_item].append(effect)
    for place, effects in pushed.items():
        case = cases.get(place[0])
        if case is None or not case.newest.withdrawn or not case.newest.sure or case.fate == "mixed":
            continue
        text = str(Key(place[0], "recall", place[1], place[2]))
        recalls = recalled.get(place, [])
        if not recalls:
            rows = said.effects_of("recall", text)
            missing(found, rows, "recall", text, "办件已撤回,已推送的部门没有收到撤回")
        elif max(e.order for e in effects) > max(r.order for r in recalls):
            found.add("unexpected", "push", text, "撤回之后又推送了旧内容")
    for place, recalls in recalled.items():
        text = str(Key(place[0], "recall", place[1], place[2]))
        case = cases.get(place[0])
        known = {effect.own_id for effect in pushed.get(place, [])}
        for recall in recalls:
            content = recall.content if isinstance(recall.content, dict) else {}
            withdraws = content.get("withdraws")
            if case is None or not case.withdrawn or not known:
                found.add("unexpected", "recall", text, "没有可撤回的推送,或办件未被撤回")
            elif set(content) - {"case_no", "reason", "withdraws"} or content.get("case_no") != place[0]:
                found.add("unexpected", "recall", text, "撤回的内容不在约定之内")
            elif not isinstance(withdraws, list) or not withdraws or not set(map(str, withdraws)) <= known:
                found.add("unexpected", "recall", text, "撤回所列的推送不是对方所存的推送")


def _superseded(said: Statement, push: Push) -> bool:
    """True when a push of a withdrawn case was superseded before it left; nothing else excuses that."""
    rows = said.effects_of("push", str(push.key))
    return push.case.withdrawn and any(row.get("state") == "superseded" for row in rows)


def _why_not(text: str, cases: dict[str, Case]) -> str:
    key = parse_key(text)
    case = cases.get(key.case_no) if key else None
    reasons = {
        "silent": "静默事项不应推送",
        "stock": "存量办件不应推送",
        "not_applicable": "不适用事项不应推送",
        "unknown_item": "未知事项不应推送",
    }
    if case is None:
        return "没有这件办件(或涉密、损坏),不应推送"
    return reasons.get(case.fate, "该环节、部门或监管事项不在应推送之列")
