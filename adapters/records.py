"""Inward records read strictly: exact bytes in, a frozen record out, or the rule they break in Chinese.

No message names a value: a record is known by its number, a rule by the field's name.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.domain.errors import BrokenRecord
from models.domain.record import CaseRecord, CreditRecord, FeedbackRecord

R = TypeVar("R")

SIZE_LIMIT = 64 * 1024
"""Bytes of one record; the largest lawful one is about 20 kB."""

_RULES: Mapping[str, tuple[str, str]] = {
    "missing": ("missing-field", "缺少字段“{field}”"),
    "extra_forbidden": ("unknown-field", "有约定之外的字段“{field}”"),
    "unexpected_keyword_argument": ("unknown-field", "有约定之外的字段“{field}”"),
    "string_type": ("not-text", "字段“{field}”应为文本"),
    "int_type": ("not-integer", "字段“{field}”应为整数"),
    "literal_error": ("unknown-value", "字段“{field}”的值不在约定范围内"),
    "json_invalid": ("not-json", "不是有效的 JSON"),
}
_TIME_RULE = ("not-time", "字段“{field}”不是有效的日期或带时区的时间")
_SHAPE_RULE = ("wrong-shape", "字段“{field}”的结构不符合约定")


def parse_case(raw: bytes, record_key: str) -> CaseRecord:
    """The case record in these bytes.

    Raises:
        BrokenRecord: with the first rule it breaks.
    """
    return _parse(CaseRecord, raw, record_key)


def parse_feedback(raw: bytes, record_key: str) -> FeedbackRecord:
    """The supervision result in these bytes.

    Raises:
        BrokenRecord: with the first rule it breaks.
    """
    return _parse(FeedbackRecord, raw, record_key)


def parse_credit_record(raw: bytes, record_key: str) -> CreditRecord:
    """The credit record in these bytes; the wire's ``from`` and ``to`` are its validity.

    Raises:
        BrokenRecord: with the first rule it breaks.
    """

    def renamed(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        names = {"from": "valid_from", "to": "valid_to"}
        return {names.get(name, name): field for name, field in value.items()}

    return _parse(CreditRecord, raw, record_key, renamed)


def _parse(kind: type[R], raw: bytes, record_key: str, prepare: Callable[[Any], Any] | None = None) -> R:
    if len(raw) > SIZE_LIMIT:
        raise BrokenRecord(record_key, "too-large", f"记录超过{SIZE_LIMIT // 1024}KB")
    if b"\\u0000" in raw:
        raise BrokenRecord(record_key, "control-character", "文本中含有空字符（U+0000）")
    try:
        if prepare is not None:
            raw = json.dumps(prepare(json.loads(raw))).encode()
        record: R = _ADAPTERS[kind].validate_json(raw, strict=True)
    except ValidationError as error:
        rule, message = _first_rule(error)
        raise BrokenRecord(record_key, rule, message) from None
    except (ValueError, RecursionError):
        raise BrokenRecord(record_key, "not-json", "不是有效的 JSON") from None
    return record


_ADAPTERS: Mapping[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (CaseRecord, FeedbackRecord, CreditRecord)
}

_FIELD_NAME = re.compile(r"(?!.*[0-9]{6})[A-Za-z][A-Za-z0-9_]{0,39}")
"""A stranger's field name could hold anything, a person's name or number too: only these are repeated."""


def _first_rule(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_url=False, include_context=True, include_input=False)[0]
    field = ".".join(
        str(part) for part in first["loc"] if isinstance(part, int) or _FIELD_NAME.fullmatch(part)
    )
    if first["type"] == "value_error":
        return "rule-broken", str(first["ctx"]["error"])
    if first["type"].startswith(("date", "time")):
        rule, sentence = _TIME_RULE
    else:
        rule, sentence = _RULES.get(first["type"], _SHAPE_RULE)
    return rule, sentence.format(field=field or "（名称不规范）")
