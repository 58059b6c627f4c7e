"""The life of a handover (联动单): one case, one supervision item, one department.

Source: reform plan 三(二)4, 推送即认领: online, the department has claimed when the push is
proven. Silence is lawful (三(二)2, 正常的结果可不反馈): a handover closes as 无异常反馈 when its
observation period ends.
"""

from collections.abc import Mapping
from enum import StrEnum


class HandoverState(StrEnum):
    """Where a handover stands."""

    PLANNED = "planned"
    PUSHED = "pushed"
    CLAIMED = "claimed"
    OBSERVING = "observing"
    RETURNED = "returned"
    CLOSED = "closed"
    RECALLED = "recalled"


class HandoverEvent(StrEnum):
    """What can happen to a handover."""

    PUSH_ACCEPTED = "push_accepted"
    CLAIMED = "claimed"
    OBSERVATION_BEGUN = "observation_begun"
    PERIOD_ENDED = "period_ended"
    ENDED_WITHOUT_LICENCE = "ended_without_licence"
    REOPENED = "reopened"
    RETURNED = "returned"
    REASSIGNED = "reassigned"
    RECALLED = "recalled"
    REINSTATED = "reinstated"
    DECIDED = "decided"


_S, _E = HandoverState, HandoverEvent

TRANSITIONS: Mapping[tuple[HandoverState, HandoverEvent], HandoverState] = {
    (_S.PLANNED, _E.PUSH_ACCEPTED): _S.PUSHED,  # 推送到达，有回执
    (_S.PUSHED, _E.CLAIMED): _S.CLAIMED,  # 认领：线上推送即认领，其他渠道双方商定
    (_S.CLAIMED, _E.OBSERVATION_BEGUN): _S.OBSERVING,  # 办结准予后进入观察期
    (_S.CLAIMED, _E.ENDED_WITHOUT_LICENCE): _S.CLOSED,  # 不予、撤回、终止：无可监管之许可
    (_S.OBSERVING, _E.PERIOD_ENDED): _S.CLOSED,  # 观察期满
    (_S.OBSERVING, _E.ENDED_WITHOUT_LICENCE): _S.CLOSED,
    (_S.CLOSED, _E.REOPENED): _S.OBSERVING,  # 关闭后又有异常反馈，或结果更正
    (_S.CLAIMED, _E.RETURNED): _S.RETURNED,  # 退回，带原因码；责任不空档
    (_S.OBSERVING, _E.RETURNED): _S.RETURNED,
    (_S.RETURNED, _E.REASSIGNED): _S.PLANNED,  # 重新分派
    **{(state, _E.RECALLED): _S.RECALLED for state in _S if state is not _S.RECALLED},  # 撤回推送
    (_S.RECALLED, _E.REINSTATED): _S.PLANNED,
    # 办结推送被拒，经人工裁定不再发送：没有对方可以办理
    **{(state, _E.DECIDED): _S.CLOSED for state in (_S.PLANNED, _S.PUSHED, _S.CLAIMED)},
    (_S.CLOSED, _E.PUSH_ACCEPTED): _S.PUSHED,  # 裁定之后，新一版内容又推送到达
}

CHINESE: Mapping[HandoverState, str] = {
    _S.PLANNED: "待推送",
    _S.PUSHED: "已推送",
    _S.CLAIMED: "已认领",
    _S.OBSERVING: "待反馈",
    _S.RETURNED: "已退回",
    _S.CLOSED: "已办毕",
    _S.RECALLED: "已撤回",
}
