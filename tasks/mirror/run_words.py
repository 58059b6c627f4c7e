"""What the runs of cases say to people: the sentence of a failure, and the lines of a timeline.

Whatever is said here stands in Prefect in plain text: numbers, departments, codes and days, nothing of a
party, and nothing a person has written by hand.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from models.domain.messages import CHANNELS, EFFECT_KINDS, SYSTEMS, entity_name, event_name, state_name
from models.domain.reasons import answer_name, reason_name
from models.domain.stopped import may_repeat, what_to_do
from models.domain.workdays import SHANGHAI

_Row = Mapping[str, Any]
STOPPED_PAGE, MATTERS_PAGE = "desk-2-stopped", "desk-4-matters"
"""The desk's pages on which stands what a person has to do."""
_NOTE = "note:"
_APART = timedelta(minutes=1)


def failure_of(row: _Row) -> str | None:
    """What a failed run says: what, since when, their answer, whether to repeat, what to do, who until when.

    ``row`` as ``queries.mirror.dirty`` gives it; None where nothing stands in front of a person.
    """
    if row["stopped_id"] is None:
        return None
    channel, state, reason = row["stopped_channel"], row["stopped_state"], row["stopped_reason"]
    said = answer_name(row["stopped_answer"]) or "没有答复"
    what = _effect(channel, row["stopped_stage"], row["stopped_target"])
    parts = [
        f"{what} {state_name('effect', state)}（{_reason(reason)}），自 {_moment(row['stopped_since'])}",
        f"对方答复：{said}",
        may_repeat(channel, state, reason),
        what_to_do(channel, state, reason, case_no=row["case_no"], own_id=row["stopped_id"]),
        f"负责：{row['stopped_owner']}，{_moment(row['stopped_due'])} 前",
    ]
    if row["stopped"] > 1:
        parts.append(f"另有 {row['stopped'] - 1} 项待处理，见 shenguan case show {row['case_no']}")
    return "。".join(parts) + "。"


def line_of(row: _Row, *, ui: str | None = None) -> tuple[int, str]:
    """One line of the timeline: its level (Python's) and what it says.

    ``row`` as ``queries.timelines.lines`` gives it. Business time stands in front where it is not the
    machine's. ``ui`` is the address of Prefect's pages: a line that needs a person ends with a link to where
    that stands, which the log page shows as one.
    """
    level, said = _SAY.get(row["entity"], _anything)(row)
    if ui and level >= logging.WARNING and row["to_state"] != "unknown":
        page = STOPPED_PAGE if row["entity"] == "effect" else MATTERS_PAGE
        said = f"{said}。待办一览 {ui}/artifacts/key/{page}"
    apart = abs(row["business_at"] - row["at"]) > _APART
    return level, f"〔{_moment(row['business_at'])}〕{said}" if apart else said


def _case(row: _Row) -> tuple[int, str]:
    if row["event"] == "first_seen":
        return logging.INFO, (
            f"收到办件 {row['case_no']}：{row['item_name']}，审批部门 {row['approval']}，"
            f"{state_name('case', row['to_state'])}。全貌：shenguan case show {row['case_no']}"
        )
    said = f"办件{_happened(row)}"
    if row["event"] == "result_given":
        said = f"审批部门 {row['approval']} 已办结"
    if row["event"] == "loop_closed":
        said = "全部事项已了结，办件闭环"
    return logging.INFO, said + _why(row)


def _handover(row: _Row) -> tuple[int, str]:
    place = "待分派的联动单" if row["nowhere"] else row["department"]
    place += f"·{row['section']}" if row["section"] else ""
    event, whose = row["event"], _whose(row["handover_owner"], row["handover_due"])
    if row["nowhere"] and row["to_state"] == "planned":
        return logging.WARNING, f"没有匹配的监管部门，待分派{_why(row)}{whose}"
    if event == "first_seen":
        return logging.INFO, f"由 {place} 监管，待推送{_why(row)}"
    if event == "observation_begun":
        until = f"，至 {row['observe_until']} 无异常反馈即办毕" if row["observe_until"] else ""
        return logging.INFO, f"{place} 进入观察期{until}"
    known = {
        "push_accepted": f"推送已到达 {place}",
        "claimed": f"{place} 已认领，责任在 {place}",
        "period_ended": f"{place} 观察期满，无异常反馈，已办毕",
        "recalled": f"{place} 的推送已撤回",
    }
    if event in known:
        return logging.INFO, known[event]
    if event == "returned":
        return logging.WARNING, f"{place} 退回{_why(row)}{whose}"
    return logging.INFO, f"{place} {_happened(row)}，现为{state_name('handover', row['to_state'])}{_why(row)}"


def _sent(row: _Row) -> tuple[int, str]:
    what = _effect(row["channel"], row["stage"], row["target"])
    to_state = row["to_state"]
    if row["event"] == "decided":
        return logging.INFO, f"{what} 经人工裁定不再发送，理由见 shenguan case show {row['case_no']}"
    if to_state in {"refused", "held"}:
        said = answer_name(row["answer"]) or "没有答复"
        again = may_repeat(row["channel"], to_state, row["reason"])
        todo = what_to_do(
            row["channel"], to_state, row["reason"], case_no=row["case_no"], own_id=row["own_id"]
        )
        stopped = f"{what} {state_name('effect', to_state)}{_why(row)}"
        whose = _whose(row["effect_owner"], row["effect_due"])
        return logging.ERROR, f"{stopped}。对方答复：{said}。{again}。{todo}{whose}"
    if to_state == "unknown":
        return logging.WARNING, f"{what} 结果未知{_why(row)}，系统会以同一编号复核"
    if to_state == "accepted":
        receipt = f"，回执 {row['receipt_number']}" if row["receipt_number"] else ""
        return logging.INFO, f"{what} {event_name('effect', row['event'])}{receipt}"
    return logging.INFO, f"{what} {_happened(row)}{_why(row)}"


def _licence(row: _Row) -> tuple[int, str]:
    return logging.INFO, f"许可{_happened(row)}，现为{state_name('licence', row['to_state'])}{_why(row)}"


def _anything(row: _Row) -> tuple[int, str]:
    return logging.INFO, f"{entity_name(row['entity'])} {_happened(row)}{_why(row)}"


_SAY: Mapping[str, Callable[[_Row], tuple[int, str]]] = {
    "case": _case,
    "handover": _handover,
    "effect": _sent,
    "licence": _licence,
}


def _effect(channel: str | None, stage: str | None, target: str | None) -> str:
    name = CHANNELS.get(channel or "", channel or "对外动作")
    kind = f"（{EFFECT_KINDS.get(stage, stage)}）" if stage else ""
    # a text's target is its phone's keyed hash: nobody reads that
    whom = SYSTEMS["sms"] if channel == "sms" else SYSTEMS.get(target or "", target)
    return f"{name}{kind} → {whom}" if whom else f"{name}{kind}"


def _happened(row: _Row) -> str:
    return event_name(row["entity"], row["event"])


def _why(row: _Row) -> str:
    said = _reason(row["reason"])
    return f"（{said}）" if said else ""


def _reason(code: str | None) -> str:
    """The reason's name. What a person wrote is no name: it stays in the ledger."""
    return "见台账" if code and code.startswith(_NOTE) else reason_name(code)


def _whose(owner: str | None, due: datetime | None) -> str:
    if not owner:
        return ""
    return f"；负责 {owner}" + (f"，{_moment(due)} 前" if due else "")


def _moment(at: datetime | None) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") if at else "—"
