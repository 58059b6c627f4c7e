"""What a person should know of an effect that stopped: whether it may be repeated, and what to do."""

from models.domain.lifecycles.effect import Channel


def may_repeat(channel: str, state: str, reason: str | None) -> str:
    """Whether asking again is safe, in one Chinese sentence."""
    if channel == Channel.SMS:
        return "不可重发：网关不识别本方编号，重发可能收到两条"
    if reason == "content_conflict":
        return "不要再试：对方以同一编号存有另一内容"
    if reason == "seal_broken":
        return "再试无用：密封内容打不开"
    if state == "refused":
        return "可以安全再试：对方没有存下，再发用同一编号"
    return "可以安全再试：对方识别本方编号，不会重复"


def what_to_do(channel: str, state: str, reason: str | None, *, case_no: str, own_id: str) -> str:
    """What to do now, in one or two Chinese sentences with the commands for it."""
    decide = f"确定不再发送的，运行 shenguan decide {own_id} --by 账户 --note 理由"
    if channel == Channel.SMS:
        if state == "held" and reason != "restored":
            release = f"由两人先后运行部署 release-held（动作编号 {own_id}，各用自己的账户与一次性口令）"
            told = f"没有收到又等不及的，{release}，再发一次"
            return f"消息已并入下一条汇总短信；请致电联络员核实：{told}；{decide}"
        return f"消息已并入下一条汇总短信；请致电联络员核实；{decide}"
    if reason == "content_conflict":
        return "请与对方核对以哪一份为准，由源头发来新版本"
    if reason == "seal_broken":
        return "请从备份恢复这一条，或由源头发来新版本；打得开之后才能再试。报联动运维岗"
    again = f"点 Retry，或运行 shenguan rerun {case_no} --by 账户"
    if state == "refused":
        return f"数据有误的，在源头更正，新版本会自动替代；对方已改好的，{again}；{decide}"
    return f"{again}；再次暂挂的，保留日志报联动运维岗"
