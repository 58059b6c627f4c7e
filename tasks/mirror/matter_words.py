"""An open matter as people read it: the name of its run, its sentence, and the table of what waits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models.domain.messages import CHANNELS, EFFECT_KINDS, STAGES, SYSTEMS, state_name
from models.domain.reasons import answer_name, reason_name
from models.domain.stopped import may_repeat
from models.domain.workdays import SHANGHAI
from models.ledger.bulk import Conn
from models.ledger.queries import matters

LISTED = 100
"""Rows of a table; the sentence above it says how many there are in all."""

_Row = Mapping[str, Any]
_REMEDY = {
    matters.BREAKER: "系统定时试探，恢复后自动按先后继续，不会重复；请联系对方",
    matters.NO_PHONE: "请在联络员名册补上手机号，再运行 shenguan load-city --liaisons 名册；推送本身已到达",
    matters.HELD_TEXTS: "消息已并入下一条汇总短信；致电联络员核实后，不再发送的运行 shenguan decide 动作编号"
    "；须再发一次的，由两人先后运行部署 release-held，填表中的动作编号",
    "unknown_item": "请补充事项清单或列入不适用，再运行 shenguan load-city；停住的办件会自动继续",
    "credit_check_refused": "请人工查询信用并留存凭据",
}
_ELSE = "处理办法见值班手册；全部事件单：shenguan incidents"


def name_of(row: _Row) -> str:
    """The name of the matter's run."""
    kind, thing = row["kind"], row["thing"]
    if kind == matters.BREAKER:
        system, _, target = thing.partition("/")
        if target:
            return f"监管部门不可达 · {row['department'] or target}"
        return f"{SYSTEMS.get(system, system)}不可达"
    if kind == matters.NO_PHONE:
        return f"{reason_name(kind)} · {row['department'] or ''}·{row['section'] or thing}"
    if kind == matters.HELD_TEXTS:
        return "短信被拒或暂挂，待人工"
    return f"{reason_name(kind)} · {thing}"


def sentence_of(row: _Row) -> str:
    """What its state says: what, since when, what to do, who until when. Counts stand in the table."""
    what = row["message"] or name_of(row)
    return (
        f"{what}。自 {_moment(row['since'])}。{_REMEDY.get(row['kind'], _ELSE)}。"
        f"负责：{row['owner']}，{_moment(row['due_at'])} 前。"
    )


async def tables_of(conn: Conn, rows: Sequence[_Row]) -> dict[str, tuple[str, list[dict[str, str]]]]:
    """By each matter's key: how much waits behind it, in one sentence, and the oldest of it as a table."""
    things: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        things[row["kind"]].append(row["thing"])
    targets = await matters.behind_targets(conn, things[matters.BREAKER], LISTED)
    items = await matters.behind_items(conn, things["unknown_item"], LISTED)
    sections = await matters.behind_sections(conn, things[matters.NO_PHONE], LISTED)
    texts = await matters.held_texts(conn, LISTED) if things[matters.HELD_TEXTS] else []
    told: dict[str, tuple[str, list[dict[str, str]]]] = {}
    for row in rows:
        kind, thing = row["kind"], row["thing"]
        if kind == matters.BREAKER:
            found = targets.get(thing, [])
            effects, cases = (found[0]["n"], found[0]["cases"]) if found else (0, 0)
            said, table = f"{effects} 项对外动作在等，涉及办件 {cases} 件", [_waiting(each) for each in found]
        elif kind == "unknown_item":
            found = items.get(thing, [])
            said = f"{found[0]['n'] if found else 0} 条办件记录停在此处"
            table = [_parked(each) for each in found]
        elif kind == matters.NO_PHONE:
            said, table = f"{row['count']} 条消息无人可发", [_news(each) for each in sections.get(thing, [])]
        elif kind == matters.HELD_TEXTS:
            said, table = f"{row['count']} 条短信待人工", [_text(each) for each in texts]
        else:
            said, table = f"{row['count']} 项", [{"事件": name_of(row), "说明": row["message"] or ""}]
        told[row["key"]] = said, table
    return told


def _parked(row: _Row) -> dict[str, str]:
    return {
        "办件": row["record_key"],
        "版本": str(row["record_version"] or ""),
        "收到": _moment(row["received_at"]),
    }


def _news(row: _Row) -> dict[str, str]:
    return {
        "办件": row["case_no"],
        "事项": row["item_name"],
        "环节": STAGES.get(row["stage"], row["stage"]),
        "自": _moment(row["business_at"]),
    }


def _waiting(row: _Row) -> dict[str, str]:
    return {
        "办件": row["case_no"] or "—",
        "事项": row["item_name"] or "—",
        "动作": CHANNELS.get(row["channel"], row["channel"]) + EFFECT_KINDS.get(row["stage"], ""),
        "状态": state_name("effect", row["state"]),
        "原因": reason_name(row["reason"]),
        "自": _moment(row["planned_at"]),
    }


def _text(row: _Row) -> dict[str, str]:
    return {
        "短信编号": row["reference"] or "—",
        "动作编号": row["own_id"],
        "状态": state_name("effect", row["state"]),
        "原因": reason_name(row["reason"]),
        "对方答复": answer_name(row["answer"]) or "没有答复",
        "能否重发": may_repeat("sms", row["state"], row["reason"]),
        "自": _moment(row["answered_business"]),
        "负责": row["owner"] or "—",
        "期限": _moment(row["due_at"]),
    }


def _moment(at: datetime | None) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") if at else "—"
