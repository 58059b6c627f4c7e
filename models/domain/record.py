"""What the outside tells us: a case's record, a supervision result, a credit record.

The shapes are the wire's own, read strictly; every rule that a record can break is named here.
Fields are documented in ``adapters/contracts``.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from models.domain.item_codes import check_case_no
from models.domain.person_numbers import is_of_a_person

PartyKind = Literal["法人及非法人组织", "自然人", "个体工商户"]
LicenceAction = Literal["issue", "renew", "change", "revoke", "cancel"]
FeedbackKind = Literal["read", "inspection", "measure", "penalty", "rectification", "policy"]

_READ_STRICTLY = {"extra": "forbid", "strict": True}
"""For the reader at the edge, which looks for it under this name in each class."""

NUMBER_LIMIT = 64
TEXT_LIMIT = 4000
FIRST_YEAR, LAST_YEAR = 1949, 2199
"""Years a record may name: far enough from the ends of the calendar to count days from any of them."""


class RuleBroken(ValueError):  # noqa: N818 - named as the finding it is
    """A rule of ours that a well-shaped record breaks; the message is Chinese, and names no value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """The party (行政相对人). All of it is personal data."""

    __pydantic_config__ = _READ_STRICTLY

    name: str
    kind: PartyKind
    id_type: str
    id_number: str
    legal_person: str | None = None
    contact: str | None = None
    phone: str | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        _limited("行政相对人名称", self.name, 200)
        _limited("证件号码", self.id_number, NUMBER_LIMIT)
        for label, value in (("联系人", self.contact), ("联系电话", self.phone), ("地址", self.address)):
            _limited(label, value, TEXT_LIMIT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where business is done: region code of 6 or 9 digits, and address."""

    __pydantic_config__ = _READ_STRICTLY

    region: str
    address: str | None = None

    def __post_init__(self) -> None:
        if not (self.region.isascii() and self.region.isdigit() and len(self.region) in {6, 9, 12}):
            raise RuleBroken("经营地行政区划代码应为6、9或12位数字")
        _limited("经营地址", self.address, TEXT_LIMIT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The decision's title and number (法律文书)."""

    __pydantic_config__ = _READ_STRICTLY

    title: str
    number: str

    def __post_init__(self) -> None:
        _limited("文书名称", self.title, 256)
        _limited("文书号", self.number, NUMBER_LIMIT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file's name and hash; the file itself stays where it is."""

    __pydantic_config__ = _READ_STRICTLY

    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformCreditCheck:
    """A credit look-up that the platform made at its own counter."""

    __pydantic_config__ = _READ_STRICTLY

    number: str
    checked_at: datetime
    grade: Literal["good", "ordinary", "bad"]

    def __post_init__(self) -> None:
        _with_offset("信用查询时间", self.checked_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseRecord:
    """One version of a case as its source tells it."""

    __pydantic_config__ = _READ_STRICTLY

    case_no: str
    data_version: int
    operation: Literal["i", "u", "d"]
    changed_at: datetime
    region: str
    secrecy: Literal["none"]
    place_of_business: Place
    item_code: str
    item_name: str
    department: str
    status: str
    accepted_at: datetime
    party: Party
    result: str | None = None
    completed_at: datetime | None = None
    document: Document | None = None
    licence_number: str | None = None
    licence_action: LicenceAction | None = None
    content: str | None = None
    decided_on: date | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    attachments: tuple[Attachment, ...] = ()
    credit_check: PlatformCreditCheck | None = None
    parent_case_no: str | None = None

    def __post_init__(self) -> None:
        _number("办件编号", self.case_no, self.accepted_at)
        _number("事项编码", self.item_code, self.accepted_at)
        for label, named in (
            ("关联办件编号", self.parent_case_no),
            ("受理部门", self.department),
            ("行政区划", self.region),
        ):
            _nobodys(label, named, self.accepted_at)
        if self.data_version < 1:
            raise RuleBroken("数据版本号应为正整数")
        _limited("事项名称", self.item_name, 256)
        _limited("许可编号", self.licence_number, NUMBER_LIMIT)
        _limited("许可内容", self.content, TEXT_LIMIT)
        for label, moment in (
            ("变更时间", self.changed_at),
            ("受理时间", self.accepted_at),
            ("办结时间", self.completed_at),
        ):
            _with_offset(label, moment)
        _in_range("决定日期", self.decided_on)
        _term(self.valid_from, self.valid_to)
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise RuleBroken("有效期止早于有效期起")


@dataclass(frozen=True, kw_only=True, slots=True)
class PartyReference:
    """How feedback without a case names its party."""

    __pydantic_config__ = _READ_STRICTLY

    name: str
    id_number: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackRecord:
    """One version of a supervision result; only abnormal ones need to be sent (三(二)2)."""

    __pydantic_config__ = _READ_STRICTLY

    feedback_no: str
    version: int
    operation: Literal["i", "u", "d"]
    changed_at: datetime
    department: str
    kind: FeedbackKind
    happened_on: date
    section: str | None = None
    supervision_item: str | None = None
    case_no: str | None = None
    licence_number: str | None = None
    item_code: str | None = None
    party: PartyReference | None = None
    push_receipt: str | None = None
    result: Literal["符合", "基本符合", "不符合"] | None = None
    handling: Literal["通过", "限期整改", "移交执法"] | None = None
    rectification: Literal["合格", "继续整改"] | None = None
    rectification_due: date | None = None
    measures: tuple[str, ...] = ()
    summary: str | None = None
    penalty: dict[str, str | None] | None = None

    def __post_init__(self) -> None:
        _number("反馈编号", self.feedback_no, self.changed_at)
        for label, named in (
            ("办件编号", self.case_no),
            ("事项编码", self.item_code),
            ("反馈部门", self.department),
        ):
            _nobodys(label, named, self.changed_at)
        if self.version < 1:
            raise RuleBroken("数据版本号应为正整数")
        _with_offset("变更时间", self.changed_at)
        _in_range("发生日期", self.happened_on)
        _in_range("整改期限", self.rectification_due)
        _limited("情况说明", self.summary, 2000)
        if self.kind == "penalty" and self.penalty is None:
            raise RuleBroken("行政处罚反馈缺少处罚信息")

    @property
    def abnormal(self) -> bool:
        """Whether the approval side must hear of it: anything but a passed inspection or a reading."""
        if self.kind == "read":
            return False
        if self.kind == "inspection":
            return self.result not in {None, "符合"} or self.handling not in {None, "通过"}
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A measure a credit record allows, and the list that allows it (失信惩戒措施基础清单)."""

    __pydantic_config__ = _READ_STRICTLY

    code: str
    basis: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditParty:
    """Whom a credit record is about."""

    __pydantic_config__ = _READ_STRICTLY

    name: str
    id_type: str
    id_number: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditRecord:
    """An entry, removal or repair in the credit system."""

    __pydantic_config__ = _READ_STRICTLY

    record_no: str
    version: int
    operation: Literal["entry", "removal", "repair"]
    changed_at: datetime
    category: str
    party: CreditParty
    measures: tuple[Measure, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    source_own_id: str | None = None

    def __post_init__(self) -> None:
        _number("信用记录编号", self.record_no, self.changed_at)
        if self.version < 1:
            raise RuleBroken("数据版本号应为正整数")
        _with_offset("变更时间", self.changed_at)
        _term(self.valid_from, self.valid_to)


def _limited(label: str, value: str | None, limit: int) -> None:
    if value is None:
        return
    if len(value) > limit:
        raise RuleBroken(f"{label}超过{limit}个字符")
    if "\x00" in value:
        raise RuleBroken(f"{label}含有空字符")


_NUMBER_RULES = {
    "case-no-empty": f"应为1至{NUMBER_LIMIT}个字符",
    "case-no-length": f"应为1至{NUMBER_LIMIT}个字符",
    "case-no-signs": "含有控制字符、竖线或首尾空格",
}


def _number(label: str, value: str, at: datetime) -> None:
    # Every number that enters a business key or a message keeps the case number's rule.
    if (rule := check_case_no(value)) is not None:
        raise RuleBroken(f"{label}{_NUMBER_RULES[rule]}")
    _nobodys(label, value, at)


def _nobodys(label: str, value: str | None, at: datetime) -> None:
    # What runs, pages and messages name a matter by is no person's number.
    _limited(label, value, NUMBER_LIMIT)
    if value is not None and is_of_a_person(value, year=at.year):
        raise RuleBroken(f"{label}疑似自然人的证件号码或手机号码，请联系来源更正")


def _with_offset(label: str, moment: datetime | None) -> None:
    if moment is None:
        return
    if moment.utcoffset() is None:
        raise RuleBroken(f"{label}缺少时区")
    _in_range(label, moment)


def _in_range(label: str, day: date | None) -> None:
    if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise RuleBroken(f"{label}的年份不在{FIRST_YEAR}至{LAST_YEAR}年之间")


def _term(begins: date | None, ends: date | None) -> None:
    _in_range("有效期起", begins)
    _in_range("有效期止", ends)
