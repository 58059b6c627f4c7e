"""What a wrong system leaves out: owed, absent, and nobody told."""

from collections.abc import Callable

from made_records import OFFICE, case, day, feedback
from made_world import World
from turns import drop, row_of, unsaid

# --- silent


def completions_switched_off(world: World) -> None:
    taken = [line for line in world.platform if "|completion|" in line["business_key"]]
    world.platform[:] = [line for line in world.platform if line not in taken]
    unsaid(world, taken)


def acceptance_forgotten(world: World) -> None:
    unsaid(world, drop(world.platform, "B1|acceptance|FIRE"))


def newest_version_forgotten(world: World) -> None:
    taken = [
        line
        for line in world.platform
        if line["business_key"].startswith("D1|completion") and line["content_version"] == 2
    ]
    world.platform[:] = [line for line in world.platform if line not in taken]
    unsaid(world, taken)


def recall_forgotten(world: World) -> None:
    unsaid(world, drop(world.platform, "C1|recall|FIRE"))


def return_forgotten(world: World) -> None:
    unsaid(world, drop(world.platform, "FK3|feedback"))


def record_version_forgotten(world: World) -> None:
    taken = [
        line
        for line in world.platform
        if line["business_key"].startswith("XJ1|") and line["content_version"] == 2
    ]
    world.platform[:] = [line for line in world.platform if line not in taken]
    unsaid(world, taken)


def report_forgotten(world: World) -> None:
    unsaid(world, drop(world.credit, "XK|文A1号"))


def penalty_forgotten(world: World) -> None:
    unsaid(world, drop(world.credit, "CF|罚1号"))


def news_forgotten(world: World) -> None:
    row = next(row for row in world.said if row["kind"] == "news")
    world.said.remove(row)


def phone_said_to_be_missing(world: World) -> None:
    row = next(row for row in world.said if row["kind"] == "news")
    effect = row_of(world, row["sms_own_id"])
    world.said.remove(effect)
    world.sms[:] = [line for line in world.sms if line["receipt"] != effect["receipt"]]
    row.update(state="no_phone", sms_own_id=None, receipt=None, **OFFICE)


def text_older_than_its_push(world: World) -> None:
    world.sms[0]["machine_at"] = day(-1)


def held_without_an_owner(world: World) -> None:
    taken = drop(world.platform, "B1|acceptance|FIRE")
    row_of(world, taken[0]["own_id"]).update(state="held", due_at=OFFICE["due_at"])


def refused_without_a_due_date(world: World) -> None:
    taken = drop(world.credit, "XK|文A1号")
    row_of(world, taken[0]["own_id"]).update(state="refused", owner="窗口")


def planned_and_never_owned(world: World) -> None:
    taken = drop(world.platform, "B1|acceptance|FIRE")
    row_of(world, taken[0]["own_id"]).update(state="planned")


def news_waiting_for_ever(world: World) -> None:
    row = next(row for row in world.said if row["kind"] == "news")
    effect = row_of(world, row["sms_own_id"])
    world.sms[:] = [line for line in world.sms if line["receipt"] != effect["receipt"]]
    effect.update(state="planned", receipt=None, **OFFICE)
    row.update(receipt=None, business_at=day(7))
    world.say("clock", business_now=day(10))


def superseded_by_nothing(world: World) -> None:
    taken = drop(world.platform, "B1|acceptance|FIRE")
    row_of(world, taken[0]["own_id"]).update(state="superseded", **OFFICE)


def without(kind: str, **wanted: str) -> Callable[[World], None]:
    def gone(world: World) -> None:
        row = next(
            r for r in world.said if r["kind"] == kind and all(r.get(k) == v for k, v in wanted.items())
        )
        world.said.remove(row)

    return gone


def orphan_dropped(world: World) -> None:
    record = feedback("FK9", "inspection", "", case_no=None, supervision_item=None, result="不符合")
    world.serve("feedback", 9, record)


def malformed_feedback_dropped(world: World) -> None:
    world.serve("feedback", 9, feedback("FK8", "inspection", "A1", result="优秀"))


def unknown_code_undercounted(world: World) -> None:
    world.serve("cases", 2, case("H2", "30", 1, item_code="X" * 31))
