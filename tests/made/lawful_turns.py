"""What a correct system may do, so that nothing may be counted."""

from typing import Any

from made_records import DUTIES, FIRE, OFFICE, case, digest
from made_world import World
from turns import call_everybody, drop, row_of, say_in_a_text

# --- what a correct system may do without a count


def refused_with_owner(world: World) -> None:
    taken = drop(world.credit, "XK|文A1号")
    row_of(world, taken[0]["own_id"]).update(state="refused", **OFFICE)


def waiting_for_the_morning(world: World) -> None:
    row = next(row for row in world.said if row["kind"] == "news")
    effect = row_of(world, row["sms_own_id"])
    world.sms[:] = [line for line in world.sms if line["receipt"] != effect["receipt"]]
    effect.update(state="planned", receipt=None, **OFFICE)
    row["receipt"] = None


def liaison_without_a_phone(world: World) -> None:
    none: dict[str, Any] = {"id": "LL-none", "department": FIRE, "section": "check", "phone": None}
    world.liaisons.append(none)
    rows = [r for r in world.said if r["kind"] == "news" and r["liaison"] == f"LL-{FIRE}"]
    effect = row_of(world, rows[0]["sms_own_id"])
    world.said.remove(effect)
    world.sms[:] = [line for line in world.sms if line["receipt"] != effect["receipt"]]
    rows[0].update(state="no_phone", liaison="LL-none", sms_own_id=None, receipt=None, **OFFICE)


def both_stages_in_one_poll(world: World) -> None:
    first, second = case("P1", "30", 1), case("P1", "90", 2)
    world.serve("cases", 3, first)
    world.serve("cases", 3.01, second)
    world.push(second, "completion")
    world.report(second)
    world.say("case", case_no="P1", state="settled", mode="live")


def newer_version_first(world: World) -> None:
    first, second = case("P1", "30", 1), case("P1", "90", 2)
    world.serve("cases", 5, second)
    world.serve("cases", 6, first)
    world.push(second, "completion")
    world.report(second)
    world.say("case", case_no="P1", state="settled", mode="live")


def a_few_slipped_records(world: World) -> None:
    for number in range(2):
        first, second = case(f"P{number}", "30", 1), case(f"P{number}", "90", 2)
        world.serve("cases", 0, first)
        world.serve("cases", 5, second)
        world.push(second, "completion")
        world.report(second)
        world.say("case", case_no=f"P{number}", state="settled", mode="live")


def withdrawn_before_anything_left(world: World) -> None:
    world.serve("cases", 3, case("P1", "30", 1))
    world.serve("cases", 20, case("P1", "30", 2, operation="d"))
    for supervised, department, _ in DUTIES:
        key = f"P1|acceptance|{department}|{supervised}"
        fields: dict[str, Any] = {
            "channel": "push",
            "business_key": key,
            "content_version": 1,
            "content_sha256": "0" * 64,
        }
        world.say("effect", own_id=key, state="superseded", **fields)


def reinstated_and_told_again(world: World) -> None:
    record = case("C1", "90", 4)
    world.serve("cases", 12, record)
    for line in [line for line in world.platform if line["business_key"].startswith("C1|completion")]:
        own_id = f"{line['own_id']}-again"
        world.platform.append(dict(line) | {"own_id": own_id, "content_version": 2})
        world.said.append(dict(row_of(world, line["own_id"])) | {"own_id": own_id, "content_version": 2})
        world.text(own_id, line["business_key"].split("|")[2])


def doubtful_record_in_quarantine(world: World) -> None:
    record = case("Q1", "90", 1)
    record["party"] = record["party"] | {"name": "拟\x00商行"}
    world.serve("cases", 2, record)
    world.say("quarantine", record_kind="case", record_key="Q1", rule="control-character", **OFFICE)


def moments_in_another_offset(world: World) -> None:
    for line in world.platform:
        if line["kind"] == "push":
            line["content"] = line["content"] | {"accepted_at": "2026-03-02T01:00:00+00:00"}
            line["content_sha256"] = row_of(world, line["own_id"])["content_sha256"] = digest(line["content"])


def code_with_a_shops_short_name_in_it(world: World) -> None:
    call_everybody(world, "WADA")
    say_in_a_text(world, "食品科：某项许可已受理，编号ZWADAPAC")
