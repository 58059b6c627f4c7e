"""The cases of a world go wrong in every way real ones do."""

import itertools
import json
import re
from collections import Counter, defaultdict

from stdnum.cn import uscc

from adapters.sandbox.world.build import World
from config.city import City
from tests.adapters.world.reading import (
    CASES,
    Versions,
    content,
    newest,
    whole,
)


def test_item_codes_are_on_the_list_or_meant_not_to_be(world: World, city: City, versions: Versions) -> None:
    codes = Counter(records[0]["item_code"] for records in versions.values())
    assert all(re.fullmatch(r"[0-9A-HJ-NPQRTUWXY]{18}[1-9]\d{12}", code) for code in codes)
    assert all(uscc.is_valid(code[:18]) for code in codes)
    strange = {code: n for code, n in codes.items() if not city.item(code)}
    unknown = {code: n for code, n in strange.items() if not city.is_not_applicable(code)}
    assert len(unknown) == 2
    assert min(unknown.values()) >= 2
    assert 0.03 < sum(n for code, n in strange.items() if code not in unknown) / CASES < 0.1
    assert set(city.catalog.items) <= set(codes), "every item of the list is applied for"


def test_results_are_mostly_grants(versions: Versions) -> None:
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


def test_corrections_change_the_content_inside_the_scope_and_only_there(
    city: City, versions: Versions
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


def test_withdrawals_come_after_what_they_withdraw(versions: Versions) -> None:
    withdrawn = [records for records in versions.values() if newest(records)["operation"] == "d"]
    assert len(withdrawn) >= CASES * 0.015
    assert {newest(records)["status"] for records in withdrawn} == {"30", "90"}
    for records in withdrawn:
        assert records[-1]["operation"] == "d"
        assert len(records) > 1


def test_licences_are_renewed_and_revoked_under_their_number(
    versions: Versions,
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


def test_composite_cases_name_their_whole(city: City, versions: Versions) -> None:
    parts = [records[0] for records in versions.values() if records[0]["parent_case_no"]]
    assert len(parts) >= 3
    for part in parts:
        whole_item = city.item(versions[part["parent_case_no"]][0]["item_code"])
        assert whole_item is not None
        assert part["item_code"] in whole_item.members


def test_one_document_number_stands_for_two_subjects(versions: Versions) -> None:
    holders = defaultdict(set)
    for records in versions.values():
        if newest(records)["document"]:
            holders[newest(records)["document"]["number"]].add(newest(records)["party"]["id_number"])
    assert sum(len(found) == 2 for found in holders.values()) >= 1
    assert max(len(found) for found in holders.values()) == 2


def test_some_places_have_no_department(city: City, versions: Versions) -> None:
    without = [
        records[0]["case_no"]
        for records in versions.values()
        if (item := city.item(records[0]["item_code"]))
        and None in [city.route(duty, records[0]["place_of_business"]["region"]) for duty in item.duties]
    ]
    assert 0.005 * CASES <= len(without) <= 0.03 * CASES


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
