"""What leaves is the item's scope, no more, in the same bytes each time."""

import json
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from models.domain.bodies import (
    ALWAYS,
    AT_ACCEPTANCE,
    SCOPE_FIELDS,
    Stage,
    credit_record_content,
    envelope,
    feedback_content,
    push_content,
    report_body,
)
from models.domain.canonical import canonical, content_hash
from models.domain.record import Attachment, Document, Measure, PartyReference
from tests.models.domain.samples import AT, CASE, CREDIT, FEEDBACK, case

FULL = case(
    result="40",
    completed_at=AT,
    document=Document(title="决定书", number="1号"),
    licence_number="JY1",
    content="食品销售",
    decided_on=date(2026, 3, 13),
    valid_from=date(2026, 3, 13),
    valid_to=date(2031, 3, 12),
    attachments=(Attachment(name="a.pdf", sha256="ab"),),
    party=replace(CASE.party, legal_person="某某", contact="某某", phone="0737", address="某路"),
)


@given(st.sets(st.sampled_from(sorted(SCOPE_FIELDS))), st.sampled_from(list(Stage)))
def test_nothing_beyond_the_scope_leaves(scope: set[str], stage: Stage) -> None:
    content = push_content(FULL, stage, "granted", scope)
    wanted = ALWAYS | scope
    assert set(content) == (wanted & AT_ACCEPTANCE if stage is Stage.ACCEPTANCE else wanted)
    assert content["stage"] == stage.value


def test_what_is_absent_is_left_out() -> None:
    content = push_content(CASE, Stage.COMPLETION, None, SCOPE_FIELDS)
    assert None not in content.values()
    assert "licence_number" not in content
    assert "attachments" not in content


def test_dates_and_files_travel_as_plain_json() -> None:
    content = push_content(FULL, Stage.COMPLETION, "granted", SCOPE_FIELDS)
    assert content["valid_to"] == "2031-03-12"
    assert content["completed_at"] == "2026-03-13T01:00:00+00:00"
    assert content["attachments"] == [{"name": "a.pdf", "sha256": "ab"}]
    assert json.loads(canonical(content)) == content


def test_a_result_returns_without_its_party() -> None:
    named = replace(
        FEEDBACK, party=PartyReference(name="某某公司", id_number="91230500MA1B3N1N2M"), measures=("警告",)
    )
    content = feedback_content(named)
    assert content["measures"] == ["警告"]
    assert "某某公司" not in json.dumps(content, ensure_ascii=False)
    assert "measures" not in feedback_content(FEEDBACK)


def test_a_credit_record_returns_with_whom_it_is_about() -> None:
    content = credit_record_content(replace(CREDIT, measures=(Measure(code="CJ-02", basis="某文"),)))
    assert content["party"]["id_number"] == CREDIT.party.id_number
    assert content["measures"] == [{"code": "CJ-02", "basis": "某文"}]
    assert "measures" not in credit_record_content(CREDIT)


def test_an_envelope_carries_the_hash_of_its_content() -> None:
    body = envelope("PS1", "C-1|acceptance|D|S", 2, {"a": "b"}, stage="acceptance", case_no="C-1")
    assert body == envelope("PS1", "C-1|acceptance|D|S", 2, {"a": "b"}, case_no="C-1", stage="acceptance")
    read = json.loads(body)
    assert read["content_sha256"] == content_hash({"a": "b"})
    assert (read["own_id"], read["content_version"], read["case_no"]) == ("PS1", 2, "C-1")


def test_a_report_carries_the_hash_of_its_record() -> None:
    read = json.loads(report_body("CR1", "XK|1号|ab", 1, "XK", {"XK_WSH": "1号"}))
    assert read["record"] == {"XK_WSH": "1号"}
    assert read["content_sha256"] == content_hash({"XK_WSH": "1号"})
    assert read["kind"] == "XK"
