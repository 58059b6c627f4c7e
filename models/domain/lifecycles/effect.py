"""The life of an effect: anything this product does to the outside.

``planned → leased → intent → accepted | planned again | refused | unknown``. The intent is
committed before the call. *Not done* needs proof; *refused* is their documented final no; all
else after the first byte is *unknown*. A repeat that was proven not done proves nothing about
the call before it: such an effect is marked *doubtful* when it is leased, and goes back to
*unknown*, never to *planned*, whether its lease is given back or its repeat was not done.
"""

from collections.abc import Mapping
from enum import StrEnum


class Channel(StrEnum):
    """The ways to the outside, and what repeating does there."""

    PUSH = "push"
    RECALL = "recall"
    RETURN = "return"
    CREDIT_REPORT = "credit_report"
    SMS = "sms"

    @property
    def deduplicates(self) -> bool:
        """Whether the receiver knows our own id again; an SMS gateway does not."""
        return self is not Channel.SMS


class EffectState(StrEnum):
    """Where an effect stands."""

    PLANNED = "planned"
    LEASED = "leased"
    INTENT = "intent"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    HELD = "held"
    SUPERSEDED = "superseded"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


class EffectEvent(StrEnum):
    """What can happen to an effect."""

    LEASED = "leased"
    LEASE_GIVEN_BACK = "lease_given_back"
    INTENDED = "intended"
    ACCEPTED = "accepted"
    NOT_DONE = "not_done"
    REFUSED = "refused"
    OUTCOME_UNKNOWN = "outcome_unknown"
    LEASED_TO_REPEAT = "leased_to_repeat"
    REPEAT_GIVEN_BACK = "repeat_given_back"
    HELD = "held"
    SUPERSEDED = "superseded"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    ASKED_AGAIN = "asked_again"
    OVERTAKEN = "overtaken"
    ADOPTED = "adopted"
    LOST_THERE = "lost_there"
    RELEASED = "released"


_S, _E = EffectState, EffectEvent

TRANSITIONS: Mapping[tuple[EffectState, EffectEvent], EffectState] = {
    (_S.PLANNED, _E.LEASED): _S.LEASED,
    (_S.PLANNED, _E.SUPERSEDED): _S.SUPERSEDED,  # 内容有了新版本，旧版未发出
    (_S.PLANNED, _E.HELD): _S.HELD,  # 反复失败，转人工
    (_S.LEASED, _E.LEASE_GIVEN_BACK): _S.PLANNED,  # 未发起调用，归还
    (_S.LEASED, _E.OVERTAKEN): _S.SUPERSEDED,  # 未发出即归还，其间已有新版或源头已撤回
    (_S.LEASED, _E.INTENDED): _S.INTENT,  # 意向先提交，再调用
    (_S.LEASED, _E.REPEAT_GIVEN_BACK): _S.UNKNOWN,
    (_S.INTENT, _E.ACCEPTED): _S.ACCEPTED,
    (_S.INTENT, _E.NOT_DONE): _S.PLANNED,  # 确证未发生
    (_S.INTENT, _E.OVERTAKEN): _S.SUPERSEDED,  # 确证未发生，其间已有新版或源头已撤回
    (_S.INTENT, _E.REFUSED): _S.REFUSED,
    (_S.INTENT, _E.OUTCOME_UNKNOWN): _S.UNKNOWN,
    (_S.INTENT, _E.DELIVERED): _S.DELIVERED,  # 回执早于应答
    (_S.INTENT, _E.UNDELIVERED): _S.UNDELIVERED,
    (_S.UNKNOWN, _E.LEASED_TO_REPEAT): _S.LEASED,  # 仅限对方按编号去重的通道
    (_S.UNKNOWN, _E.ACCEPTED): _S.ACCEPTED,
    (_S.UNKNOWN, _E.HELD): _S.HELD,  # 不可重发，转人工
    (_S.UNKNOWN, _E.DELIVERED): _S.DELIVERED,
    (_S.UNKNOWN, _E.UNDELIVERED): _S.UNDELIVERED,
    (_S.HELD, _E.ACCEPTED): _S.ACCEPTED,  # 迟到的证明
    (_S.HELD, _E.DELIVERED): _S.DELIVERED,
    (_S.HELD, _E.UNDELIVERED): _S.UNDELIVERED,
    (_S.HELD, _E.ASKED_AGAIN): _S.PLANNED,  # 仅限对方按编号去重的通道
    (_S.HELD, _E.RELEASED): _S.PLANNED,  # 短信，两人以一次性口令放行后再发一次
    (_S.REFUSED, _E.ASKED_AGAIN): _S.PLANNED,  # 对方未存，经人确认后以同一编号再试
    (_S.HELD, _E.SUPERSEDED): _S.SUPERSEDED,  # 内容已并入下一条
    (_S.REFUSED, _E.SUPERSEDED): _S.SUPERSEDED,  # 更正后的版本已另行报送
    (_S.PLANNED, _E.ADOPTED): _S.ACCEPTED,  # 对账认定：对方存有本编号且内容一致
    (_S.UNKNOWN, _E.ADOPTED): _S.ACCEPTED,
    (_S.HELD, _E.ADOPTED): _S.ACCEPTED,
    (_S.REFUSED, _E.ADOPTED): _S.ACCEPTED,
    (_S.SUPERSEDED, _E.ADOPTED): _S.ACCEPTED,  # 旧版其实已到对方，其证明来迟
    (_S.ACCEPTED, _E.LOST_THERE): _S.PLANNED,  # 对账发现对方已丢失，以同一编号补发
    (_S.ACCEPTED, _E.OVERTAKEN): _S.SUPERSEDED,  # 对方丢失的是旧版，新版另行在送，不再补
    (_S.ACCEPTED, _E.DELIVERED): _S.DELIVERED,
    (_S.ACCEPTED, _E.UNDELIVERED): _S.UNDELIVERED,
}

UNRESOLVED = frozenset({_S.LEASED, _S.INTENT, _S.UNKNOWN})
"""States of which one (channel, target, business key) has at most one."""

DONE = frozenset({_S.ACCEPTED, _S.DELIVERED, _S.UNDELIVERED, _S.SUPERSEDED})
"""States in which nothing is owed any more. An undelivered text was accepted; its news goes on."""

FOR_A_PERSON = frozenset({_S.REFUSED, _S.HELD})
"""States only a person ends."""

CHINESE: Mapping[EffectState, str] = {
    _S.PLANNED: "待发送",
    _S.LEASED: "已领取",
    _S.INTENT: "发送中",
    _S.UNKNOWN: "结果未知",
    _S.ACCEPTED: "已接收",
    _S.REFUSED: "被拒",
    _S.HELD: "已暂挂",
    _S.SUPERSEDED: "已被新版替代",
    _S.DELIVERED: "已送达",
    _S.UNDELIVERED: "未送达",
}
