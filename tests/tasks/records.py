"""Invented records as the outside's own systems send them. Nobody of these exists."""

import itertools
import json
from datetime import datetime, timedelta

from adapters.sandbox.world.identity import mobile, party_code
from adapters.values import RawItem

NOW = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
"""A Tuesday; the list went live nine days before."""

LABOUR = "11430900PDY00001X63001900018000"
"""劳务派遣经营许可: one duty, at the city's labour department; ours to report."""
LABOUR_DUTY = "01439100002800"
FOOD = "11430903PDY000255N4001900001000"
"""食品经营许可: two duties, at the county's market and urban departments, by place of business."""
CHEMICALS = "11430900PDY00001X63001900004000"
"""危险化学品经营许可: urgent."""
HOMESTEAD = "11430903PDY000255N4001900034000"
"""农村宅基地和自建房审批: normal results are returned too."""
CLINICS = "11430900PDY00001X63001900006000"
"""医疗机构执业登记: two sections of one department."""
SILENT = "11430900PDY00001X63001900026000"
TRIAL = "11430900PDY00001X63001900042000"
NOT_APPLICABLE = "11430900PDY00001X63020990001000"
UNKNOWN = "11430900PDY00001X63001900999000"
APPROVAL, APPROVAL_NAME = "11430900PDY00001X6", "益阳市数据局"

ARRIVING, ARRIVES = range(900_001, 900_004), "2026-03-25"
"""The cases whose department reports the licence to the credit system itself, and the day it does."""

_serial = itertools.count(5000)


def serial():
    """A number nobody else got."""
    return next(_serial)


def party(number):
    """The ``number``-th invented company."""
    return {
        "name": f"益阳市拟测{number}有限公司",
        "kind": "法人及非法人组织",
        "id_type": "统一社会信用代码",
        "id_number": party_code("91", number),
        "legal_person": "王拟安",
        "contact": "李拟明",
        "phone": mobile(90_000_000 + number),
        "address": f"湖南省益阳市赫山区拟江路{number}号",
    }


def case(number, *, version=1, item=LABOUR, place="430903", at=NOW, **changes):
    """An accepted case's record."""
    return {
        "case_no": f"ZZ{number:08d}",
        "data_version": version,
        "operation": "i" if version == 1 else "u",
        "changed_at": at.isoformat(),
        "region": "430903",
        "secrecy": "none",
        "place_of_business": {"region": place, "address": f"拟江路{number}号门面"},
        "item_code": item,
        "item_name": "某项许可",
        "department": item[:18],
        "status": "30",
        "result": None,
        "accepted_at": NOW.isoformat(),
        "completed_at": None,
        "document": None,
        "licence_number": None,
        "licence_action": None,
        "content": None,
        "decided_on": None,
        "valid_from": None,
        "valid_to": None,
        "attachments": [],
        "party": party(number),
        "credit_check": None,
        "parent_case_no": None,
    } | changes


def granted(number, *, version=2, at=NOW, **changes):
    """The record of a case that was granted on the day of ``at``."""
    return case(
        number,
        version=version,
        at=at,
        **{
            "status": "90",
            "result": "40",
            "completed_at": at.isoformat(),
            "document": {"title": "行政许可决定书", "number": f"拟许〔2026〕{number}号"},
            "licence_number": f"XK{number:08d}",
            "licence_action": "issue",
            "content": "劳务派遣经营",
            "decided_on": at.date().isoformat(),
            "valid_from": at.date().isoformat(),
            "valid_to": (at.date() + timedelta(days=1000)).isoformat(),
        }
        | changes,
    )


def withdrawn(number, *, version=2, **changes):
    """The record that says the case is gone."""
    return case(number, version=version, operation="d", **changes)


def feedback(number, department, *, version=1, kind="inspection", **changes):
    """A failed inspection of the ``number``-th case."""
    return {
        "feedback_no": f"FZ{number:08d}",
        "version": version,
        "operation": "i" if version == 1 else "u",
        "changed_at": NOW.isoformat(),
        "department": department,
        "section": None,
        "supervision_item": None,
        "case_no": f"ZZ{number:08d}",
        "licence_number": None,
        "item_code": None,
        "party": None,
        "kind": kind,
        "push_receipt": None,
        "happened_on": NOW.date().isoformat(),
        "result": "不符合" if kind == "inspection" else None,
        "handling": "限期整改" if kind == "inspection" else None,
        "rectification": None,
        "rectification_due": None,
        "measures": [],
        "summary": "检查情况",
        "penalty": None,
    } | changes


def credit_record(number, *, version=1, **changes):
    """An entry on the list of the seriously untrustworthy."""
    about = party(number)
    return {
        "record_no": f"SZ{number:08d}",
        "version": version,
        "operation": "entry",
        "changed_at": NOW.isoformat(),
        "category": "严重失信主体名单",
        "party": {name: about[name] for name in ("name", "id_type", "id_number")},
        "measures": [{"code": "CJ-07", "basis": "国办发〔2020〕42号"}],
        "from": "2026-03-01",
        "to": "2029-03-01",
        "source_own_id": None,
    } | changes


def raw(record):
    """The record as the feed's reader hands it on; bytes go as they are."""
    if isinstance(record, bytes):
        return RawItem(record, None)
    return RawItem(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode(), record)
