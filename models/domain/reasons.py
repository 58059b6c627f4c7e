"""Reason codes and their Chinese names: the fine grain beside a coarse state, for people."""

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    # why a handover or an effect waits
    "breaker_open": "对方系统中断，恢复后自动继续",
    "throttled": "对方要求稍后再发",
    "not_processed": "对方声明未处理，稍后重试",
    "no_connection": "未能连上对方系统，稍后重试",
    "older_first": "同一事项的上一版内容尚未了结",
    "quiet_hours": "夜间（20:00—8:00）不发短信",
    "digest_window": "并入下一条汇总短信",
    "daily_cap": "已达当日短信上限",
    "phone_busy": "该联络员上一条短信结果未明",
    # why it lies with a person
    "no_department": "没有匹配的监管部门，待审批方分派",
    "no_section": "部门未设对应科（股）室，待审批方分派",
    "no_phone": "联络员没有可用手机号",
    "no_liaison": "科（股）室没有在任联络员",
    "held_data": "必填数据缺失或不合规则，待补正",
    "outcome_unknown": "结果未明，机器不再重发",
    "attempts_exhausted": "多次未成，待人工处理",
    "content_conflict": "对方存有不同内容",
    "rule_broken": "对方按规则拒收",
    "malformed": "对方称报文格式有误",
    "too_large": "对方称报文过大",
    "signature_rejected": "对方不认签名，请核对密钥与时钟",
    "unknown_answer": "对方答复不在约定之内",
    "killed_worker": "处理该件时进程多次中断",
    # why a handover was returned (退回)
    "not_our_duty": "不属本部门职责",
    "wrong_region": "不属本辖区",
    "duplicate_push": "重复推送",
    "incomplete_data": "信息不全，无法开展监管",
    # why it ended, or came back
    "no_abnormal_news": "无异常反馈",
    "feedback_received": "已有反馈",
    "rectified": "整改合格",
    "not_granted": "未作出许可，无须监管",
    "abnormal_news": "又有异常反馈",
    "result_corrected": "办理结果已更正",
    "withdrawn_at_source": "源头撤回该办件",
    "newer_version": "内容已有新版本",
    "folded": "并入汇总短信",
    "department_replaced": "部门职责已由继任部门承接",
    # what admission says of a record
    "repeated": "重复记录，内容未变",
    "stale": "版本较旧，不覆盖新内容",
    "unknown_item": "事项编码不在清单内",
    "not_applicable": "列入不适用审管联动的事项",
    "secret": "涉密或工作秘密，不予接收",
    "before_go_live": "上线前的存量办件，只入台账",
}


def reason_name(code: str | None) -> str:
    """The Chinese name of a reason; an unknown code is shown as it is, none as nothing."""
    return REASONS.get(code, f"未登记的原因码 {code}") if code else ""
