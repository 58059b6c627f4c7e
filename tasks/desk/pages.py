"""The desk's pages as markdown: one that tells in ten seconds whether all is well, and what is behind it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from adapters.prefect_api.artifacts import MarkdownPage
from models.domain.messages import CHANNELS, state_name
from models.domain.workdays import SHANGHAI
from tasks.desk.drawing import AMBER, BLUE, GREEN, GREY, RED, Bar, Tile, bars, card, columns, picture
from tasks.desk.facts import Desk, Level
from tasks.operators.accounts import DOORS, GUESSED_HOURS

_COLOURS = {Level.FINE: GREEN, Level.ATTENTION: AMBER, Level.BAD: RED}
_FLOW = {
    "accepted": "受理",
    "completed": "办结",
    "pushed": "推送到达",
    "claimed": "认领",
    "read": "已阅",
    "returned": "回传审批方",
    "reported": "信用报送",
    "texted": "短信提醒",
}
_SLOW_MIRROR_S = 30.0
_DAY = range(7, 22)
_ROWS = 50


def pages(desk: Desk) -> tuple[MarkdownPage, ...]:
    """All of them, the overview first."""
    return tuple(MarkdownPage(key, title, draw(desk)) for key, title, draw in _PAGES)


def overview(desk: Desk) -> str:
    """Whether all is well: the light, the numbers, today by stage and hour, what to look at first."""
    level, said = desk.verdict
    status = desk.status
    tiles = [
        Tile("今日受理", str(desk.flow["accepted"])),
        Tile("今日推送到达", str(desk.flow["pushed"])),
        Tile("待发", str(sum(_waiting(desk).values()))),
        Tile("被拒 / 暂挂", f"{status.refused} / {status.held}", _of(status.refused + status.held, AMBER)),
        Tile("逾期", str(status.overdue_total), _of(status.overdue_total, RED)),
        Tile("事件单 / 隔离", f"{len(status.incidents)} / {_quarantined(desk)}", _of(_open(desk), AMBER)),
        Tile("对账完整率", _complete(desk), _of(_unexplained(desk), RED)),
        Tile("未阅联动单", str(desk.unread)),
        Tile("短信送达", _delivered(desk), _of(desk.texts["stopped"], AMBER)),
        Tile("界面滞后", f"{status.mirror_lag_s:.0f} 秒", _of(status.mirror_lag_s > _SLOW_MIRROR_S, AMBER)),
    ]
    under = f"业务时间 {_at(status.clock.business)}　更新于 {_at(status.clock.machine)}"
    colour = _COLOURS[level]
    stages = [Bar(name, ((desk.flow[key], BLUE),), str(desk.flow[key])) for key, name in _FLOW.items()]
    hours = [(f"{hour}时", desk.by_hour.get(hour, 0)) for hour in _DAY]
    night = sum(count for hour, count in desk.by_hour.items() if hour not in _DAY)
    return "\n\n".join(
        [
            picture(said, card(said, under, tiles, colour=colour)),
            *_first_look(desk),
            picture("今日各环节", bars("今日各环节（件）", stages)),
            picture("今日各时段推送", columns("今日各时段推送到达（件）", [*hours, ("夜间", night)])),
        ]
    )


def stopped(desk: Desk) -> str:
    """What stands in front of a person, the most pressing first."""
    status = desk.status
    parts = [f"被拒 {status.refused} 项，暂挂 {status.held} 项；最急的在前，至多 {_ROWS} 项。"]
    parts.append(
        _table(
            ("办件", "动作", "对方", "现状", "原因", "对方答复", "负责", "期限", "编号"),
            [
                (
                    each.case_no or "—",
                    CHANNELS.get(each.channel, each.channel),
                    each.target,
                    state_name("effect", each.state),
                    each.reason,
                    each.answer,
                    each.owner,
                    _due(each.due_at, overdue=each.overdue),
                    each.own_id,
                )
                for each in status.stopped[:_ROWS]
            ],
            "没有被拒或暂挂的。",
        )
    )
    parts.append(
        "怎么办：数据有误由来源更正，新版自动替代；对方已改好，用部署 **rerun-failed** 批量重试；"
        "暂挂的短信须两人用 **release-held** 放行；确定不再发送的，`shenguan decide`。"
    )
    return "\n\n".join(parts)


def departments(desk: Desk) -> str:
    """Today by department, and who has not read what they have claimed."""
    shown = [each for each in desk.departments if each.pushed or each.waiting or each.stopped][:20]
    rows = [
        Bar(
            each.department,
            ((each.pushed, BLUE), (each.waiting, GREY), (each.stopped, RED)),
            f"到达 {each.pushed}　待发 {each.waiting}　需处理 {each.stopped}",
        )
        for each in shown
    ]
    legend = (("到达", BLUE), ("待发", GREY), ("需处理", RED))
    unread = sorted((each for each in desk.departments if each.unread), key=lambda each: -each.unread)
    return "\n\n".join(
        [
            picture("今日各部门", bars("今日各部门推送（件）", rows, legend=legend)),
            picture(
                "未阅联动单",
                bars(
                    "未阅联动单（件）",
                    [Bar(e.department, ((e.unread, AMBER),), str(e.unread)) for e in unread[:20]],
                ),
            ),
            _table(
                ("部门", "未阅", "最早认领于"),
                [(each.department, str(each.unread), _at(each.oldest_unread)) for each in unread[:_ROWS]],
                "没有未阅的联动单。",
            ),
        ]
    )


def matters(desk: Desk) -> str:
    """Dead targets, incidents, quarantine, queues: each with its owner and day."""
    status = desk.status
    parts = ["## 中断的对方系统"]
    parts.append(
        _table(
            ("对方", "自", "最后答复"),
            [(each.name, _at(each.since), each.answer) for each in desk.dead],
            "没有。",
        )
    )
    parts += ["## 最近一次对账", _reconciled(desk), "## 经办人口令", _codes(desk)]
    groups = (
        ("事件单", status.incidents),
        ("隔离记录", status.quarantine),
        ("待分派", status.dispatching),
        ("无手机号", status.no_phone),
    )
    for name, found in groups:
        rows = [
            (
                each.kind,
                each.key,
                each.message,
                str(each.count),
                each.owner,
                _due(each.due_at, overdue=each.overdue),
            )
            for each in found[:_ROWS]
        ]
        parts += [f"## {name}", _table(("种类", "所指", "说明", "件数", "负责", "期限"), rows, "没有。")]
    return "\n\n".join(parts)


def texts(desk: Desk) -> str:
    """Today's texts by what became of them."""
    names = {
        "delivered": ("已送达", GREEN),
        "accepted": ("网关已收，待回执", BLUE),
        "planned": ("待发", GREY),
        "undelivered": ("未送达", RED),
        "unknown": ("结果未明", AMBER),
        "held": ("已暂挂", AMBER),
        "refused": ("被拒", RED),
    }
    rows = [
        Bar(name, ((desk.texts.get(state, 0), colour),), str(desk.texts.get(state, 0)))
        for state, (name, colour) in names.items()
    ]
    said = f"今日短信送达 {_delivered(desk)}；等人处理的短信共 {desk.texts['stopped']} 条。"
    return "\n\n".join([picture("今日短信", bars("今日短信（条）", rows)), said])


_PAGES: Sequence[tuple[str, str, Callable[[Desk], str]]] = (
    ("desk-1-overview", "联动概况：十秒看懂是否正常", overview),
    ("desk-2-stopped", "暂挂与被拒：等人处理的推送、报送与短信", stopped),
    ("desk-3-departments", "各部门：今日推送与未阅", departments),
    ("desk-4-matters", "事件与逾期：中断、事件单、隔离、待分派", matters),
    ("desk-5-texts", "短信回执", texts),
)


def _first_look(desk: Desk) -> list[str]:
    """The few lines that say where to look first; none when nothing is the matter."""
    status = desk.status
    names = {"effects": "被拒或暂挂", "quarantine": "隔离记录", "incidents": "事件单"}
    names |= {"no_phone": "无手机号", "dispatching": "待分派"}
    lines = [f"- **逾期** {count} 项：{names[what]}" for what, count in status.overdue.items() if count]
    lines += [f"- **中断** {each.name}，自 {_at(each.since)}" for each in desk.dead[:5]]
    lines += [
        f"- **事件单** {each.kind} {each.key}：{each.message}（{each.count} 条）"
        for each in status.incidents[:5]
    ]
    waiting = {"待分派": desk.dispatching, "无手机号": desk.no_phone}
    lines += [f"- **{name}** {count} 项，见“事件与逾期”" for name, count in waiting.items() if count]
    lines += [
        f"- **口令** {each.name} 在{DOORS[each.door]}连续 {each.wrong_codes} 次错误，见“事件与逾期”"
        for each in desk.guessed[:5]
    ]
    if unexplained := _unexplained(desk):
        lines.append(f"- **对账** {unexplained} 条差异未解释，见“事件与逾期”")
    return ["\n".join(lines)] if lines else []


def _waiting(desk: Desk) -> dict[str, int]:
    waiting: dict[str, int] = {}
    for each in desk.status.waiting:
        if not each.what.startswith("inbox:"):
            waiting[each.what] = waiting.get(each.what, 0) + each.count
    return waiting


def _quarantined(desk: Desk) -> int:
    return sum(each.count for each in desk.status.quarantine)


def _open(desk: Desk) -> int:
    return len(desk.status.incidents) + _quarantined(desk)


def _unexplained(desk: Desk) -> int:
    return sum(each.unexplained for each in desk.reconciled)


def _complete(desk: Desk) -> str:
    ours = sum(each.ours for each in desk.reconciled)
    agreed = sum(each.agreed for each in desk.reconciled)
    # cut, not rounded: nearly all is not all
    return f"{int(1000 * agreed / ours) / 10:g}%" if ours else "—"


def _reconciled(desk: Desk) -> str:
    rows = [
        (each.system, str(each.day), str(each.ours), str(each.agreed), str(each.unexplained))
        for each in desk.reconciled
    ]
    return _table(("系统", "业务日", "我方", "对方一致", "未解释"), rows, "还没有对过账。")


def _codes(desk: Desk) -> str:
    rows = [
        (each.name, DOORS[each.door], str(each.wrong_codes), _at(each.last_at), _at(each.waits_until))
        for each in desk.guessed
    ]
    said = f"{GUESSED_HOURS} 小时内使用不存在的账户名 {desk.unknown_names} 次。"
    heads = ("账户", "在何处", "连续错误", "最近一次", "此前不看口令")
    return f"{_table(heads, rows, '没有连续的错误口令。')}\n\n{said}"


def _delivered(desk: Desk) -> str:
    done = sum(desk.texts.get(state, 0) for state in ("delivered", "undelivered", "accepted"))
    return f"{desk.texts.get('delivered', 0)}/{done}" if done else "—"


def _of(matters_: object, colour: str) -> str:
    return colour if matters_ else "#1c2733"


def _at(moment: datetime | None) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") if moment else "—"


def _due(due_at: datetime, *, overdue: bool) -> str:
    return f"**逾期** {_at(due_at)}" if overdue else _at(due_at)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> str:
    if not rows:
        return none
    lines = [f"| {' | '.join(heads)} |", f"|{'--|' * len(heads)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: str) -> str:
    return value.replace("|", "／").replace("\n", " ").replace("<", "＜") or "—"
