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
    "held_texts": "短信被拒或暂挂",
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
    "seal_broken": "密封内容无法打开，可能被改动",
    "credit_check_refused": "信用系统拒绝查询，待人工查询",
    "killed_worker": "处理该件时进程多次中断",
    "worker_lost": "发送途中进程中断，结果待复核",
    "asked_again": "经人工要求再试",
    "released": "经两人放行，再发一次",
    "journal_unwritable": "本机外发日志写不进磁盘，未发出，稍后重试",
    "senders_locked": "外发已锁定，待对账",
    "journal_missing": "本机缺少外发日志",
    "journal_broken": "本机外发日志不可信",
    "gateway_refused": "该短信网关不为本方发送，改由备用网关",
    "looked_up": "向短信网关查询后得知",
    "late_proof": "暂挂后收到回执，证明已发出",
    "adopted": "对账认定对方已接收",
    "lost_there": "对方出具回执后又丢失，补发",
    "taken_over": "台账恢复后按对方所存补认，原文不在本台账",
    "restored": "台账恢复前已外发，不再重发，待人工核对",
    "reconcile_difference": "对账差异",
    "arrival_missing": "应由他方报送的信用信息未到",
    "asked_to_wait": "对方要求暂缓超过五分钟",
    "step_failing": "步骤一再出错",
    "lease_too_short": "剩余时间不够一次调用，下一轮再发",
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
    "decided": "办结推送被拒，经人工裁定不再发送",
    "abnormal_news": "又有异常反馈",
    "result_corrected": "办理结果已更正",
    "withdrawn_at_source": "源头撤回该办件",
    "recall_due": "源头撤回，待通知监管部门",
    "reinstated": "源头恢复该办件",
    "routed": "已找到监管部门",
    "newer_version": "内容已有新版本",
    "folded": "并入汇总短信",
    "department_replaced": "部门职责已由继任部门承接",
    # what admission says of a record
    "repeated": "重复记录，内容未变",
    "stale": "版本较旧，不覆盖新内容",
    "credit_to_correct": "已报信用的决定被撤回或更正，须人工更正信用信息",
    "unknown_item": "事项编码不在清单内",
    "evidence_stopped": "留痕无法封存",
    "months_missing": "以后各月的分区没有预建",
    "evidence_broken": "留痕日志与签名头不符",
    "not_applicable": "列入不适用审管联动的事项",
    "secret": "涉密或工作秘密，不予接收",
    "before_go_live": "上线前的存量办件，只入台账",
    "unknown_text": "回执对不上本方发出的短信",
    # the rule a record breaks (quarantine); the record's own sentence stands beside it
    "not-json": "不是有效的 JSON",
    "too-deep": "嵌套过深",
    "too-large": "超过大小上限",
    "control-character": "含有空字符",
    "missing-field": "缺少必填字段",
    "unknown-field": "有约定之外的字段",
    "unknown-value": "值不在约定范围内",
    "unknown-status": "状态代码不在对照表内",
    "not-text": "应为文本",
    "not-integer": "应为整数",
    "not-time": "日期或时间无效",
    "not-date": "日期格式不符",
    "wrong-shape": "结构不符合约定",
    "rule-broken": "不合业务规则",
    "version-conflict": "同一版本先后两份内容",
    "orphan": "找不到对应的办件或许可",
    "case-quarantined": "所指办件的记录尚在隔离中",
    "wrong-department": "反馈部门没有该项职责",
    "no-approver": "没有对应的审批部门",
    "malformed-receipt": "短信回执格式不符",
    # the rule a row of a department's file breaks
    "ragged": "格数与表头不符",
    "charset": "字符编码不符",
    "open-quote": "引号不成对",
    "row-too-large": "一行过长",
    "cell-too-large": "一格过长",
    "number-too-long": "数字被表格软件改动",
}

ANSWERS: Mapping[str, str] = {
    # what the other side said, by the codes of the wires
    "malformed": "报文格式有误",
    "signature-missing": "缺少签名",
    "signature-invalid": "签名不符",
    "signature-expired": "签名已过期，请核对时钟",
    "nonce-replayed": "随机数已用过",
    "unknown-key": "不认识我方密钥编号",
    "not-found": "没有该记录",
    "method-not-allowed": "不接受该方法",
    "content-conflict": "已存有不同内容",
    "too-large": "报文过大",
    "media-type": "不接受该报文类型",
    "rule-broken": "不合对方规则",
    "throttled": "要求稍后再发",
    "not-processed": "声明未处理",
    "refused": "拒收",
    "IllegalMac": "校验不符，请核对接口密码",
    "InvalidUsrOrPwd": "账号或密码不对",
    "IllegalSignId": "签名编码无效",
    "NoSignId": "没有签名编码",
    "InvalidMessage": "短信内容不被接受",
    "InvalidMobile": "手机号不被接受",
    "DupMobile": "手机号重复",
    "TooManyMobiles": "手机号过多",
    "SignatureDoesNotMatch": "签名不符，请核对密钥",
    "InvalidAccessKeyId.NotFound": "不认识我方密钥编号",
    "isp.RAM_PERMISSION_DENY": "密钥没有发送权限",
    "InvalidTimeStamp.Expired": "签名已过期，请核对时钟",
    "SignatureNonceUsed": "随机数已用过",
    "Throttling.User": "要求稍后再发",
    "isv.BUSINESS_LIMIT_CONTROL": "超过发送频率，要求稍后再发",
    "isv.OUT_OF_SERVICE": "账户已停用，请续费",
    "isv.ACCOUNT_ABNORMAL": "账户异常",
    "isv.AMOUNT_NOT_ENOUGH": "账户余额不足",
    "isv.SMS_SIGNATURE_ILLEGAL": "短信签名不合法或未备案",
    "isv.SMS_TEMPLATE_ILLEGAL": "短信模板不合法或未审核",
    "isv.MOBILE_NUMBER_ILLEGAL": "手机号不被接受",
    "isv.INVALID_PARAMETERS": "参数不被接受",
    "isv.BLACK_KEY_CONTROL_LIMIT": "短信内容含有禁用词",
    "ConnectError": "连接不上",
    "ConnectTimeout": "连接超时",
    "PoolTimeout": "等待空闲连接超时",
    "ReadError": "读取答复时中断",
    "ReadTimeout": "等待答复超时",
    "WriteError": "发送途中中断",
    "RemoteProtocolError": "对方中途断开",
    "TimeoutError": "超过总时限",
}
_ITEM = "item:"
_NOTE = "note:"


def reason_name(code: str | None) -> str:
    """The Chinese name of a reason; an unknown code is shown as it is, none as nothing.

    ``item:<code>`` is an item nobody has listed, ``note:<words>`` what a person wrote.
    """
    if not code:
        return ""
    if code.startswith(_ITEM):
        return f"{REASONS['unknown_item']}（{code.removeprefix(_ITEM)}）"
    if code.startswith(_NOTE):
        return code.removeprefix(_NOTE)
    return REASONS.get(code, f"未登记的原因码 {code}")


def note(words: str) -> str:
    """What a person wrote, as a reason of the timeline."""
    return f"{_NOTE}{words}"


def answer_name(answer: str | None) -> str:
    """What the other side answered, in Chinese where its code is known, with the fields it named."""
    if not answer:
        return ""
    code, _, fields = answer.partition(": ")
    named = ANSWERS.get(code)
    if named is None:
        return answer
    return f"{named}（{code}）：{fields}" if fields else f"{named}（{code}）"
