"""The life of a case (办件): accepted, completed, settled.

Source: reform plan 三(二)4 (acceptance and completion are the two moments of the linkage).
"""

from collections.abc import Mapping
from enum import StrEnum


class CaseState(StrEnum):
    """Where a case stands; what came of it (granted, refused, …) is its *result*."""

    ACCEPTED = "accepted"
    COMPLETED = "completed"
    SETTLED = "settled"
    VOIDED = "voided"


class CaseEvent(StrEnum):
    """What can happen to a case."""

    RESULT_GIVEN = "result_given"
    RESULT_RETRACTED = "result_retracted"
    LOOP_CLOSED = "loop_closed"
    REOPENED = "reopened"
    WITHDRAWN = "withdrawn"
    REINSTATED = "reinstated"


class CaseResult(StrEnum):
    """What a completed case came to."""

    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    TERMINATED = "terminated"


TRANSITIONS: Mapping[tuple[CaseState, CaseEvent], CaseState] = {
    (CaseState.ACCEPTED, CaseEvent.RESULT_GIVEN): CaseState.COMPLETED,  # 办结
    (CaseState.ACCEPTED, CaseEvent.WITHDRAWN): CaseState.VOIDED,  # 源头作废
    (CaseState.COMPLETED, CaseEvent.RESULT_RETRACTED): CaseState.ACCEPTED,  # 源头更正：办结撤回
    (CaseState.COMPLETED, CaseEvent.LOOP_CLOSED): CaseState.SETTLED,  # 闭环
    (CaseState.COMPLETED, CaseEvent.WITHDRAWN): CaseState.VOIDED,
    (CaseState.SETTLED, CaseEvent.REOPENED): CaseState.COMPLETED,  # 闭环后又有新情况
    (CaseState.SETTLED, CaseEvent.WITHDRAWN): CaseState.VOIDED,
    (CaseState.VOIDED, CaseEvent.REINSTATED): CaseState.ACCEPTED,  # 作废后恢复
}

CHINESE: Mapping[CaseState, str] = {
    CaseState.ACCEPTED: "已受理",
    CaseState.COMPLETED: "已办结",
    CaseState.SETTLED: "已闭环",
    CaseState.VOIDED: "已作废",
}

RESULT_CHINESE: Mapping[CaseResult, str] = {
    CaseResult.GRANTED: "准予",
    CaseResult.REFUSED: "不予",
    CaseResult.WITHDRAWN: "撤回",
    CaseResult.TERMINATED: "终止",
}
