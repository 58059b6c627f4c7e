"""双公示 as the credit system checks it: fields, lengths, lists, check digits, dates.

发改办财金〔2018〕424号, data standard 发改办财金〔2018〕790号, the 2018 set of codes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from adapters.sandbox.checks import identity_fits, organisation_fits, uscc_fits
from adapters.sandbox.shapes import PATTERNS, Error, day, error
from adapters.sandbox.workdays import Workdays

LEGAL, NATURAL, TRADER = "法人及非法人组织", "自然人", "个体工商户"
PUBLISH_WITHIN = 7
_ID_KINDS = ["身份证", "护照号", "港澳居民来往内地通行证", "台湾居民来往大陆通行证", "外国人永久居留身份证"]
_LICENCE_KINDS = ["普通", "特许", "认可", "核准", "登记"]
_PENALTIES = [
    "警告",
    "通报批评",
    "罚款",
    "没收违法所得",
    "没收非法财物",
    "暂扣许可证件",
    "降低资质等级",
    "吊销许可证件",
    "限制开展生产经营活动",
    "责令停产停业",
    "责令关闭",
    "限制从业",
    "行政拘留",
]
_JOINED = re.compile("[、，,；;]")


@dataclass(frozen=True, slots=True)
class Column:
    """One data item. ``needed``: Y always, L 法人及非法人, O 法人 and 个体, N 自然人, empty never."""

    most: int
    needed: str = ""
    form: str = "text"


def _party(prefix: str) -> dict[str, Column]:
    short = {
        "XDR_MC": Column(200, "Y"),
        "XDR_LB": Column(16, "Y", "party-kind"),
        "XDR_SHXYM": Column(18, "O", "uscc"),
        "XDR_GSZC": Column(50),
        "XDR_ZZJG": Column(9, "", "organisation"),
        "XDR_SWDJ": Column(15),
        "XDR_SYDW": Column(12),
        "XDR_SHZZ": Column(50),
        "FRDB": Column(50, "L"),
        "FR_ZJLX": Column(64, "", "id-kind"),
        "FR_ZJHM": Column(64),
        "XDR_ZJLX": Column(64, "N", "id-kind"),
        "XDR_ZJHM": Column(64, "N"),
    }
    return {f"{prefix}_{name}": column for name, column in short.items()}


XK = _party("XK") | {
    "XK_XKWS": Column(64, "Y"),
    "XK_WSH": Column(64, "Y"),
    "XK_XKLB": Column(256, "Y", "licence-kind"),
    "XK_XKZS": Column(64),
    "XK_XKBH": Column(64),
    "XK_NR": Column(4000, "Y"),
    "XK_JDRQ": Column(10, "Y", "date"),
    "XK_YXQZ": Column(10, "Y", "date"),
    "XK_YXQZI": Column(10, "Y", "date"),
    "XK_XKJG": Column(200, "Y"),
    "XK_XKJGDM": Column(18, "Y", "uscc"),
    "XK_ZT": Column(1, "Y", "state"),
    "XK_LYDW": Column(200, "Y"),
    "XK_LYDWDM": Column(18, "Y", "uscc"),
    "BZ": Column(512),
}
CF = _party("CF") | {
    "CF_WSH": Column(64, "Y"),
    "CF_WFXW": Column(2000, "Y"),
    "CF_SY": Column(5000, "Y"),
    "CF_YJ": Column(2000, "Y"),
    "CF_CFLB": Column(1000, "Y", "penalties"),
    "CF_NR": Column(4000, "Y"),
    "CF_NR_FK": Column(19, "", "amount"),
    "CF_NR_WFFF": Column(19, "", "amount"),
    "CF_NR_ZKDX": Column(200),
    "CF_JDRQ": Column(10, "Y", "date"),
    "CF_YXQ": Column(10, "", "date"),
    "CF_GSJZQ": Column(10, "Y", "date"),
    "CF_CFJG": Column(200, "Y"),
    "CF_CFJGDM": Column(18, "Y", "uscc"),
    "CF_SJLY": Column(200, "Y"),
    "CF_SJLYDM": Column(18, "Y", "uscc"),
    "BZ": Column(512),
}
_NEEDED_BY = {LEGAL: "YLO", TRADER: "YO", NATURAL: "YN"}


def record_errors(kind: str, record: Mapping[str, Any], *, today: date, workdays: Workdays) -> list[Error]:
    """Every rule the record breaks; empty when the credit system takes it."""
    table = XK if kind == "XK" else CF
    found: list[Error] = []
    for name, value in record.items():
        column = table.get(name)
        if column is None:
            found.append(error(name[:64], "unknown-field", "不是本类数据项"))
        elif not isinstance(value, str):
            found.append(error(name, "type", "应为字符串"))
        elif len(value) > column.most:
            found.append(error(name, "length", f"超过 {column.most} 字"))
        elif "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            found.append(error(name, "characters", "含有不能存储的字符"))
        elif value and (rule := _broken(column.form, value)):
            found.append(error(name, rule, "不合规则"))
    if found:
        return found
    found += _missing(table, kind, record)
    found += _identity(kind, record)
    if kind == "CF":
        found += _penalty(record)
    return found + _dates(kind, record, today, workdays)


def subject_of(kind: str, record: Mapping[str, str]) -> str:
    """The number under which the party is known: credit code, or the natural person's document."""
    return record.get(f"{kind}_XDR_SHXYM") or record.get(f"{kind}_XDR_ZJHM") or ""


def _broken(form: str, value: str) -> str:  # noqa: PLR0911 - one a form
    """The name of the broken rule, or nothing."""
    parts = _JOINED.split(value) if form == "penalties" else [value]
    lists = {"id-kind": _ID_KINDS, "licence-kind": _LICENCE_KINDS, "penalties": _PENALTIES}
    if form in lists:
        ok = all(p in lists[form] or (p.startswith("其他-") and len(p) > len("其他-")) for p in parts)
        return "" if ok else "enum"
    if form == "party-kind":
        return "" if value in _NEEDED_BY else "enum"
    if form == "state":
        return "" if value in {"1", "2"} else "enum"
    if form == "uscc":
        return "" if uscc_fits(value) else "check-digit"
    if form == "organisation":
        return "" if organisation_fits(value) else "check-digit"
    if form == "date":
        return "" if day(value) else "format"
    if form == "amount":
        return "" if PATTERNS["amount"].fullmatch(value) else "format"
    return ""


def _missing(table: Mapping[str, Column], kind: str, record: Mapping[str, str]) -> list[Error]:
    needed = _NEEDED_BY.get(record.get(f"{kind}_XDR_LB", ""), "Y")
    return [
        error(name, "required", "缺少必填项")
        for name, column in table.items()
        if column.needed and column.needed in needed and not record.get(name, "").strip()
    ]


def _identity(kind: str, record: Mapping[str, str]) -> list[Error]:
    found = []
    if record.get(f"{kind}_XDR_LB") == NATURAL and record.get(f"{kind}_XDR_SHXYM"):
        found.append(error(f"{kind}_XDR_SHXYM", "blank", "自然人不填统一社会信用代码"))
    for who in ("XDR", "FR"):
        number = record.get(f"{kind}_{who}_ZJHM", "")
        if number and record.get(f"{kind}_{who}_ZJLX") == "身份证" and not identity_fits(number):
            found.append(error(f"{kind}_{who}_ZJHM", "check-digit", "身份证号码校验不符"))
    return found


def _penalty(record: Mapping[str, str]) -> list[Error]:
    kinds = record.get("CF_CFLB", "")
    asked = (("罚款", "CF_NR_FK"), ("没收", "CF_NR_WFFF"), ("暂扣", "CF_NR_ZKDX"), ("吊销", "CF_NR_ZKDX"))
    return [
        error(name, "required", f"处罚类别含{word}时必填")
        for word, name in asked
        if word in kinds and not record.get(name, "").strip()
    ]


def _dates(kind: str, record: Mapping[str, str], today: date, workdays: Workdays) -> list[Error]:
    found = []
    decided = day(record.get(f"{kind}_JDRQ", ""))
    if decided is None:
        return []
    if decided > today:
        found.append(error(f"{kind}_JDRQ", "future", "决定日期晚于今天"))
    elif not workdays.within(decided, today, PUBLISH_WITHIN):
        found.append(error(f"{kind}_JDRQ", "late", f"超过决定之日起 {PUBLISH_WITHIN} 个工作日"))
    first, last = ("XK_YXQZ", "XK_YXQZI") if kind == "XK" else ("CF_JDRQ", "CF_GSJZQ")
    begins, ends = day(record.get(first, "")), day(record.get(last, ""))
    if begins and ends and ends < begins:
        found.append(error(last, "order", f"不能早于 {first}"))
    return found
