"""The seeded world: the same for the same seed, holding everything it promises, and nothing real."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import chinese_calendar
import pytest
from stdnum.cn import ric, uscc

from adapters.sandbox.world import __main__ as program
from adapters.sandbox.world import identity
from adapters.sandbox.world.build import World, build
from adapters.sandbox.world.shares import SHARES
from adapters.sandbox.world.timeline import ARRIVAL_DAYS, BEGINS, arrival_days, later, works
from config.city import City, load_city
from models.domain.party_codes import check_id_card, check_uscc, clean_code

ROOT = Path(__file__).parents[2]
YIYANG = ROOT / "config" / "yiyang"
CASES = 600


@pytest.fixture(scope="module")
def world() -> World:
    return build("5", CASES, YIYANG)


@pytest.fixture(scope="module")
def city() -> City:
    return load_city()


def whole(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and not str(record.get("case_no", "BAD")).startswith("BAD")
        and isinstance(record["party"], dict)
    )


@pytest.fixture(scope="module")
def versions(world: World) -> dict[str, list[dict[str, Any]]]:
    """Well-formed case records by case number, in the order of the feed."""
    found = defaultdict(list)
    for line in world.feed_cases:
        if whole(line["record"]):
            found[line["record"]["case_no"]].append(line["record"])
    return found


def newest(records: list[dict[str, Any]]) -> dict[str, Any]:
    return max(records, key=lambda record: record["data_version"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    for name, hash_seed in (("a", "1"), ("b", "2")):
        subprocess.run(
            [
                *(sys.executable, "-m", "adapters.sandbox.world", "--seed", "9", "--cases", "60"),
                *("--city-dir", str(YIYANG), "--out", str(tmp_path / name)),
            ],
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        )
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [
        "answers.jsonl",
        "credit_parties.jsonl",
        "credit_records.jsonl",
        "feed_cases.jsonl",
        "feed_feedback.jsonl",
        "liaisons.json",
        "world.json",
    ]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes().endswith(b"\n")


def test_another_seed_gives_another_world(world: World) -> None:
    assert build("6", 60, YIYANG).feed_cases != build("7", 60, YIYANG).feed_cases


def test_files_can_be_read_line_by_line(tmp_path: Path, world: World) -> None:
    program.write(world, tmp_path)
    lines = (tmp_path / "feed_cases.jsonl").read_bytes().decode("utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == world.feed_cases
    assert json.loads((tmp_path / "world.json").read_text("utf-8"))["seed"] == "5"


@pytest.mark.parametrize("arguments", [["--cases", "0"], ["--city-dir", "/nowhere"]])
def test_wrong_arguments_are_said_in_chinese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    given = ["--cases", "5", "--city-dir", str(YIYANG), "--out", str(tmp_path), *arguments]
    assert program.main(given) == 2
    assert re.search(r"办件数量须在|无法生成", capsys.readouterr().err)


@pytest.mark.parametrize("cases", [1, 20, 199, 200, 600])
def test_a_world_has_as_many_cases_as_asked_for(cases: int) -> None:
    assert sum(build("3", cases, YIYANG).world["seeded"].values()) == cases


def test_every_trait_is_there(world: World) -> None:
    assert set(world.world["seeded"]) == {"plain", *(trait for trait, *_ in SHARES)}
    small = build("5", 20, YIYANG).world["seeded"]
    assert len(small) >= 12
    assert {"not_applicable", "secret", "repeated", "withdrawn_after_push", "broken_credit_code"} <= set(
        small
    )


def test_the_calendar_is_the_published_one() -> None:
    for step in range(300):
        day = BEGINS + timedelta(days=step)
        assert works(day) == chinese_calendar.is_workday(day), day
    assert BEGINS.weekday() == 0
    assert len(arrival_days()) == ARRIVAL_DAYS
    assert later(date(2026, 4, 30), 1) == date(2026, 5, 6)


def test_every_observation_ends_before_the_world_does(
    world: World, city: City, versions: dict[str, list[dict[str, Any]]]
) -> None:
    ends = moment(world.world["ends"])
    days = (ends.date() - BEGINS).days
    assert 80 <= days <= 100
    for records in versions.values():
        item, last = city.item(records[0]["item_code"]), newest(records)
        if item and last["completed_at"]:
            assert moment(last["completed_at"]) + timedelta(days=item.observation_days) < ends
    for feed in (world.feed_cases, world.feed_feedback, world.credit_records):
        assert moment(world.world["begins"]) <= moment(feed[0]["at"])
        assert [line["at"] for line in feed] == sorted(line["at"] for line in feed)
        assert moment(feed[-1]["at"]) < ends


def test_answers_come_before_the_observation_ends(
    world: World, city: City, versions: dict[str, list[dict[str, Any]]]
) -> None:
    for answer in world.answers:
        item = city.item(versions[answer["case_no"]][0]["item_code"])
        assert item is not None
        if answer["record"]["kind"] != "read":
            assert 0 < answer["after_hours"] <= (item.observation_days - 3) * 24


def test_cases_come_at_all_hours_but_mostly_in_office_hours(
    versions: dict[str, list[dict[str, Any]]],
) -> None:
    accepted = [moment(records[0]["accepted_at"]) for records in versions.values()]
    odd = [at for at in accepted if at.weekday() > 4 or not 8 <= at.hour < 18]
    assert 0.03 < len(odd) / len(accepted) < 0.15
    assert any(at.weekday() > 4 for at in odd)


def test_item_codes_are_on_the_list_or_meant_not_to_be(
    world: World, city: City, versions: dict[str, list[dict[str, Any]]]
) -> None:
    codes = Counter(records[0]["item_code"] for records in versions.values())
    assert all(re.fullmatch(r"[0-9A-HJ-NPQRTUWXY]{18}[1-9]\d{12}", code) for code in codes)
    assert all(uscc.is_valid(code[:18]) for code in codes)
    strange = {code: n for code, n in codes.items() if not city.item(code)}
    unknown = {code: n for code, n in strange.items() if not city.is_not_applicable(code)}
    assert len(unknown) == 2
    assert min(unknown.values()) >= 2
    assert 0.03 < sum(n for code, n in strange.items() if code not in unknown) / CASES < 0.1
    assert set(city.catalog.items) <= set(codes), "every item of the list is applied for"


def test_results_are_mostly_grants(versions: dict[str, list[dict[str, Any]]]) -> None:
    ends = Counter((newest(records)["status"], newest(records)["result"]) for records in versions.values())
    others = sum(n for end, n in ends.items() if end not in {("90", "40"), ("30", None)})
    assert 0.03 < others / CASES < 0.12
    assert {("90", "50"), ("97", None), ("98", None), ("99", None)} <= set(ends)


def test_versions_repeat_and_come_out_of_order(world: World) -> None:
    seen: dict[str, int] = {}
    repeated = stale = 0
    texts: set[str] = set()
    for line in world.feed_cases:
        record = line["record"]
        if not whole(record):
            continue
        text = json.dumps(record, sort_keys=True)
        repeated += text in texts
        texts.add(text)
        stale += seen.get(record["case_no"], 0) > record["data_version"]
        seen[record["case_no"]] = max(record["data_version"], seen.get(record["case_no"], 0))
    assert repeated >= CASES * 0.02
    assert stale >= CASES * 0.01


def content(record: dict[str, Any], scope: tuple[str, ...]) -> dict[str, Any]:
    """What a department may see, told by this test's own reading of the wire."""
    place, party = record["place_of_business"], record["party"]
    document = record["document"] or {}
    everything = record | {
        "place_region": place["region"],
        "place_address": place["address"],
        "party_name": party["name"],
        "party_kind": party["kind"],
        "party_id_number": party["id_number"],
        **{name: party[name] for name in ("legal_person", "contact", "phone", "address")},
        "licence_content": record["content"],
        "document_title": document.get("title"),
        "document_number": document.get("number"),
    }
    return {name: everything.get(name) for name in scope if name != "stage"}


def test_corrections_change_the_content_inside_the_scope_and_only_there(
    city: City, versions: dict[str, list[dict[str, Any]]]
) -> None:
    inside = outside = 0
    for records in versions.values():
        item = city.item(records[0]["item_code"])
        if item is None:
            continue
        ordered = sorted(records, key=lambda record: record["data_version"])
        for old, new in itertools.pairwise(ordered):
            if (old["status"], new["operation"]) != (new["status"], "u") or old == new:
                continue
            same = content(old, item.scope) == content(new, item.scope)
            outside += same
            inside += not same
    assert inside >= CASES * 0.02
    assert outside >= CASES * 0.01


def test_withdrawals_come_after_what_they_withdraw(versions: dict[str, list[dict[str, Any]]]) -> None:
    withdrawn = [records for records in versions.values() if newest(records)["operation"] == "d"]
    assert len(withdrawn) >= CASES * 0.015
    assert {newest(records)["status"] for records in withdrawn} == {"30", "90"}
    for records in withdrawn:
        assert records[-1]["operation"] == "d"
        assert len(records) > 1


def test_licences_are_renewed_and_revoked_under_their_number(
    versions: dict[str, list[dict[str, Any]]],
) -> None:
    by_number = defaultdict(list)
    for records in versions.values():
        if newest(records)["licence_number"]:
            by_number[newest(records)["licence_number"]].append(newest(records))
    pairs = [sorted(found, key=lambda r: r["completed_at"]) for found in by_number.values() if len(found) > 1]
    assert {pair[1]["licence_action"] for pair in pairs} == {"renew", "change", "revoke"}
    for first, second in pairs:
        assert first["licence_action"] == "issue"
        assert first["party"]["id_number"] == second["party"]["id_number"]
        assert first["completed_at"] < second["accepted_at"]
        assert first["document"]["number"] != second["document"]["number"]


def test_composite_cases_name_their_whole(city: City, versions: dict[str, list[dict[str, Any]]]) -> None:
    parts = [records[0] for records in versions.values() if records[0]["parent_case_no"]]
    assert len(parts) >= 3
    for part in parts:
        whole_item = city.item(versions[part["parent_case_no"]][0]["item_code"])
        assert whole_item is not None
        assert part["item_code"] in whole_item.members


def test_one_document_number_stands_for_two_subjects(versions: dict[str, list[dict[str, Any]]]) -> None:
    holders = defaultdict(set)
    for records in versions.values():
        if newest(records)["document"]:
            holders[newest(records)["document"]["number"]].add(newest(records)["party"]["id_number"])
    assert sum(len(found) == 2 for found in holders.values()) >= 1
    assert max(len(found) for found in holders.values()) == 2


def test_some_places_have_no_department(city: City, versions: dict[str, list[dict[str, Any]]]) -> None:
    without = [
        records[0]["case_no"]
        for records in versions.values()
        if (item := city.item(records[0]["item_code"]))
        and None in [city.route(duty, records[0]["place_of_business"]["region"]) for duty in item.duties]
    ]
    assert 0.005 * CASES <= len(without) <= 0.03 * CASES


def test_decisions_recorded_late_are_too_late_for_the_credit_system(
    world: World,
) -> None:
    late = [
        line["record"]
        for line in world.feed_cases
        if whole(line["record"])
        and line["record"]["decided_on"]
        and later(date.fromisoformat(line["record"]["decided_on"]), 7).isoformat() < line["at"][:10]
        and line["record"]["data_version"] == 2
        and line["record"]["operation"] == "u"
    ]
    assert len({record["case_no"] for record in late}) >= 0.005 * CASES


def test_malformed_records_of_every_kind(world: World) -> None:
    bad = [line["record"] for line in world.feed_cases if not whole(line["record"])]
    text = json.dumps(bad)
    assert any(isinstance(record, list) for record in bad)
    objects = [record for record in bad if isinstance(record, dict)]
    assert any("case_no" not in record for record in objects)
    assert any(len(record.get("case_no", "")) > 64 for record in objects)
    assert any(not isinstance(record["data_version"], int) for record in objects)
    assert any(record["status"] == "55" for record in objects)
    assert any(len((record["content"] or "").encode()) > 190_000 for record in objects)
    assert "\\u0000" in text
    assert "\\ud800" in text
    assert len(bad) < 0.05 * CASES


def people(world: World, versions: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [record["party"] for records in versions.values() for record in records]


def test_codes_pass_every_check_but_the_broken_ones(
    world: World, versions: dict[str, list[dict[str, Any]]]
) -> None:
    broken = dirty = 0
    for records in versions.values():
        party = records[0]["party"]
        number = clean_code(party["id_number"])
        dirty += number != party["id_number"]
        person = party["id_type"] == "身份证"
        rule = check_id_card(number) if person else check_uscc(number)
        if rule:
            assert rule in {"uscc-check", "id-check"}
            broken += 1
        elif person:
            assert ric.is_valid(number)
        elif number[:2].isdigit():  # stdnum does not know that N… and Y… codes exist
            assert uscc.is_valid(number)
    assert broken == world.world["seeded"]["broken_credit_code"] + world.world["seeded"]["broken_id_number"]
    assert dirty == world.world["seeded"]["dirty_code"]


def test_nothing_can_belong_to_anybody(world: World, versions: dict[str, list[dict[str, Any]]]) -> None:
    for party in people(world, versions):
        number = clean_code(party["id_number"])
        assert number[8:11] == "PDY" if party["id_type"] != "身份证" else number.startswith("710000")
        assert re.fullmatch(r"154\d{8}", party["phone"])
        assert "拟" in party["name"]
        assert "拟" in party["contact"]
        assert "拟" in party["address"]
    for liaison in world.liaisons:
        assert liaison["phone"] is None or re.fullmatch(r"154\d{8}", liaison["phone"])
        assert "拟" in liaison["name"]
    phones = {party["phone"] for party in people(world, versions)}
    assert phones.isdisjoint(liaison["phone"] for liaison in world.liaisons)


def test_invented_numbers_never_meet() -> None:
    many = 60_000
    persons = [identity.person_number(serial) for serial in range(many)]
    assert len(set(persons)) == many
    assert len({identity.party_code("91", serial) for serial in range(200_000)}) == 200_000
    assert all(ric.is_valid(number) for number in persons[::997])


def test_parties_are_of_every_kind_and_come_again(versions: dict[str, list[dict[str, Any]]]) -> None:
    parties = [records[0]["party"] for records in versions.values()]
    assert set(Counter(party["kind"] for party in parties)) == {"法人及非法人组织", "自然人", "个体工商户"}
    assert all((party["legal_person"] is None) == (party["kind"] == "自然人") for party in parties)
    assert Counter(party["id_number"] for party in parties).most_common(1)[0][1] >= 5


def test_the_credit_system_knows_every_party_but_a_few(
    world: World, versions: dict[str, list[dict[str, Any]]]
) -> None:
    known = {row["id_number"]: row for row in world.credit_parties}
    assert {row["grade"] for row in known.values()} == {"good", "ordinary", "bad"}
    assert all(bool(row["records"]) == (row["grade"] != "ordinary") for row in known.values())
    strangers = [row for row in known.values() if not row["known"]]
    assert len(strangers) == world.world["seeded"]["unknown_subject"]
    applied = {clean_code(records[0]["party"]["id_number"]) for records in versions.values()}
    assert {row["id_number"] for row in strangers} <= applied
    broken = world.world["seeded"]["broken_credit_code"] + world.world["seeded"]["broken_id_number"]
    assert len(applied - set(known)) == broken


def test_credit_records_are_entered_removed_and_repaired(world: World) -> None:
    records = [line["record"] for line in world.credit_records]
    assert {record["operation"] for record in records} == {"entry", "removal", "repair"}
    entered = {record["record_no"] for record in records if record["operation"] == "entry"}
    assert all(record["record_no"] in entered for record in records)
    keys = Counter((record["record_no"], record["version"]) for record in records)
    assert max(keys.values()) == 2, "one entry comes twice"
    order = [(record["record_no"], record["version"]) for record in records]
    assert any(order.index(key) < order.index((key[0], 1)) for key in order if key[1] == 2)


def test_rosters_have_the_gaps_of_real_ones(world: World, city: City) -> None:
    seats = defaultdict(list)
    for liaison in world.liaisons:
        department = city.department(liaison["department"])
        assert department is not None
        assert department.section(liaison["section"]) is not None
        seats[liaison["department"], liaison["section"]].append(liaison)
    assert len(seats) == sum(len(each.sections) for each in city.departments.values())
    silent = [seat for seat, found in seats.items() if not any(each["phone"] for each in found)]
    assert len(silent) == 1
    assert len(seats[silent[0]]) == 1
    backed = [found for found in seats.values() if found[0]["phone"] is None and len(found) > 1]
    assert len(backed) == 1
    assert [each["rank"] for each in backed[0]] == [1, 2]
    by_phone = defaultdict(set)
    for liaison in world.liaisons:
        if liaison["phone"]:
            by_phone[liaison["phone"]].add((liaison["department"], liaison["name"]))
    shared = [found for found in by_phone.values() if len(found) > 1]
    assert len(shared) == 1
    assert len({name for _, name in shared[0]}) == 1
    expired = [each for each in world.liaisons if each["valid_to"]]
    assert len(expired) == 1
    newer = [each for each in seats[expired[0]["department"], expired[0]["section"]] if each["rank"] == 1][1]
    assert expired[0]["valid_to"] < newer["valid_from"]
    assert len({each["id"] for each in world.liaisons}) == len(world.liaisons)


def test_answers_come_from_the_departments_that_were_asked(
    world: World, city: City, versions: dict[str, list[dict[str, Any]]]
) -> None:
    for answer in world.answers:
        first = versions[answer["case_no"]][0]
        item = city.item(first["item_code"])
        assert item is not None
        assert answer["stage"] in item.stages
        asked = {
            (duty.supervision_item, heir.code)
            for duty in item.duties
            if (heir := city.route(duty, first["place_of_business"]["region"]))
        }
        assert (answer["supervision_item"], answer["department"]) in asked
        assert answer["record"]["department"] == answer["department"]


def test_departments_speak_the_vocabulary_of_practice(world: World, city: City) -> None:
    words = city.dictionaries.feedback
    records = [answer["record"] for answer in world.answers]
    records += [line["record"] for line in world.feed_feedback if not bad_feedback(line["record"])]
    assert {record["kind"] for record in records} == set(words["kinds"])
    assert {record["result"] for record in records} - {None} == set(words["results"])
    assert {record["handling"] for record in records} - {None} == set(words["handlings"])
    assert {record["rectification"] for record in records} - {None} == set(words["rectifications"])
    assert {word for record in records for word in record["measures"]} <= set(words["measures"])
    inspected = [record for record in records if record["kind"] == "inspection"]
    passed = [record for record in inspected if (record["result"], record["handling"]) == ("符合", "通过")]
    assert 0.5 < len(passed) / len(inspected) < 0.85
    assert len(inspected) < len(world.answers) / 3, "most departments lawfully stay silent"


def bad_feedback(record: dict[str, Any]) -> bool:
    return str(record.get("feedback_no", "BAD")).startswith("BAD")


def test_feedback_comes_as_it_does_in_practice(
    world: World, city: City, versions: dict[str, list[dict[str, Any]]]
) -> None:
    records = [line["record"] for line in world.feed_feedback]
    assert sum(map(bad_feedback, records)) >= 2
    records = [record for record in records if not bad_feedback(record)]
    licences = {newest(found)["licence_number"] for found in versions.values()}
    assert all(record["licence_number"] in licences for record in records if record["licence_number"])
    assert all(record["case_no"] in versions for record in records if record["case_no"])
    caseless = [record for record in records if not record["case_no"]]
    assert sum(record["kind"] == "policy" for record in caseless) >= 2
    assert any(record["licence_number"] for record in caseless)
    assert any(record["party"] for record in caseless)
    orphans = [
        record
        for record in caseless
        if record["kind"] != "policy" and not (record["licence_number"] or record["party"])
    ]
    assert len(orphans) >= 2
    keys = Counter((record["feedback_no"], record["version"]) for record in records)
    assert max(keys.values()) == 2, "some feedback comes twice"
    assert {record["operation"] for record in records} == {"i", "u", "d"}
    seen: dict[str, int] = {}
    stale = 0
    for record in records:
        stale += seen.get(record["feedback_no"], 0) > record["version"]
        seen[record["feedback_no"]] = record["version"]
    assert stale >= 1
    wrong = late = 0
    for record in records:
        if not record["case_no"]:
            continue
        case = newest(versions[record["case_no"]])
        item = city.item(case["item_code"])
        assert item is not None
        routed = [city.route(duty, case["place_of_business"]["region"]) for duty in item.duties]
        wrong += record["department"] not in {each.code for each in routed if each}
        ends = moment(case["completed_at"]) + timedelta(days=item.observation_days)
        late += moment(record["changed_at"]) > ends
    assert wrong >= 1
    assert late >= 1


def penalties(world: World) -> list[dict[str, Any]]:
    found = [answer["record"] for answer in world.answers] + [line["record"] for line in world.feed_feedback]
    return [record["penalty"] for record in found if record.get("kind") == "penalty"]


def test_most_penalties_can_be_reported_and_some_are_refused(world: World) -> None:
    fine = refused = 0
    for fields in penalties(world):
        assert check_uscc(fields["CF_CFJGDM"]) is None
        broken = (
            "CF_SY" not in fields
            or fields["CF_GSJZQ"] < fields["CF_JDRQ"]
            or fields["CF_CFLB"] == "批评教育"
            or fields["CF_JDRQ"] < BEGINS.isoformat()
        )
        refused += broken
        fine += not broken
        if "罚款" in fields["CF_CFLB"]:
            assert re.fullmatch(r"\d+(\.\d{1,6})?", fields["CF_NR_FK"])
    assert fine > refused >= 1
    numbers = [fields["CF_WSH"] for fields in penalties(world)]
    assert len(set(numbers)) == len(numbers)


def test_the_world_imports_nothing_of_ours() -> None:
    for path in (ROOT / "adapters" / "sandbox" / "world").glob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            if found := re.match(r"(?:from|import) ([\w.]+)", line):
                name = found[1]
                assert (
                    name.startswith("adapters.sandbox.world") or name.split(".")[0] in sys.stdlib_module_names
                )
