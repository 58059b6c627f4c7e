"""A small city and clean records of it, made by hand.

Standard library only, and none of the comparer's own code: the tests would else share its errors.
"""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

APPROVAL, MARKET_A, FIRE, OLD_FIRE, TOWN = "APPROVAL", "MARKET-A", "FIRE", "FIRE-OLD", "TOWN"
LIVE, TRIAL, SILENT, ASIDE, STRANGE, INSTANT = "L" * 31, "T" * 31, "S" * 31, "N" * 31, "X" * 31, "I" * 31


def uscc(serial: int) -> str:
    """A credit code whose check digits hold."""
    signs, values = "0123456789ABCDEFGHJKLMNPQRTUWXY", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    body = f"PDY{serial:05d}"
    inner = 11 - sum(values.index(c) * w for c, w in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
    first = f"91430900{body}" + {10: "X", 11: "0"}.get(inner, str(inner))
    total = sum(signs.index(c) * 3**place % 31 for place, c in enumerate(first))
    return first + signs[(31 - total % 31) % 31]


PARTY_CODE = uscc(1)
OFFICE = {"owner": "审管联动科", "due_at": "2026-04-01T00:00:00+08:00"}
BEGINS = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
SCOPE = ["item_name", "item_code", "stage", "result", "document_number", "party_name", "phone", "accepted_at"]
REGIONS = (("430900", "某市", "city"), ("430902", "甲区", "county"), ("430903", "乙区", "county"))
CITY = {
    "departments.toml": f"""
[[department]]
code = "{APPROVAL}"
name = "审批局"
unit = "approval"
region = "430900"
role = "approval"
successor = ""
section = [{{ id = "window", name = "窗口" }}]
[[department]]
code = "{MARKET_A}"
name = "甲区市场局"
unit = "market"
region = "430902"
role = "supervision"
successor = ""
section = [{{ id = "food", name = "食品科" }}]
[[department]]
code = "{OLD_FIRE}"
name = "原消防队"
unit = "fire-old"
region = "430900"
role = "supervision"
successor = "{FIRE}"
section = [{{ id = "check", name = "检查科" }}]
[[department]]
code = "{FIRE}"
name = "消防队"
unit = "fire"
region = "430900"
role = "supervision"
successor = ""
section = [{{ id = "check", name = "检查科" }}]
""",
    "regions.toml": "".join(
        f'[[region]]\ncode = "{code}"\nname = "{name}"\nlevel = "{level}"\n'
        for code, name, level in (
            ("430900", "某市", "city"),
            ("430902", "甲区", "county"),
            ("430903", "乙区", "county"),
        )
    ),
    "status_codes.toml": "".join(
        f'[[status]]\nsource = "platform"\ncode = "{code}"\nresult = "{result}"\n'
        for code, result in (("30", ""), ("90", "40"), ("90", "50"), ("97", ""), ("98", ""), ("99", ""))
    ),
    "templates.toml": 'text = "{section}：{item}已{stage}，推送至贵单位，编号{reference}"\n',
}


def item(code: str, mode: str, *, instant: bool = False) -> str:
    """One item with two duties: the county's market office by place, the fire brigade by name."""
    return f"""
[[item]]
code = "{code}"
name = "某项许可"
kind = "01"
approval_department = "{APPROVAL}"
go_live_at = "2026-03-01T00:00:00+08:00"
mode = "{mode}"
stages = ["acceptance", "completion"]
instant = {str(instant).lower()}
observation_days = 5
scope = {json.dumps(SCOPE)}
reporter = "us"
return_normal = false
[[item.duty]]
supervision_item = "11111111111111"
role = "supervision"
unit = "market"
level = "county"
section = "food"
reply = "none"
[[item.duty]]
supervision_item = "22222222222222"
role = "supervision"
department = "{OLD_FIRE}"
section = "check"
reply = "none"
"""


CITY["catalog.toml"] = (
    f'version = "1"\nnot_applicable = ["{ASIDE}"]\n'
    + item(LIVE, "live")
    + item(TRIAL, "trial")
    + item(SILENT, "silent")
    + item(INSTANT, "live", instant=True)
)
DUTIES = (("11111111111111", MARKET_A, "food"), ("22222222222222", FIRE, "check"))
PHONES = {MARKET_A: "19900000001", FIRE: "19900000002"}


def digest(content: Any) -> str:
    """SHA-256 of the canonical form."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def day(number: float) -> str:
    """A moment that many days after the world begins."""
    return (BEGINS + timedelta(days=number)).isoformat()


def case(number: str, status: str, version: int, **other: Any) -> dict[str, Any]:
    """A clean case record; status 90 is granted unless said otherwise."""
    done = status != "30"
    record = {
        "case_no": number,
        "data_version": version,
        "operation": "i" if version == 1 else "u",
        "changed_at": day(version),
        "region": "430902",
        "secrecy": "none",
        "place_of_business": {"region": "430902", "address": "拟安路一号"},
        "item_code": LIVE,
        "item_name": "某项许可",
        "department": APPROVAL,
        "status": status,
        "result": "40" if status == "90" else None,
        "accepted_at": day(0),
        "completed_at": day(5) if done else None,
        "document": {"title": "决定书", "number": f"文{number}号"} if done else None,
        "licence_number": f"证{number}" if done else None,
        "licence_action": "issue" if done else None,
        "content": "准予" if done else None,
        "decided_on": "2026-03-07" if done else None,
        "valid_from": "2026-03-07" if done else None,
        "valid_to": "2027-03-06" if done else None,
        "attachments": [],
        "party": {
            "name": "拟安商行",
            "kind": "法人及非法人组织",
            "id_type": "统一社会信用代码",
            "id_number": PARTY_CODE,
            "legal_person": "拟甲",
            "contact": "拟乙",
            "phone": "19911112222",
            "address": "拟安路二号",
        },
        "credit_check": None,
        "parent_case_no": None,
    }
    return record | other


def feedback(number: str, kind: str, about: str, **other: Any) -> dict[str, Any]:
    """A clean feedback record of the market office."""
    record = {
        "feedback_no": number,
        "version": 1,
        "operation": "i",
        "changed_at": day(8),
        "department": MARKET_A,
        "section": "food",
        "supervision_item": "11111111111111",
        "case_no": about,
        "licence_number": None,
        "item_code": None,
        "party": None,
        "kind": kind,
        "push_receipt": None,
        "happened_on": "2026-03-10",
        "result": None,
        "handling": None,
        "rectification": None,
        "rectification_due": None,
        "measures": [],
        "summary": "",
        "penalty": None,
    }
    return record | other


def credit_record(number: str, version: int) -> dict[str, Any]:
    """A clean credit record."""
    return {
        "record_no": number,
        "version": version,
        "operation": "entry" if version == 1 else "repair",
        "changed_at": day(3 + version),
        "category": "严重失信主体名单",
        "party": {"name": "拟安商行", "id_type": "统一社会信用代码", "id_number": PARTY_CODE},
        "measures": [],
        "from": "2026-03-05",
        "to": None,
        "source_own_id": None,
    }


def push_content(record: dict[str, Any], stage: str) -> dict[str, Any]:
    """What the scope lets through of a record at a stage."""
    content = {
        "item_name": record["item_name"],
        "item_code": record["item_code"],
        "stage": stage,
        "party_name": record["party"]["name"],
        "phone": record["party"]["phone"],
        "accepted_at": record["accepted_at"],
    }
    if stage == "completion":
        content |= {"result": "granted", "document_number": record["document"]["number"]}
    return content
