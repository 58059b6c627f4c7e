"""The life of a licence (许可): party and number. It outlives the case that granted it."""

from collections.abc import Mapping
from enum import StrEnum


class LicenceState(StrEnum):
    """Where a licence stands; valid, changed and renewed are in force."""

    VALID = "valid"
    CHANGED = "changed"
    RENEWED = "renewed"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class LicenceEvent(StrEnum):
    """What can happen to a licence."""

    CHANGED = "changed"
    RENEWED = "renewed"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_S, _E = LicenceState, LicenceEvent

IN_FORCE = frozenset({_S.VALID, _S.CHANGED, _S.RENEWED})
_ENDS = {
    _E.REVOKED: _S.REVOKED,  # 吊销
    _E.WITHDRAWN: _S.WITHDRAWN,  # 撤销
    _E.CANCELLED: _S.CANCELLED,  # 注销
    _E.EXPIRED: _S.EXPIRED,  # 到期
}

TRANSITIONS: Mapping[tuple[LicenceState, LicenceEvent], LicenceState] = {
    **{(state, _E.CHANGED): _S.CHANGED for state in sorted(IN_FORCE)},  # 变更
    **{(state, _E.RENEWED): _S.RENEWED for state in [*sorted(IN_FORCE), _S.EXPIRED]},  # 延续
    **{(state, _E.SUSPENDED): _S.SUSPENDED for state in sorted(IN_FORCE)},  # 暂扣
    (_S.SUSPENDED, _E.RESUMED): _S.VALID,
    **{(state, event): end for state in [*sorted(IN_FORCE), _S.SUSPENDED] for event, end in _ENDS.items()},
    (_S.EXPIRED, _E.CANCELLED): _S.CANCELLED,
}

CHINESE: Mapping[LicenceState, str] = {
    _S.VALID: "有效",
    _S.CHANGED: "已变更",
    _S.RENEWED: "已延续",
    _S.SUSPENDED: "已暂扣",
    _S.REVOKED: "已吊销",
    _S.WITHDRAWN: "已撤销",
    _S.CANCELLED: "已注销",
    _S.EXPIRED: "已到期",
}
