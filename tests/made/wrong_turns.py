"""What a wrong system leaves over there: lost, doubled or unexpected effects."""

from collections.abc import Callable
from typing import Any

from made_records import (
    APPROVAL,
    DUTIES,
    FIRE,
    MARKET_A,
    OFFICE,
    SILENT,
    case,
    credit_record,
    day,
    digest,
    push_content,
)
from made_world import World
from turns import call_everybody, drop, row_of, say_in_a_text

# --- lost


def accepted_but_not_there(world: World) -> None:
    drop(world.platform, "A1|completion|FIRE")


def there_with_another_hash(world: World) -> None:
    line = next(line for line in world.platform if line["business_key"].startswith("A1|completion"))
    row_of(world, line["own_id"])["content_sha256"] = "0" * 64


def text_never_reached_the_gateway(world: World) -> None:
    world.sms.pop(0)


def report_never_arrived(world: World) -> None:
    drop(world.credit, "XK|文A1号")


def on_its_way_for_ever(world: World) -> None:
    taken = drop(world.platform, "B1|acceptance|FIRE")
    row_of(world, taken[0]["own_id"]).update(state="planned", **OFFICE)


# --- doubled


def stored_twice(world: World) -> None:
    world.platform.append(dict(world.platform[0]))


def same_business_under_another_id(world: World) -> None:
    again = dict(world.platform[0]) | {"own_id": "push-again"}
    world.platform.append(again)
    world.said.append(dict(row_of(world, world.platform[0]["own_id"])) | {"own_id": "push-again"})


def same_content_as_a_new_version(world: World) -> None:
    first = world.platform[0]
    world.platform.append(dict(first) | {"own_id": "push-again", "content_version": 2})
    row = dict(row_of(world, first["own_id"])) | {"own_id": "push-again", "content_version": 2}
    world.said.append(row)
    world.text("push-again", MARKET_A)


def text_sent_again(world: World) -> None:
    world.sms.append(dict(world.sms[0]) | {"receipt": "G-again"})


def two_digests_of_one_window(world: World) -> None:
    rows = [row for row in world.said if row.get("channel") == "sms"]
    rows[1]["business_key"] = rows[0]["business_key"]


def news_in_two_texts(world: World) -> None:
    push = next(row["push_own_id"] for row in world.said if row["kind"] == "news")
    world.text(push, MARKET_A)


def report_under_two_keys_versions(world: World) -> None:
    first = world.credit[0]
    world.credit.append(dict(first) | {"own_id": "again", "content_version": 2})
    world.said.append(dict(row_of(world, first["own_id"])) | {"own_id": "again", "content_version": 2})


def two_incidents_for_one_code(world: World) -> None:
    world.said.append(next(dict(row) for row in world.said if row["kind"] == "incident"))


# --- unexpected


def push_of(world: World, record: dict[str, Any], stage: str = "completion") -> None:
    world.push(record, stage, told=False)


def push_of_a_silent_item(world: World) -> None:
    push_of(world, case("F1", "90", 1, item_code=SILENT))


def push_of_a_secret_case(world: World) -> None:
    push_of(world, case("I1", "90", 1))


def push_of_a_malformed_record(world: World) -> None:
    push_of(world, case("J1", "90", 1))


def push_of_an_unheard_case(world: World) -> None:
    push_of(world, case("ZZZ", "90", 1))


def push_of_stock(world: World) -> None:
    old = case("S1", "90", 1, accepted_at="2026-02-01T09:00:00+08:00")
    world.serve("cases", 2, old)
    world.say("case", case_no="S1", state="settled", mode="stock")
    push_of(world, old)


def push_to_a_department_without_duty(world: World) -> None:
    content = push_content(case("A1", "90", 2), "completion")
    world.store("push", f"A1|completion|{APPROVAL}|11111111111111", content)


def push_with_a_field_out_of_scope(world: World) -> None:
    line = world.platform[0]
    line["content"] = line["content"] | {"address": "拟安路二号"}
    line["content_sha256"] = row_of(world, line["own_id"])["content_sha256"] = digest(line["content"])


def push_with_other_content(world: World) -> None:
    line = world.platform[0]
    line["content"] = line["content"] | {"phone": "19900009999"}
    line["content_sha256"] = row_of(world, line["own_id"])["content_sha256"] = digest(line["content"])


def push_to_the_wrong_section(world: World) -> None:
    world.platform[0]["section"] = "elsewhere"


def content_that_is_not_its_hash(world: World) -> None:
    world.platform[0]["content"] = world.platform[0]["content"] | {"stage": "受理"}


def effect_we_know_nothing_of(world: World) -> None:
    world.said.remove(row_of(world, world.platform[0]["own_id"]))


def acceptance_of_an_instant_item(world: World) -> None:
    record = case("V1", "30", 1, item_code="I" * 31)
    world.serve("cases", 2, record)
    world.say("case", case_no="V1", state="accepted", mode="live")
    push_of(world, record, "acceptance")


def recall_of_a_live_case(world: World) -> None:
    own_id = world.platform[0]["own_id"]
    content = {"case_no": "A1", "reason": "误", "withdraws": [own_id]}
    world.store("recall", f"A1|recall|{MARKET_A}|11111111111111", content)


def push_after_its_recall(world: World) -> None:
    done = case("C1", "90", 2)
    done["party"] = done["party"] | {"phone": "19911114444"}
    world.feed.insert(0, {"feed": "cases", "published_at": day(6), "record": done | {"data_version": 2}})
    world.push(done, "completion", 2)


def recall_with_more_than_it_may_say(world: World) -> None:
    line = next(line for line in world.platform if line["kind"] == "recall")
    line["content"] = line["content"] | {"party_name": "拟安商行"}
    line["content_sha256"] = row_of(world, line["own_id"])["content_sha256"] = digest(line["content"])


def normal_result_returned(world: World) -> None:
    told = {"feedback_no": "FK2", "kind": "inspection", "result": "符合", "handling": "通过"}
    world.store("return", f"FK2|feedback|{APPROVAL}", told)


def returned_to_another_department(world: World) -> None:
    told = {"feedback_no": "FK3", "kind": "inspection", "result": "不符合", "handling": "移交执法"}
    world.store("return", f"FK3|feedback|{FIRE}", told)


def stray_result_returned(world: World) -> None:
    told = {"feedback_no": "FK5", "kind": "inspection", "result": "不符合", "handling": "限期整改"}
    world.store("return", f"FK5|feedback|{APPROVAL}", told)


def made_up_credit_record_returned(world: World) -> None:
    record = credit_record("XJ9", 1)
    told = {name: record[name] for name in ("record_no", "version", "operation", "category")}
    world.store("return", "XJ9|credit_record|platform", told)


def refused_application_reported(world: World) -> None:
    record = case("W1", "90", 1, result="50")
    world.serve("cases", 2, record)
    content = push_content(record, "completion") | {"result": "refused"}
    for supervised, department, _ in DUTIES:
        key = f"W1|completion|{department}|{supervised}"
        world.text(world.store("push", key, content), department)
    world.report(record)
    world.say("case", case_no="W1", state="settled", mode="live")


def report_of_another_party(world: World) -> None:
    line = next(line for line in world.credit if line["business_key"].startswith("XK|文D1号"))
    line["content"] = line["content"] | {"XK_XDR_MC": "别家"}
    line["content_sha256"] = row_of(world, line["own_id"])["content_sha256"] = digest(line["content"])


def report_with_a_field_of_our_own(world: World) -> None:
    line = world.credit[0]
    line["content"] = line["content"] | {"PHONE": "1"}
    line["content_sha256"] = row_of(world, line["own_id"])["content_sha256"] = digest(line["content"])


def text_with(words: str) -> Callable[[World], None]:
    def spoiled(world: World) -> None:
        say_in_a_text(world, f"食品科：某项许可已受理{words}，编号K0")

    return spoiled


def text_with_a_short_name(world: World) -> None:
    call_everybody(world, "RL")
    say_in_a_text(world, "食品科：RL的某项许可已受理，编号K0")


def text_to_a_stranger(world: World) -> None:
    world.sms[0]["target"] = "19912345678"


def text_to_another_departments_liaison(world: World) -> None:
    world.sms[0]["target"] = "19900000002"


def text_nobody_planned(world: World) -> None:
    world.sms.append(dict(world.sms[0]) | {"receipt": "GX", "content": {"content": "另一条"}})


def text_about_a_trial_item(world: World) -> None:
    line = next(line for line in world.platform if line["business_key"].startswith("E1|"))
    world.text(line["own_id"], MARKET_A)
