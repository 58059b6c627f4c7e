"""Two files of a real city through their mappings, every row of them, where the files are at hand."""

from collections import Counter
from pathlib import Path

import pytest

from adapters.files import MappedProblem, MappedRecord, load_mapping, read_cases, read_feedback
from adapters.records import parse_case, parse_feedback

ROOT = Path(__file__).parents[3]
MAPPINGS = ROOT / "config" / "mappings"
LICENSES = ROOT.parent / "shared" / "data" / "chicago_licenses.csv.gz"
INSPECTIONS = LICENSES.with_name("chicago_inspections.csv.gz")

needs_files = pytest.mark.skipif(
    not (LICENSES.exists() and INSPECTIONS.exists()), reason="真实记录（../shared/data）不在"
)


def test_both_mappings_are_sound():
    assert load_mapping(MAPPINGS / "chicago_licenses.toml").kind == "case"
    assert load_mapping(MAPPINGS / "chicago_inspections.toml").kind == "feedback"


@needs_files
def test_every_licence_term_is_a_case_or_a_problem():
    cases, codes, accounts = {}, {}, Counter()
    mapped = list(read_cases(LICENSES, load_mapping(MAPPINGS / "chicago_licenses.toml")))
    for one in mapped:
        if isinstance(one, MappedRecord):
            cases[one.key] = one
            codes[one.record["party"]["id_number"]] = one.record["party"]["phone"]
            accounts[one.record["licence_action"]] += 1
    assert len(mapped) == 17_430
    assert [one.line_no for one in mapped[:3]] == [2, 3, 4]
    assert [one.rule for one in mapped if isinstance(one, MappedProblem)] == ["unknown-value"]
    assert len(cases) == 17_429
    assert len(codes) == 9_364  # one invented code for each account, never shared
    assert (accounts["cancel"], accounts["revoke"]) == (1_181, 60)
    for one in list(cases.values())[::97]:
        parse_case(one.wire, one.key)


@needs_files
def test_every_inspection_is_feedback_and_the_orphans_wait_for_a_person():
    mapped = list(read_feedback(INSPECTIONS, load_mapping(MAPPINGS / "chicago_inspections.toml")))
    assert len(mapped) == 27_600
    rules = Counter(one.rule for one in mapped if isinstance(one, MappedProblem))
    assert rules == {"orphan": 2_846}
    assert all(one.key for one in mapped)
    results = Counter(one.record["result"] for one in mapped if isinstance(one, MappedRecord))
    assert set(results) == {"符合", "基本符合", "不符合"}
    for one in [one for one in mapped if isinstance(one, MappedRecord)][::97]:
        parse_feedback(one.wire, one.key)
