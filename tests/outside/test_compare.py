"""The comparer bites: a right world counts nothing, and every wrong turn is counted under its name."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "made")]

import compare  # noqa: E402
import lawful_turns as lawful  # noqa: E402
import silent_turns as silent  # noqa: E402
import wrong_turns as wrong  # noqa: E402
from comparer.findings import COUNTS  # noqa: E402
from made_records import OFFICE, PARTY_CODE, case, day  # noqa: E402
from made_world import World, right_world  # noqa: E402
from turns import drop, unsaid  # noqa: E402


def compared(world: World, room: Path, *more: str) -> dict[str, Any]:
    out = room / "counts.json"
    status = compare.main([*world.files(room), "--json", str(out), *more])
    counts: dict[str, Any] = json.loads(out.read_text())
    assert status == (1 if any(counts[name] for name in COUNTS) else 0)
    return counts


def four(counts: dict[str, Any]) -> dict[str, int]:
    return {name: counts[name] for name in COUNTS}


def test_a_right_world_counts_nothing(tmp_path):
    counts = compared(right_world(), tmp_path, "--now", day(30))
    assert four(counts) == dict.fromkeys(COUNTS, 0), counts["details"]
    # A1 has an abnormal result behind it; the others that completed can settle.
    assert counts["can_settle"] == 2
    assert counts["settled"] == 2


FAULTS: dict[str, list[Callable[[World], None]]] = {
    "lost": [
        wrong.accepted_but_not_there,
        wrong.there_with_another_hash,
        wrong.text_never_reached_the_gateway,
        wrong.report_never_arrived,
        wrong.on_its_way_for_ever,
        silent.acceptance_forgotten,
    ],
    "doubled": [
        wrong.stored_twice,
        wrong.same_business_under_another_id,
        wrong.same_content_as_a_new_version,
        wrong.text_sent_again,
        wrong.two_digests_of_one_window,
        wrong.news_in_two_texts,
        wrong.report_under_two_keys_versions,
        wrong.two_incidents_for_one_code,
    ],
    "unexpected": [
        wrong.push_of_a_silent_item,
        wrong.push_of_a_secret_case,
        wrong.push_of_a_malformed_record,
        wrong.push_of_an_unheard_case,
        wrong.push_of_stock,
        wrong.push_to_a_department_without_duty,
        wrong.push_with_a_field_out_of_scope,
        wrong.push_with_other_content,
        wrong.push_to_the_wrong_section,
        wrong.content_that_is_not_its_hash,
        wrong.effect_we_know_nothing_of,
        wrong.acceptance_of_an_instant_item,
        wrong.recall_of_a_live_case,
        wrong.push_after_its_recall,
        wrong.recall_with_more_than_it_may_say,
        wrong.normal_result_returned,
        wrong.returned_to_another_department,
        wrong.stray_result_returned,
        wrong.made_up_credit_record_returned,
        wrong.refused_application_reported,
        wrong.report_of_another_party,
        wrong.report_with_a_field_of_our_own,
        *(wrong.text_with(words) for words in ("拟安商行", PARTY_CODE, "19911112222", "拟乙", "拟安路一号")),
        wrong.text_with_a_short_name,
        wrong.text_to_a_stranger,
        wrong.text_to_another_departments_liaison,
        wrong.text_nobody_planned,
        wrong.text_about_a_trial_item,
    ],
    "silent": [
        silent.completions_switched_off,
        silent.acceptance_forgotten,
        silent.newest_version_forgotten,
        silent.recall_forgotten,
        silent.return_forgotten,
        silent.record_version_forgotten,
        silent.report_forgotten,
        silent.penalty_forgotten,
        silent.news_forgotten,
        silent.phone_said_to_be_missing,
        silent.text_older_than_its_push,
        silent.held_without_an_owner,
        silent.refused_without_a_due_date,
        silent.planned_and_never_owned,
        silent.superseded_by_nothing,
        silent.news_waiting_for_ever,
        silent.without("quarantine", record_key="J1"),
        silent.without("quarantine", record_key="无编号-abc"),
        silent.without("quarantine", record_key="FK5"),
        silent.without("incident"),
        silent.without("handover"),
        silent.without("count", name="cases_secret"),
        silent.without("count", name="cases_not_applicable"),
        silent.without("case", case_no="F1"),
        silent.orphan_dropped,
        silent.malformed_feedback_dropped,
        silent.unknown_code_undercounted,
    ],
}


@pytest.mark.parametrize(
    ("count", "spoil"),
    [pytest.param(c, f, id=f"{c}-{n}-{f.__name__}") for c, fs in FAULTS.items() for n, f in enumerate(fs)],
)
def test_every_fault_is_counted_under_its_name(count, spoil, tmp_path):
    world = right_world()
    spoil(world)
    counts = compared(world, tmp_path)
    assert counts[count] > 0, four(counts)


@pytest.mark.parametrize(
    "turn",
    [
        lawful.refused_with_owner,
        lawful.waiting_for_the_morning,
        lawful.liaison_without_a_phone,
        lawful.both_stages_in_one_poll,
        lawful.newer_version_first,
        lawful.withdrawn_before_anything_left,
        lawful.reinstated_and_told_again,
        lawful.doubtful_record_in_quarantine,
        lawful.moments_in_another_offset,
        lawful.code_with_a_shops_short_name_in_it,
    ],
)
def test_what_a_correct_system_may_do_counts_nothing(turn, tmp_path):
    world = right_world()
    turn(world)
    counts = compared(world, tmp_path)
    assert four(counts) == dict.fromkeys(COUNTS, 0), counts["details"]


def test_a_late_second_reading_excuses_few(tmp_path):
    month = str(30 * 86400)
    world = right_world()
    lawful.a_few_slipped_records(world)
    assert compared(world, tmp_path)["silent"] == 4
    assert four(compared(world, tmp_path, "--reread", month)) == dict.fromkeys(COUNTS, 0)
    for number in range(2, 6):
        first, second = case(f"P{number}", "30", 1), case(f"P{number}", "90", 2)
        world.serve("cases", 0, first)
        world.serve("cases", 5, second)
        world.push(second, "completion")
        world.report(second)
        world.say("case", case_no=f"P{number}", state="settled", mode="live")
    assert compared(world, tmp_path, "--reread", month)["silent"] == 12


def test_a_broken_version_excuses_only_itself(tmp_path):
    world = right_world()
    world.serve("cases", 6, case("B1", "55", 2))
    world.say("quarantine", record_kind="case", record_key="B1", rule="status", **OFFICE)
    assert four(compared(world, tmp_path)) == dict.fromkeys(COUNTS, 0)
    unsaid(world, drop(world.platform, "B1|acceptance"))
    assert compared(world, tmp_path)["silent"] == 2


@pytest.mark.parametrize("spoil", ["no_phone", "refused", "unfinished_period", "broken"])
def test_what_the_data_keeps_open_cannot_settle(spoil, tmp_path):
    world = right_world()
    now = day(30)
    if spoil == "no_phone":
        world.liaisons[1]["phone"] = None
    elif spoil == "refused":
        world.said.append(
            {"kind": "effect", "channel": "credit_report", "case_no": "D1", "state": "refused", **OFFICE}
        )
    elif spoil == "unfinished_period":
        now = day(7)
    else:
        world.serve("cases", 6, case("D1", "55", 4))
    assert compared(world, tmp_path, "--now", now)["can_settle"] < 2


def test_imported_records_are_owed_like_served_ones(tmp_path):
    world = right_world()
    extra = tmp_path / "imported.jsonl"
    extra.write_text(
        json.dumps({"feed": "cases", "published_at": day(2), "record": case("IMP1", "90", 1)}) + "\n"
    )
    assert compared(world, tmp_path, "--accepted-feed", str(extra))["silent"] > 0
    record = case("IMP1", "90", 1)
    world.push(record, "completion")
    world.report(record)
    counts = compared(world, tmp_path, "--accepted-feed", str(extra))
    assert four(counts) == dict.fromkeys(COUNTS, 0), counts["details"]


def test_a_refusal_nobody_gave_is_told(tmp_path):
    world = right_world()
    lawful.refused_with_owner(world)
    assert compared(world, tmp_path)["refusals_unproven"] == 1
    own_id = next(row["own_id"] for row in world.said if row.get("state") == "refused")
    line = {"own_id": own_id, "outcome": "refused"}
    (tmp_path / "credit-ledger.log.jsonl").write_text(json.dumps(line) + "\n")
    assert compared(world, tmp_path)["refusals_unproven"] == 0


def test_one_text_by_two_gateways_is_doubled(tmp_path):
    world = right_world()
    second = tmp_path / "second.jsonl"
    line = world.sms.pop()
    second.write_text(json.dumps(line) + "\n")
    more = ["--more-sms-ledger", str(second)]
    assert four(compared(world, tmp_path, "--now", day(30), *more)) == dict.fromkeys(COUNTS, 0)
    assert compared(world, tmp_path, "--now", day(30))["lost"] > 0, "the second gateway's ledger counts"
    world.sms.append(dict(line) | {"receipt": "900000000000001^0"})
    assert compared(world, tmp_path, "--now", day(30), *more)["doubled"] > 0


def test_a_missing_or_broken_file_is_no_zero(tmp_path):
    arguments = right_world().files(tmp_path)
    ledger = tmp_path / "platform-ledger.jsonl"
    whole = ledger.read_text()
    ledger.write_text("{half\n" + whole)
    assert compare.main(arguments) == 2
    ledger.write_text(whole + '{"torn')
    assert compare.main([*arguments, "--json", str(tmp_path / "out.json")]) == 0
    ledger.unlink()
    assert compare.main(arguments) == 2


def test_it_runs_alone_and_details_are_capped(tmp_path):
    world = right_world()
    for _ in range(60):
        world.platform.append(dict(world.platform[0]))
    command = [sys.executable, "-S", str(HERE / "compare.py"), *world.files(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    counts = json.loads(run.stdout)
    assert run.returncode == 1
    assert counts["doubled"] == 60
    assert sum(detail["count"] == "doubled" for detail in counts["details"]) == 50
    assert subprocess.run(command[:3], capture_output=True, check=False).returncode == 2


def test_it_imports_the_standard_library_and_itself_only():
    files = [HERE / "compare.py", *(HERE / "comparer").glob("*.py")]
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module).split(".")[0])
    assert names - {"comparer"} <= sys.stdlib_module_names
