"""Pages cut into exact bytes, and everything that is not strict JSON named."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import strict_json
from adapters.strict_json import DEPTH_LIMIT, ITEM_LIMIT, NotStrict, read, read_page, without_doubles

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text('items,[]{}"\\甲', max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


def page(*items, before=b'"next_cursor":"c","has_more":false,'):
    return b"{" + before + b'"items":[' + b",".join(items) + b"]}"


@given(st.lists(VALUES, max_size=6), st.booleans(), st.sampled_from([None, 1]))
def test_items_come_back_as_the_bytes_they_were(values, ascii_only, indent):
    pieces = [json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode() for value in values]
    outer, items = read_page(page(*pieces), most=10)
    assert outer == {"next_cursor": "c", "has_more": False, "items": []}
    assert [item.value for item in items] == values
    assert [item.raw for item in items] == pieces
    assert not any(item.fault for item in items)


ODD = st.sampled_from([b" ", b"\n", b",", b"]", b"}", b"[", b"{", b'"', b"\\", b"0", b'"items":[', b""])


@given(st.lists(VALUES | st.just({"a": [{}]}), max_size=4), st.data())
def test_a_page_cut_quickly_is_cut_as_slowly(values, data):
    raw = page(*[json.dumps(value, ensure_ascii=False).encode() for value in values])
    place, odd = data.draw(st.integers(0, len(raw))), data.draw(ODD)
    raw = raw[:place] + odd + raw[place:]
    quickly = _told(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_cut_quickly", lambda *_: None)
        assert quickly == _told(raw)


def _told(raw):
    try:
        return read_page(raw, most=3)
    except NotStrict as found:
        return found.rule


@given(st.binary(max_size=60))
def test_no_bytes_bring_it_down(raw):
    for attempt in (read, lambda raw: read_page(raw, most=5), lambda raw: read_page(page(raw), most=5)):
        with contextlib.suppress(NotStrict):
            attempt(raw)
    with contextlib.suppress(NotStrict):
        assert json.dumps(read(raw), allow_nan=False)


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b'{"a":NaN}', "not-json"),
        (b'{"a":Infinity}', "not-json"),
        ('{"a":"益阳"}'.encode("gbk"), "not-json"),
        (b'{"a":"\\ud800"}', "not-json"),
        (b'{"a":"x\\u0000"}', "control-character"),
        (b'{"a":"\\\\\\u0000"}', "control-character"),
        (b'{"\\u0000":1}', "control-character"),
        (b'{"a":"x', "not-json"),
        (b'{"a":1', "not-json"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b"<html></html>", "not-json"),
        (b"", "not-json"),
        (b"[" * 100_000 + b"]" * 100_000, "too-deep"),
        (b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1), "too-deep"),
        (b"[" + b"1," * 400_000 + b"1]", "too-many-values"),
    ],
)
def test_what_is_not_strict_is_named(raw, rule):
    with pytest.raises(NotStrict) as caught:
        read(raw)
    assert caught.value.rule == rule


def test_a_written_backslash_makes_no_nul():
    for raw in (rb'{"a":"\\u0000"}', rb'{"a":"\\\\u0000"}'):
        assert read(raw) == json.loads(raw)
        assert "\0" not in read(raw)["a"]


def test_a_record_with_nul_is_read_and_its_page_is_not():
    nul = rb'{"n":"2\u0000"}'
    _, items = read_page(page(b'{"n":"1"}', nul, b'{"n":"3"}'), most=10)
    assert [item.value["n"] for item in items] == ["1", "2\0", "3"]
    assert items[1].raw == nul
    with pytest.raises(NotStrict) as caught:
        read_page(page(b"1", before=rb'"next_cursor":"c\u0000",'), most=10)
    assert caught.value.rule == "control-character"


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (b'{"a":NaN}', "not-json"),
        (b'{"a":"\\udc00"}', "not-json"),
        ('{"a":"益"}'.encode("gbk"), "not-json"),
        (b"[" * 80 + b"]" * 80, "too-deep"),
        (b'"' + b"x" * (10 * 1024 * 1024) + b'"', "too-large"),
    ],
)
def test_a_broken_item_spoils_no_other(broken, fault):
    _, items = read_page(page(b'{"n":1}', broken, b'{"n":3}'), most=10)
    assert [item.value for item in items] == [{"n": 1}, None, {"n": 3}]
    assert [item.fault for item in items] == ["", fault, ""]
    assert items[1].raw == broken[:ITEM_LIMIT]


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"[]", "wrong-shape"),
        (b'{"items":{}}', "wrong-shape"),
        (b'{"data":{"items":[]}}', "wrong-shape"),
        (b'{"x":"items","y":[1]}', "wrong-shape"),
        (b'{"items":[1,2', "not-json"),
        (page(b"1", before=b'"x":NaN,'), "not-json"),
        (page(b"1", before=b'"x":' + b"[" * 70 + b"]" * 70 + b","), "too-deep"),
        (page(*[b"null"] * 11), "too-many-items"),
        (page(*[b"null"] * 1_000_000), "too-many-items"),
    ],
)
def test_a_broken_page_is_named(raw, rule):
    with pytest.raises(NotStrict) as caught:
        read_page(raw, most=10)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    "raw",
    [b'{"a":1,"a":1}', b'[{"b":{"a":1,"c":2,"a":3}}]', b'{"a":1,"\\u0061":2}'],
    ids=["plain", "deep", "spelt"],
)
def test_a_name_said_twice_is_nobodys_answer(raw):
    with pytest.raises(NotStrict) as caught:
        read(raw)
    assert caught.value.rule == "name-twice"
    assert b"null" in without_doubles(raw)


@given(VALUES)
def test_what_says_each_name_once_stays_as_it_is(value):
    raw = json.dumps(value).encode()
    assert without_doubles(raw) == raw
    if b"\\u0000" not in raw:
        assert read(raw) == value


def test_the_parts_around_a_double_stay_as_they_were():
    raw = b'{"results":[{"n":12345678901234567890123,"x":1},{"x":1,"x":2},{"x":-3,"y":1.5}]}'
    assert json.loads(without_doubles(raw))["results"] == [
        {"n": 1.2345678901234568e22, "x": 1},
        None,
        {"x": -3, "y": 1.5},
    ]
