"""Why something waits, who has it, and until when: in the words people read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from models.domain.messages import CHANNELS
from models.domain.reasons import reason_name
from models.domain.workdays import start_of_day

MACHINE = "系统自动"
_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """Who has it now, why it waits (empty: it does not), and until when (business time)."""

    owner: str
    why: str
    due: datetime | None = None


def why_handover(row: _Row, case: _Row, effects: Sequence[_Row], approval: str) -> Wait:
    """What a handover waits for. ``approval`` names the approval side's section."""
    department = row["department_name"] or approval
    whose = f"{department}·{row['section_name']}" if row["section_name"] else department
    state = row["state"]
    if state == "planned":
        return _planned(row, effects, approval)
    if state == "observing":
        until = row["observe_until"]
        return Wait(whose, f"观察期至 {until}，期满无异常反馈即办毕", _end_of(until))
    if state == "returned":
        return Wait(approval, f"已退回（{reason_name(row['reason'])}），待重新分派", row["due_at"])
    if state == "claimed" and case["state"] == "accepted":
        return Wait(whose, "已认领，待审批部门办结")
    machine = {"pushed": "推送已到达，待登记认领", "claimed": "已认领，待办结信息送达"}
    return Wait(MACHINE, machine[state]) if state in machine else Wait(whose, "")


def _planned(row: _Row, effects: Sequence[_Row], approval: str) -> Wait:
    if row["department_code"] is None:
        return Wait(row["owner"] or approval, reason_name(row["reason"]), row["due_at"])
    mine = [each for each in effects if each["handover_id"] == row["id"] and each["channel"] == "push"]
    stopped = next((each for each in mine if each["state"] in {"refused", "held"}), None)
    if stopped is not None:
        verb = "推送被拒" if stopped["state"] == "refused" else "推送已暂挂"
        return Wait(stopped["owner"], f"{verb}：{reason_name(stopped['reason'])}", stopped["due_at"])
    open_one = next(
        (each for each in mine if each["state"] in {"planned", "leased", "intent", "unknown"}), None
    )
    if open_one is not None:
        why = reason_name(open_one["reason"]) or "排队待推送"
        return Wait(MACHINE, why)
    return Wait(MACHINE, "该阶段无须推送，待下一阶段")


def why_case(
    case: _Row, handovers: Sequence[_Row], effects: Sequence[_Row], texts: Sequence[_Row], now: datetime
) -> str:
    """One sentence on why the loop is not closed yet; empty when it is."""
    if case["state"] == "voided":
        return ""
    if case["state"] == "settled":
        return ""
    if case["state"] == "accepted":
        return "待审批部门办结"
    reasons = [*_open_effects(effects), *_open_handovers(handovers), *_open_texts(texts)]
    if case["needs_credit_check"]:
        reasons.append("信用查询未完成")
    if not reasons and case["observe_until"] and _end_of(case["observe_until"]) > now:
        reasons.append(f"观察期至 {case['observe_until']}")
    return "；".join(reasons) or "各事项已了结，待系统闭环"


def _open_effects(effects: Sequence[_Row]) -> list[str]:
    told = []
    for each in effects:
        name = CHANNELS.get(each["channel"], each["channel"])
        if each["state"] in {"refused", "held"} and each["decided_at"] is None:
            said = "被拒" if each["state"] == "refused" else "已暂挂"
            told.append(f"{name}{said}（{reason_name(each['reason'])}）")
        elif each["state"] in {"planned", "leased", "intent", "unknown"}:
            told.append(f"{name}未完成")
    return told


def _open_handovers(handovers: Sequence[_Row]) -> list[str]:
    told = []
    if any(each["department_code"] is None and each["state"] == "planned" for each in handovers):
        told.append("有联动单待分派")
    observing = [each["observe_until"] for each in handovers if each["state"] == "observing"]
    if observing:
        told.append(f"观察期至 {max(observing)}")
    return told


def _open_texts(texts: Sequence[_Row]) -> list[str]:
    states = {each["news_state"] for each in texts}
    told = ["联络员没有可用手机号"] if "no_phone" in states else []
    return told + (["短信待发"] if "waiting" in states else [])


def _end_of(day: date) -> datetime:
    return start_of_day(day + timedelta(days=1))
