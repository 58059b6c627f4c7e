"""A small right world, made by hand: what was served, what is held, what we say of it.

Standard library only, and none of the comparer's own code: the tests would else share its errors.
"""

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from made_records import (
    APPROVAL,
    ASIDE,
    BEGINS,
    CITY,
    DUTIES,
    LIVE,
    OFFICE,
    PARTY_CODE,
    PHONES,
    SILENT,
    STRANGE,
    TRIAL,
    case,
    credit_record,
    day,
    digest,
    feedback,
    push_content,
)


class World:
    """Files in the making; every method also keeps the statement in step."""

    def __init__(self) -> None:
        self.feed: list[dict[str, Any]] = []
        self.platform: list[dict[str, Any]] = []
        self.credit: list[dict[str, Any]] = []
        self.sms: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.city = dict(CITY)
        self.liaisons: list[dict[str, Any]] = [
            {
                "id": f"LL-{code}",
                "department": code,
                "section": section,
                "name": "拟丙",
                "phone": PHONES[code],
            }
            for _, code, section in DUTIES
        ]
        self.minute = 0

    def serve(self, feed: str, at: float, record: Any) -> None:
        """A record appears in a feed, that many days after the beginning."""
        self.feed.append({"feed": feed, "published_at": day(at), "record": copy.deepcopy(record)})

    def say(self, kind: str, **fields: Any) -> dict[str, Any]:
        """A line of our statement."""
        line = {"kind": kind, **fields}
        self.said.append(line)
        return line

    def store(self, channel: str, key: str, content: Any, version: int = 1, **more: Any) -> str:
        """An effect is stored over there and called accepted here; its own id."""
        self.minute += 1
        own_id = f"{channel}-{self.minute}"
        at = (BEGINS + timedelta(days=7, minutes=self.minute)).isoformat()
        line: dict[str, Any] = {
            "at": at,
            "machine_at": at,
            "own_id": own_id,
            "business_key": key,
            "outcome": "stored",
        }
        line |= {"kind": more.pop("kind", channel), "content_version": version, "content": content}
        line |= {"content_sha256": digest(content), "receipt": {"number": f"R{self.minute}"}, "target": "-"}
        (self.credit if channel == "credit_report" else self.platform).append(line | more)
        fields = {"channel": channel, "business_key": key, "content_version": version, "state": "accepted"}
        self.say("effect", own_id=own_id, content_sha256=line["content_sha256"], **fields)
        return own_id

    def push(self, record: dict[str, Any], stage: str, version: int = 1, *, told: bool = True) -> list[str]:
        """Both duties' pushes of a stage, and unless silent the texts about them."""
        own_ids = []
        for supervised, department, section in DUTIES:
            key = f"{record['case_no']}|{stage}|{department}|{supervised}"
            own_id = self.store("push", key, push_content(record, stage), version, section=section)
            own_ids.append(own_id)
            if told:
                self.text(own_id, department)
        return own_ids

    def text(self, push_own_id: str, department: str) -> None:
        """One text about one push, for the department's liaison."""
        self.minute += 1
        own_id, group = f"sms-{self.minute}", f"G{self.minute}"
        text = f"食品科：某项许可已受理，推送至贵单位，编号K{self.minute}"
        at = (BEGINS + timedelta(days=7, minutes=self.minute)).isoformat()
        line = {"at": at, "machine_at": at, "own_id": None, "target": PHONES[department], "outcome": "stored"}
        content = {"content": text}
        self.sms.append(line | {"content": content, "content_sha256": digest(content), "receipt": group})
        about = {"own_id": own_id, "channel": "sms", "business_key": own_id, "content_version": 1}
        self.say("effect", **about, content_sha256=digest(content), state="delivered", receipt=group)
        news = {"push_own_id": push_own_id, "liaison": f"LL-{department}", "sms_own_id": own_id}
        self.say("news", **news, state="folded", receipt=group)

    def report(self, record: dict[str, Any]) -> str:
        """The licence goes to the credit system."""
        number = record["document"]["number"]
        content = {
            "XK_XDR_MC": record["party"]["name"],
            "XK_XDR_LB": record["party"]["kind"],
            "XK_XDR_SHXYM": record["party"]["id_number"],
            "XK_XKWS": "决定书",
            "XK_WSH": number,
            "XK_XKBH": record["licence_number"],
            "XK_JDRQ": "2026/03/07",
            "XK_YXQZ": "2026/03/07",
            "XK_YXQZI": "2027/03/06",
            "XK_ZT": "1",
        }
        return self.store("credit_report", f"XK|{number}|hash", content, kind="XK")

    def full_case(self, number: str) -> list[dict[str, Any]]:
        """A live case from acceptance to credit, settled."""
        accepted, completed = case(number, "30", 1), case(number, "90", 2)
        self.serve("cases", 0, accepted)
        self.serve("cases", 5, completed)
        self.push(accepted, "acceptance")
        self.push(completed, "completion")
        self.report(completed)
        self.say("case", case_no=number, state="settled", result="granted", mode="live", data_version=2)
        return [accepted, completed]

    def files(self, room: Path) -> list[str]:
        """Writes everything down; the comparer's arguments."""
        (room / "city").mkdir(exist_ok=True)
        for name, text in self.city.items():
            (room / "city" / name).write_text(text, encoding="utf-8")
        (room / "liaisons.json").write_text(json.dumps(self.liaisons), encoding="utf-8")
        feeds = {"platform-feed": ("cases", "feedback"), "credit-feed": ("records",)}
        books: dict[str, list[dict[str, Any]]] = {
            name: [line for line in self.feed if line["feed"] in kinds] for name, kinds in feeds.items()
        }
        books |= {"platform-ledger": self.platform, "credit-ledger": self.credit}
        books |= {"sms-ledger": self.sms, "statement": self.said}
        arguments = ["--city-dir", str(room / "city"), "--liaisons", str(room / "liaisons.json")]
        for name, rows in books.items():
            path = room / f"{name}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            arguments += [f"--{name}", str(path)]
        return arguments


def right_world() -> World:
    """A world in which everything owed is there, once, and everything else is accounted for."""
    world = World()
    world.full_case("A1")
    world.full_case("A2|有竖线")

    opened = case("B1", "30", 1)
    world.serve("cases", 1, opened)
    world.push(opened, "acceptance")
    world.say("case", case_no="B1", state="accepted", mode="live")

    gone, done = case("C1", "30", 1), case("C1", "90", 2)
    world.serve("cases", 1, gone)
    world.serve("cases", 5, done)
    world.serve("cases", 9, case("C1", "90", 3, operation="d"))
    withdrawn = [*world.push(gone, "acceptance"), *world.push(done, "completion")]
    world.report(done)
    for place, (supervised, department, section) in enumerate(DUTIES):
        content = {"case_no": "C1", "reason": "源头撤回", "withdraws": withdrawn[place::2]}
        world.store("recall", f"C1|recall|{department}|{supervised}", content, section=section)
    world.say("case", case_no="C1", state="voided", mode="live")

    first, second, third = case("D1", "30", 1), case("D1", "90", 2), case("D1", "90", 3)
    third["party"] = third["party"] | {"phone": "19911113333"}
    for at, record in ((0, first), (5, second), (6, third)):
        world.serve("cases", at, record)
    world.push(first, "acceptance")
    world.push(second, "completion")
    world.push(third, "completion", 2)
    world.report(third)
    world.say("case", case_no="D1", state="settled", mode="live")

    trial = case("E1", "30", 1, item_code=TRIAL)
    world.serve("cases", 1, trial)
    world.push(trial, "acceptance", told=False)
    world.say("case", case_no="E1", state="accepted", mode="trial")
    for number, code in (("F1", SILENT), ("G1", ASIDE)):
        world.serve("cases", 1, case(number, "90", 1, item_code=code))
    world.say("case", case_no="F1", state="settled", mode="silent")
    world.say("count", name="cases_not_applicable", value=1)
    world.serve("cases", 1, case("H1", "90", 1, item_code=STRANGE))
    world.say("incident", incident_kind="unknown_item", key=STRANGE, count=1, owner="审管联动科")
    world.serve("cases", 1, case("I1", "90", 1, secrecy="secret", item_code=LIVE))
    world.say("count", name="cases_secret", value=1)
    world.serve("cases", 1, case("J1", "55", 1))
    world.say("quarantine", record_kind="case", record_key="J1", rule="status", **OFFICE)
    world.serve("cases", 1, ["不是", "对象"])
    world.say("quarantine", record_kind="case", record_key="无编号-abc", rule="not-json", **OFFICE)

    # nobody's county: the market duty waits in the dispatching queue, the fire duty goes
    lost = case("K1", "30", 1, place_of_business={"region": "430903", "address": None})
    world.serve("cases", 1, lost)
    supervised, department, section = DUTIES[1]
    key = f"K1|acceptance|{department}|{supervised}"
    world.text(world.store("push", key, push_content(lost, "acceptance"), section=section), department)
    world.say(
        "handover", case_no="K1", supervision_item=DUTIES[0][0], department=None, state="planned", **OFFICE
    )
    world.say("case", case_no="K1", state="accepted", mode="live")

    world.serve("feedback", 8, feedback("FK1", "read", "A1"))
    world.serve("feedback", 8, feedback("FK2", "inspection", "A1", result="符合", handling="通过"))
    bad = feedback("FK3", "inspection", "A1", result="不符合", handling="移交执法")
    world.serve("feedback", 8, bad)
    told = {name: bad[name] for name in ("feedback_no", "kind", "result", "handling", "case_no", "version")}
    world.store("return", f"FK3|feedback|{APPROVAL}", told, return_kind="feedback")
    penalty = {
        "CF_WSH": "罚1号",
        "CF_XDR_MC": "拟安商行",
        "CF_XDR_SHXYM": PARTY_CODE,
        "CF_JDRQ": "2026-03-10",
    }
    fined = feedback("FK4", "penalty", "A1", penalty=penalty, measures=["罚款"])
    world.serve("feedback", 9, fined)
    told = {name: fined[name] for name in ("feedback_no", "kind", "measures")}
    world.store("return", f"FK4|feedback|{APPROVAL}", told, return_kind="feedback")
    world.store("credit_report", "CF|罚1号|hash", penalty, kind="CF")
    stray = feedback("FK5", "inspection", "A1", department="STRANGER", result="不符合", handling="限期整改")
    world.serve("feedback", 9, stray)
    world.say("quarantine", record_kind="feedback", record_key="FK5", rule="wrong-department", **OFFICE)

    for version in (1, 2):
        record = credit_record("XJ1", version)
        world.serve("records", 3 + version * 40, record)
        told = {name: record[name] for name in ("record_no", "version", "operation", "category", "party")}
        world.store("return", "XJ1|credit_record|platform", told, version, return_kind="credit_record")
    return world
