"""Penalty decisions in 双公示 fields (2018 set): valid ones, and ones the credit system refuses."""

from collections.abc import Callable
from datetime import date, timedelta

from adapters.sandbox.world.parties import LEGAL, PERSON, Party

_KINDS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("警告", "给予警告。", {}),
    ("罚款", "罚款人民币2000元。", {"CF_NR_FK": "0.2"}),
    ("罚款", "罚款人民币12500元。", {"CF_NR_FK": "1.25"}),
    (
        "没收违法所得,罚款",
        "没收违法所得800元，罚款人民币5000元。",
        {"CF_NR_FK": "0.5", "CF_NR_WFFF": "0.08"},
    ),
    ("责令停产停业", "责令停产停业整顿15日。", {}),
)
_LATE = 45  # days between an old decision and its record


def penalty(serial: int, party: Party, department: dict[str, str], decided: date) -> dict[str, str]:
    """A decision that the credit system takes, unless its party is unknown there."""
    kind, text, amounts = _KINDS[serial % len(_KINDS)]
    fields = {
        "CF_XDR_MC": party.name,
        "CF_XDR_LB": party.kind,
        "CF_WSH": f"益执罚决〔2026〕{serial + 1:05d}号",
        "CF_WFXW": "未按许可条件从事经营活动",
        "CF_SY": "检查时发现现场与许可条件不一致，经责令限期整改后逾期未完成整改。",
        "CF_YJ": "依据行业管理有关法律、法规关于不再具备许可条件的规定。",
        "CF_CFLB": kind,
        "CF_NR": text,
        "CF_JDRQ": decided.isoformat(),
        "CF_GSJZQ": decided.replace(year=decided.year + 1).isoformat(),
        "CF_CFJG": department["name"],
        "CF_CFJGDM": department["code"],
        "CF_SJLY": department["name"],
        "CF_SJLYDM": department["code"],
    } | amounts
    if party.kind == PERSON:
        fields |= {"CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": party.id_number}
    else:
        fields["CF_XDR_SHXYM"] = party.id_number
    if party.kind == LEGAL and party.legal_person:
        fields["CF_FRDB"] = party.legal_person
    return fields


def spoiled(serial: int, fields: dict[str, str]) -> dict[str, str]:
    """The decision with one rule broken, another one for each serial."""
    return _BREAKS[serial % len(_BREAKS)](dict(fields))


def _ends_before_it_begins(fields: dict[str, str]) -> dict[str, str]:
    decided = date.fromisoformat(fields["CF_JDRQ"])
    return fields | {"CF_GSJZQ": (decided - timedelta(days=1)).isoformat()}


def _long_ago(fields: dict[str, str]) -> dict[str, str]:
    decided = date.fromisoformat(fields["CF_JDRQ"])
    return fields | {"CF_JDRQ": (decided - timedelta(days=_LATE)).isoformat()}


def _without_facts(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name != "CF_SY"}


def _unknown_kind(fields: dict[str, str]) -> dict[str, str]:
    return fields | {"CF_CFLB": "批评教育"}


_BREAKS: tuple[Callable[[dict[str, str]], dict[str, str]], ...] = (
    _long_ago,
    _ends_before_it_begins,
    _without_facts,
    _unknown_kind,
)
