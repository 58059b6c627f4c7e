"""双公示 records: built from a case or a penalty, and checked before they leave.

A decision is published within seven working days (发改办财金〔2018〕424号). The check says before
the call what the credit system would refuse, so that a person can mend it in time; the credit
system's own answer stays the last word. No finding repeats a value.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from models.domain.party_codes import check_id_card, clean_code
from models.domain.shuanggongshi_fields import (
    CF_FIELDS,
    LEGAL,
    NATURAL,
    OLDER_CODES,
    TRADER,
    XK_FIELDS,
    Field,
    Form,
    Need,
)
from models.domain.shuanggongshi_forms import REASONS, broken_form, day_of
from models.domain.workdays import Calendar

FOREVER = "2099-12-31"  # 长期
PUBLISH_WITHIN = 7  # working days after the decision
_DATE = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})", re.ASCII)
_IN_NEED: Mapping[Need, tuple[str, ...]] = {
    Need.LEGAL: (LEGAL,),
    Need.ORGANIZATION: (LEGAL, TRADER),
    Need.NATURAL: (NATURAL,),
    Need.OPTIONAL: (),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule of one field; ``message`` is the Chinese sentence a clerk reads."""

    field: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}:{self.rule}"


def xk_record(
    *,
    party_name: str,
    party_kind: str,
    id_type: str,
    id_number: str,
    document_title: str,
    document_number: str,
    content: str,
    decided_on: str,
    department_name: str,
    department_code: str,
    legal_person: str | None = None,
    licence_number: str | None = None,
    licence_name: str | None = None,
    licence_kind: str = "普通",
    valid_from: str | None = None,
    valid_to: str | None = None,
    state: str = "1",
    source_name: str | None = None,
    source_code: str | None = None,
    note: str | None = None,
) -> dict[str, str]:
    """One 行政许可 record; blank fields are left out.

    Dates are ``YYYY-MM-DD``. Without a document number the licence number stands in; without a
    beginning the decision's day, without an end 2099-12-31 (长期). ``state`` is 1 有效, 2 无效.
    """
    natural = party_kind == NATURAL
    return _filled(
        {
            "XK_XDR_MC": party_name,
            "XK_XDR_LB": party_kind,
            "XK_XDR_SHXYM": None if natural else id_number,
            "XK_FRDB": None if natural else legal_person,
            "XK_XDR_ZJLX": id_type if natural else None,
            "XK_XDR_ZJHM": id_number if natural else None,
            "XK_XKWS": document_title,
            "XK_WSH": document_number or licence_number,
            "XK_XKLB": licence_kind,
            "XK_XKZS": licence_name,
            "XK_XKBH": licence_number,
            "XK_NR": content,
            "XK_JDRQ": decided_on,
            "XK_YXQZ": valid_from or decided_on,
            "XK_YXQZI": valid_to or FOREVER,
            "XK_XKJG": department_name,
            "XK_XKJGDM": department_code,
            "XK_ZT": state,
            "XK_LYDW": source_name or department_name,
            "XK_LYDWDM": source_code or department_code,
            "BZ": note,
        }
    )


def cf_record(penalty: Mapping[str, str | None]) -> dict[str, str]:
    """One 行政处罚 record out of a feedback's penalty fields: known codes only, blanks left out.

    Codes of the 2016 set are renamed, dates written with slashes are rewritten, and the credit
    code is cleaned; a field filled twice keeps its 2018 code's text.
    """
    renamed = modern_codes(penalty)
    record = _filled({field.code: renamed.get(field.code) for field in CF_FIELDS})
    for field in CF_FIELDS:
        if field.form is Form.DATE and (match := _DATE.fullmatch(record.get(field.code, ""))):
            record[field.code] = "-".join(match.groups())
        elif field.form is Form.USCC and field.code in record:
            record[field.code] = clean_code(record[field.code])
    return _filled(record)


def modern_codes(record: Mapping[str, str | None]) -> dict[str, str | None]:
    """The record under the codes of the 2018 set; a code that is there already wins."""
    renamed = {OLDER_CODES.get(code, code): text for code, text in record.items() if code in OLDER_CODES}
    return renamed | {code: text for code, text in record.items() if code not in OLDER_CODES and text}


def check_xk(
    record: Mapping[str, str], today: date, calendar: Calendar, fields: Iterable[Field] = XK_FIELDS
) -> tuple[Finding, ...]:
    """Every rule this 行政许可 record breaks on ``today`` (Asia/Shanghai), in the fields' order.

    Rules: required, length, signs, choice, date, amount, uscc-*, organization-* and id-* (see
    party_codes), unexpected, future, late (more than seven working days after the decision), order.
    """
    return (
        *_by_table(record, tuple(fields), "XK"),
        *_decision(record, "XK_JDRQ", today, calendar),
        *_order(record, "XK_YXQZ", "XK_YXQZI", "有效期至早于有效期自"),
    )


def check_cf(
    record: Mapping[str, str], today: date, calendar: Calendar, fields: Iterable[Field] = CF_FIELDS
) -> tuple[Finding, ...]:
    """Every rule this 行政处罚 record breaks; as :func:`check_xk`, and what its kinds ask for."""
    return (
        *_by_table(record, tuple(fields), "CF"),
        *_by_kind(record),
        *_decision(record, "CF_JDRQ", today, calendar),
        *_order(record, "CF_JDRQ", "CF_GSJZQ", "公示截止期早于处罚决定日期"),
    )


def _filled(record: Mapping[str, str | None]) -> dict[str, str]:
    return {code: text.strip() for code, text in record.items() if text and text.strip()}


def _by_table(record: Mapping[str, str], fields: tuple[Field, ...], prefix: str) -> list[Finding]:
    kind = record.get(f"{prefix}_XDR_LB", "")
    findings = []
    for field in fields:
        text = record.get(field.code, "")
        if text.strip():
            findings += _of_text(field, text, record, prefix)
        elif field.need is Need.ALL or kind in _IN_NEED.get(field.need, ()):
            findings.append(Finding(field.code, "required", f"{field.name}必填"))
    known = {field.code for field in fields}
    findings += [Finding(code, "unexpected", "不是本类数据项") for code in record if code not in known]
    if kind == NATURAL and record.get(f"{prefix}_XDR_SHXYM"):
        findings.append(Finding(f"{prefix}_XDR_SHXYM", "unexpected", "自然人不填统一社会信用代码"))
    return findings


def _of_text(field: Field, text: str, record: Mapping[str, str], prefix: str) -> list[Finding]:
    if field.length and len(text) > field.length:
        return [Finding(field.code, "length", f"{field.name}超过 {field.length} 个字符")]
    type_of = {f"{prefix}_XDR_ZJHM": f"{prefix}_XDR_ZJLX", f"{prefix}_FR_ZJHM": f"{prefix}_FR_ZJLX"}
    is_id_card = field.code in type_of and record.get(type_of[field.code]) == "身份证"
    rule = check_id_card(text) if is_id_card else broken_form(field, text)
    return [Finding(field.code, rule, f"{field.name}不合规则（{REASONS[rule]}）")] if rule else []


def _by_kind(record: Mapping[str, str]) -> list[Finding]:
    kinds = record.get("CF_CFLB", "")
    asked = {
        "CF_NR_FK": ("罚款", "罚款须填罚款金额（万元）"),
        "CF_NR_WFFF": ("没收", "没收须填没收金额（万元）"),
        "CF_NR_ZKDX": ("暂扣|吊销", "暂扣或吊销须填证照名称及编号"),
    }
    return [
        Finding(code, "required", message)
        for code, (kind, message) in asked.items()
        if re.search(kind, kinds) and not record.get(code, "").strip()
    ]


def _decision(record: Mapping[str, str], code: str, today: date, calendar: Calendar) -> list[Finding]:
    decided = day_of(record.get(code, ""))
    if decided is None:
        return []
    if decided > today:
        return [Finding(code, "future", "决定日期晚于今天")]
    if calendar.working_days_between(decided, today) > PUBLISH_WITHIN:
        return [Finding(code, "late", f"已超过决定之日起 {PUBLISH_WITHIN} 个工作日的报送期限")]
    return []


def _order(record: Mapping[str, str], first: str, second: str, message: str) -> list[Finding]:
    begins, ends = day_of(record.get(first, "")), day_of(record.get(second, ""))
    return [Finding(second, "order", message)] if begins and ends and ends < begins else []
