"""The life of a breaker: whether a target is worth a call.

``closed → open → half_open → closed``. Open, its effects cost no call. Half open, one worker makes
one call to see; any answer that was thought of over there closes it, and what waits goes on, oldest first.
"""

from collections.abc import Mapping
from enum import StrEnum


class BreakerState(StrEnum):
    """Whether calls go to a target."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerEvent(StrEnum):
    """What can happen to a breaker."""

    TRIPPED = "tripped"
    PROBED = "probed"
    PROBE_FAILED = "probe_failed"
    HEALED = "healed"
    NOTHING_WAITS = "nothing_waits"


_S, _E = BreakerState, BreakerEvent

TRANSITIONS: Mapping[tuple[BreakerState, BreakerEvent], BreakerState] = {
    (_S.CLOSED, _E.TRIPPED): _S.OPEN,  # 连续未成，暂停
    (_S.OPEN, _E.PROBED): _S.HALF_OPEN,  # 间隔已到，试一次
    (_S.HALF_OPEN, _E.PROBED): _S.HALF_OPEN,  # 试探者中断，换人再试
    (_S.HALF_OPEN, _E.PROBE_FAILED): _S.OPEN,  # 仍未恢复，间隔加长
    (_S.HALF_OPEN, _E.HEALED): _S.CLOSED,
    (_S.OPEN, _E.HEALED): _S.CLOSED,  # 此前发出的调用有了答复
    (_S.OPEN, _E.NOTHING_WAITS): _S.CLOSED,
    (_S.HALF_OPEN, _E.NOTHING_WAITS): _S.CLOSED,  # 已无待发，无从试探
}

CHINESE: Mapping[BreakerState, str] = {
    _S.CLOSED: "正常",
    _S.OPEN: "中断",
    _S.HALF_OPEN: "试探中",
}
