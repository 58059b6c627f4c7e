"""The form of a bulk rerun: Chinese choices that Prefect's UI draws as lists, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal, get_args

from pydantic import Field

from models.domain.errors import ShenguanError
from models.domain.messages import CHANNELS, EFFECT_KINDS
from models.domain.reasons import REASONS
from models.domain.workdays import SHANGHAI
from models.ledger.queries.bulk_rerun import Filter

ALL: Literal["全部"] = "全部"
ChannelChoice = Literal["全部", "推送", "撤回推送", "回传审批方", "信用报送"]
StageChoice = Literal["全部", "受理", "办结", "撤回", "监管反馈", "信用记录", "行政许可", "行政处罚"]
ReasonChoice = Literal[
    "全部",
    "对方按规则拒收",
    "对方称报文格式有误",
    "对方称报文过大",
    "对方存有不同内容",
    "对方不认签名，请核对密钥与时钟",
    "对方答复不在约定之内",
    "处理该件时进程多次中断",
    "多次未成，待人工处理",
    "密封内容无法打开，可能被改动",
]
Day = Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
LIMIT = 10_000


class WrongForm(ShenguanError):  # noqa: N818 - named as the finding it is
    """The form cannot be followed. ``why`` is Chinese."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(field, why)
        self.field = field
        self.why = why

    def __str__(self) -> str:
        return f"{self.field}：{self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to run again, and how many at most; ``said`` is the filter in one Chinese line."""

    chosen: Filter
    limit: int
    said: str


def wanted(
    *,
    channel: str = ALL,
    department: str = "",
    stage: str = ALL,
    reason: str = ALL,
    since: str = "",
    until: str = "",
    limit: int = LIMIT,
) -> Wanted:
    """The form as a filter. Days are those of Asia/Shanghai, the last one included.

    Raises:
        WrongForm: a choice nobody offered, a day that is none, or a limit out of bounds.
    """
    department = department.strip()
    if not 1 <= limit <= LIMIT:
        raise WrongForm("最多件数", f"应为 1 至 {LIMIT}")
    begin, end = _day("起始日期", since), _day("截止日期", until)
    if begin and end and end < begin:
        raise WrongForm("截止日期", "早于起始日期")
    chosen = Filter(
        channel=_code("渠道", channel, ChannelChoice, CHANNELS),
        department=department or None,
        stage=_code("环节", stage, StageChoice, EFFECT_KINDS),
        reason=_code("原因", reason, ReasonChoice, REASONS),
        since=begin,
        until=end + timedelta(days=1) if end else None,
    )
    parts = [f"渠道 {channel}", f"部门 {department or ALL}", f"环节 {stage}", f"原因 {reason}"]
    parts.append(f"日期 {since.strip() or '不限'} 至 {until.strip() or '不限'}，最多 {limit} 项")
    return Wanted(chosen=chosen, limit=limit, said="，".join(parts))


def _code(field: str, said: str, choices: object, names: Mapping[str, str]) -> str | None:
    if said == ALL:
        return None
    if said not in get_args(choices):
        raise WrongForm(field, f"没有“{said}”这一项，可选：{'、'.join(get_args(choices))}")
    return next(code for code, name in names.items() if name == said)


def _day(field: str, said: str) -> datetime | None:
    if not said.strip():
        return None
    try:
        day = datetime.strptime(said.strip(), "%Y-%m-%d")  # noqa: DTZ007 - a day; its zone is ours
    except ValueError:
        raise WrongForm(field, "应写作 2026-03-01 这样的日期，或留空") from None
    return datetime.combine(day.date(), time(), SHANGHAI).astimezone(UTC)
