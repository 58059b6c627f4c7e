"""What people read: Chinese names of what the ledger holds, and the text of an SMS.

A text names the matter and our own reference. It has no place for a party: no name, no number,
no address can get into it, whatever the template says (2G texts have no secrecy).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from models.domain.lifecycles import breaker, case, effect, handover, licence

STAGES: Mapping[str, str] = {"acceptance": "受理", "completion": "办结", "recall": "撤回"}
CHANNELS: Mapping[str, str] = {
    "push": "推送",
    "recall": "撤回推送",
    "return": "回传审批方",
    "credit_report": "信用报送",
    "sms": "短信",
}
MODES: Mapping[str, str] = {
    "silent": "静默",
    "trial": "试运行",
    "live": "正式",
    "stock": "存量",
    "not_applicable": "不适用",
}
ROLES: Mapping[str, str] = {"approval": "审批", "supervision": "监管", "enforcement": "执法"}
GRADES: Mapping[str, str] = {"good": "守信", "ordinary": "一般", "bad": "严重失信"}

_STATES: Mapping[str, Mapping[str, str]] = {
    "case": {state.value: name for state, name in case.CHINESE.items()},
    "handover": {state.value: name for state, name in handover.CHINESE.items()},
    "effect": {state.value: name for state, name in effect.CHINESE.items()},
    "licence": {state.value: name for state, name in licence.CHINESE.items()},
    "breaker": {state.value: name for state, name in breaker.CHINESE.items()},
    "result": {result.value: name for result, name in case.RESULT_CHINESE.items()},
}
_EVENTS: Mapping[str, Mapping[str, str]] = {
    "case": {
        "result_given": "办结",
        "result_retracted": "办结撤回",
        "loop_closed": "闭环",
        "reopened": "重新打开",
        "withdrawn": "源头作废",
        "reinstated": "作废后恢复",
    },
    "handover": {
        "push_accepted": "推送到达",
        "claimed": "认领",
        "observation_begun": "进入观察期",
        "period_ended": "观察期满",
        "ended_without_licence": "未许可而终结",
        "reopened": "重新打开",
        "returned": "退回",
        "reassigned": "重新分派",
        "recalled": "撤回推送",
        "reinstated": "恢复",
        "decided": "人工裁定",
    },
    "effect": {
        "leased": "领取",
        "lease_given_back": "归还",
        "intended": "提交发送意向",
        "accepted": "对方接收",
        "not_done": "确证未发生",
        "refused": "对方拒收",
        "outcome_unknown": "结果未知",
        "leased_to_repeat": "领取复送",
        "repeat_given_back": "复送归还",
        "held": "暂挂",
        "superseded": "被新版替代",
        "delivered": "送达",
        "undelivered": "未送达",
        "asked_again": "人工重试",
        "overtaken": "发出之前已失效",
        "release_asked": "申请放行",
        "released": "两人放行",
        "adopted": "对账认定对方已接收",
        "lost_there": "对账发现对方丢失，补发",
        "already_done": "对方已有相同内容",
        "unknown": "结果未知",
        "worker_lost": "发送中断",
        "decided": "人工裁定",
    },
    "licence": {
        "changed": "变更",
        "renewed": "延续",
        "suspended": "暂扣",
        "resumed": "恢复",
        "revoked": "吊销",
        "withdrawn": "撤销",
        "cancelled": "注销",
        "expired": "到期",
    },
    "senders": {"unlocked": "恢复后核对完毕，外发开锁"},
    "breaker": {
        "tripped": "连续未成，暂停推送",
        "probed": "试探",
        "probe_failed": "试探未成",
        "healed": "恢复",
        "nothing_waits": "已无待发",
    },
}

_ANY_EVENT: Mapping[str, str] = {"first_seen": "首次收到", "revised": "内容更新"}
_ENTITIES: Mapping[str, str] = {
    "case": "办件",
    "handover": "联动单",
    "effect": "对外动作",
    "licence": "许可",
    "breaker": "断路",
    "senders": "外发",
}
INBOX_OUTCOMES: Mapping[str, str] = {
    "waiting": "待核对",
    "admitted": "已接收",
    "stale": "旧版本",
    "parked": "暂停（事项未列入清单）",
    "not_applicable": "不适用",
    "quarantined": "已隔离",
    "superseded": "已被新版替代",
}
RECORD_KINDS: Mapping[str, str] = {
    "case": "办件",
    "feedback": "反馈",
    "credit_record": "信用记录",
    "sms_receipt": "短信回执",
    "answer": "接口答复",
}
FEEDBACK_KINDS: Mapping[str, str] = {
    "read": "已阅",
    "inspection": "检查",
    "measure": "处理措施",
    "penalty": "处罚",
    "rectification": "整改",
    "policy": "政策变动",
}
EFFECT_KINDS: Mapping[str, str] = {
    **STAGES,
    "feedback": "监管反馈",
    "credit_record": "信用记录",
    "XK": "行政许可",
    "CF": "行政处罚",
}
SYSTEMS: Mapping[str, str] = {
    "platform": "政务服务平台",
    "credit": "信用系统",
    "sms": "短信网关",
    "sms2": "备用短信网关",
    "aliyun": "短信网关",
    "yunmas": "短信网关",
}
FEEDS: Mapping[str, str] = {"cases": "办件", "feedback": "反馈", "records": "信用记录"}

ONE_TEXT = "{section}：{item}已{stage}，推送至贵单位，请登录审管联动模块查看。编号{reference}"
DIGEST_TEXT = "{section}：新到审管联动{count}件（{summary}），请登录审管联动模块查看。编号{reference}"
_PLACES = frozenset({"section", "item", "stage", "count", "summary", "reference"})
_ONE_SEGMENT = 70
_LONG_SEGMENT = 67
_SHORTEST_ITEM = 6


@dataclass(frozen=True, slots=True)
class News:
    """One thing a liaison should hear of: an item's name out of the catalog, and a stage."""

    item: str
    stage: str


def state_name(entity: str, state: str) -> str:
    """The Chinese name of a state of case, handover, effect, licence or result; else the code."""
    return _STATES.get(entity, {}).get(state, state)


def event_name(entity: str, event: str) -> str:
    """The Chinese name of an event of case, handover, effect or licence; else the code."""
    return _EVENTS.get(entity, {}).get(event) or _ANY_EVENT.get(event, event)


def entity_name(entity: str) -> str:
    """The Chinese name of case, handover, effect or licence; else the code."""
    return _ENTITIES.get(entity, entity)


def text_for(
    news: Sequence[News],
    *,
    section: str,
    reference: str,
    one: str = ONE_TEXT,
    digest: str = DIGEST_TEXT,
    signature: str = "",
) -> str:
    """The text for one piece of news, or the digest of several.

    The item's name is cut where the whole would otherwise need a second segment (the gateway's
    ``signature`` 【…】 counts). Templates are checked by :func:`wrong_places` when loaded.

    Raises:
        ValueError: there is no news.
    """
    if not news:
        raise ValueError("a text without news is not sent")
    stages = Counter(STAGES[each.stage] for each in news)
    places = {
        "section": section,
        "item": news[0].item,
        "stage": STAGES[news[0].stage],
        "count": str(len(news)),
        "summary": "、".join(f"{stage}{count}件" for stage, count in stages.items()),
        "reference": reference,
    }
    template = one if len(news) == 1 else digest
    text = template.format_map(places)
    over = _units(text) + _units(signature) - _ONE_SEGMENT
    if over > 0 and "{item}" in template:
        places["item"] = f"{news[0].item[: max(_SHORTEST_ITEM, len(news[0].item) - over - 1)]}…"
        shorter = template.format_map(places)
        text = shorter if _units(shorter) < _units(text) else text
    return text


def wrong_places(template: str) -> tuple[str, ...]:
    """The ``{…}`` of a template that no text has a value for; empty when it can be used."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as wrong:
        return (str(wrong),)
    return tuple(
        f"{{{name}}}"
        for _, name, spec, how in parts
        if name is not None and (name not in _PLACES or spec or how)
    )


def segments(text: str, signature: str = "") -> int:
    """How many messages a gateway counts: one up to 70 signs, else 67 signs each."""
    units = _units(text) + _units(signature)
    return 1 if units <= _ONE_SEGMENT else -(-units // _LONG_SEGMENT)


def _units(text: str) -> int:
    # Gateways count UTF-16 units: a sign beyond the basic plane takes two.
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
