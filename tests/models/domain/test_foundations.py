"""One byte form, derived keys, and findings that survive a journey between processes."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain import errors, keys
from models.domain.canonical import canonical, content_hash, sha256_hex
from models.domain.lifecycles.effect import Channel

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_bytes_read_back_and_do_not_depend_on_order(content: object) -> None:
    data = canonical(content)
    assert json.loads(data) == content
    assert canonical(json.loads(data)) == data


def test_the_order_of_keys_does_not_matter_and_chinese_stays_chinese() -> None:
    assert canonical({"b": 1, "a": "受理"}) == '{"a":"受理","b":1}'.encode()
    assert content_hash({"b": 1, "a": 2}) == content_hash({"a": 2, "b": 1}) == sha256_hex(b'{"a":2,"b":1}')


@pytest.mark.parametrize("content", [1.0, {"a": [1, {"b": 0.5}]}, (float("nan"),)])
def test_floats_have_no_single_byte_form(content: object) -> None:
    with pytest.raises(TypeError, match="decimal string"):
        canonical(content)


def test_a_lone_surrogate_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        canonical("\ud800")


@given(TEXT, TEXT, st.integers(1, 9))
def test_own_ids_are_derived_and_short(first: str, second: str, version: int) -> None:
    for channel in Channel:
        own_id = keys.own_id(channel, first, version)
        assert own_id == keys.own_id(channel, first, str(version))
        assert len(own_id) == 32
        assert own_id.isascii()
        assert (own_id == keys.own_id(channel, second, version)) == (first == second)
    assert len({keys.own_id(channel, first, version) for channel in Channel}) == len(Channel)


def test_row_ids_do_not_mix_up_their_parts() -> None:
    assert keys.row_id("case", "ab", "c") != keys.row_id("case", "a", "bc")
    assert keys.row_id("case", "a") == keys.row_id("case", "a")
    assert keys.row_id("case", "a") != keys.row_id("handover", "a")


def test_business_keys_read_as_the_wire_says() -> None:
    assert keys.push_key("C1", "acceptance", "D1", "S1") == "C1|acceptance|D1|S1"
    assert keys.recall_key("C1", "D1", "S1") == "C1|recall|D1|S1"
    assert keys.feedback_return_key("F1", "D1") == "F1|feedback|D1"
    assert keys.credit_record_return_key("R1") == "R1|credit_record|platform"
    assert keys.decision_key("CF", "文号1", "0123456789abcdef") == "CF|文号1|0123456789abcdef"
    assert keys.batch_id(["a", "b"]) == sha256_hex(b"a\nb")


FINDINGS = [
    errors.NotDone("platform", "no connection"),
    errors.Throttled("platform", "throttled", 2.5),
    errors.Throttled("platform", "throttled"),
    errors.OutcomeUnknown("credit", "reset"),
    errors.Refused("credit", "rule-broken", ("XK_JDRQ:late",)),
    errors.Refused("credit", "malformed"),
    errors.AlreadyDone("platform", "ab" * 32, "R1"),
    errors.AlreadyDone("platform", None),
    errors.Unreadable("platform", "json", b"{"),
    errors.BrokenRecord("C1", "case-no-length", "办件编号超过 64 个字符"),
    errors.ListNotTaken("2026-03-01", "已存在且内容不同"),
    errors.ForbiddenMove("CaseState", "accepted", "reopened"),
]


@pytest.mark.parametrize("finding", FINDINGS, ids=repr)
def test_findings_keep_their_fields_on_a_journey(finding: errors.ShenguanError) -> None:
    back = pickle.loads(pickle.dumps(finding))
    assert type(back) is type(finding)
    assert vars(back) == vars(finding)
    assert str(back) == str(finding)
    assert "\n" not in str(finding)


def test_raw_bytes_never_become_words() -> None:
    assert "secret" not in str(errors.Unreadable("platform", "json", b"secret"))


def test_findings_say_their_fields() -> None:
    assert str(FINDINGS[4]) == "credit refused (rule-broken): XK_JDRQ:late"
    assert str(FINDINGS[5]) == "credit refused (malformed)"
    assert str(FINDINGS[7]) == "platform already holds something"
